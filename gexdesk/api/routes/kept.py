"""What was kept: snapshots, decisions, jobs, incidents, gaps, the audit."""

from datetime import datetime
from typing import Annotated, Any

import msgspec
from fastapi import APIRouter, Query, Request, Response

from gexdesk.api.answers import BadRequest
from gexdesk.api.describe import described
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.served import Served
from gexdesk.model.text import symbol_of

ARROW_TYPE = "application/vnd.apache.arrow.stream"

Limit = Annotated[int, Query(ge=1, le=10_000)]
After = Annotated[str | None, Query(description="ISO 8601; rows that came after it", max_length=40)]
Symbol = Annotated[str | None, Query(max_length=17)]


def kept(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["kept"])

    @router.get("/snapshots/{symbol}/history", **described(says="Rows, newest first; with Accept: Arrow an IPC stream"))
    async def history(request: Request, symbol: str, limit: Limit = 500, after: After = None) -> Response:
        """Return the recorded snapshots of a symbol, as JSON or, where asked for by Accept, as an Arrow stream."""
        guard.allowed(request, Scope.READ)
        if ARROW_TYPE in request.headers.get("accept", ""):
            return Response(await engine.arrow("snapshots", limit, _symbol(symbol), _time(after)), media_type=ARROW_TYPE)
        return _rows(await engine.rows("snapshots", limit, _symbol(symbol), _time(after)))

    for relation in ("decisions", "jobs", "incidents", "gaps", "overrides", "requests", "dead_letters"):
        _add(router, relation, engine, guard)

    @router.get("/audit", **described(says="The last lines, newest first"))
    async def audit(request: Request, limit: Limit = 100) -> Response:
        """Return the last lines of the audit."""
        guard.allowed(request, Scope.OPERATE)
        return _rows(await engine.audit(limit))

    return router


def _add(router: APIRouter, relation: str, engine: Served, guard: Guard) -> None:
    path = f"/{relation.replace('_', '-')}"

    words = f"Return the newest {relation.replace('_', ' ')}."

    @router.get(path, name=relation, description=words, **described(says="Rows, newest first"))
    async def listing(request: Request, limit: Limit = 100, symbol: Symbol = None, after: After = None) -> Response:
        guard.allowed(request, Scope.READ)
        return _rows(await engine.rows(relation, limit, _symbol(symbol) if symbol else None, _time(after)))


def _rows(found: list[dict[str, Any]]) -> Response:
    return Response(msgspec.json.encode({"rows": found, "count": len(found)}), media_type="application/json")


def _symbol(text: str) -> str:
    symbol = symbol_of(text)
    if symbol is None:
        raise BadRequest("that is no symbol: 1 to 16 of A-Z 0-9 . _ ^ - are allowed")
    return symbol


def _time(text: str | None) -> float | None:
    if text is None:
        return None
    try:
        at = datetime.fromisoformat(text)
        if at.tzinfo is None:
            raise BadRequest("after: the time has no zone; write e.g. 2026-11-23T14:30:00Z")
        return at.timestamp()
    except (ValueError, OverflowError):
        raise BadRequest("after: not an ISO 8601 time; write e.g. 2026-11-23T14:30:00Z") from None
