"""What was kept: snapshots, decisions, jobs, incidents, gaps, the audit."""

from datetime import datetime
from typing import Annotated, Any

from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct

from gexdesk.api.answers import as_json
from gexdesk.api.describe import GUARDED, described
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.refusals import BadRequest
from gexdesk.api.served import Served
from gexdesk.model.look.symbol import SymbolLook, SymbolSeen
from gexdesk.model.text import symbol_of

ARROW_TYPE = "application/vnd.apache.arrow.stream"

Limit = Annotated[int, Query(ge=1, le=10_000)]
After = Annotated[str | None, Query(description="ISO 8601; rows that came after it", max_length=40)]
Symbol = Annotated[str | None, Query(max_length=17)]


class RowsShape(Struct, frozen=True):
    """Hold rows of what was kept, by column; times are ISO 8601 in UTC, null is unknown."""

    rows: list[dict[str, Any]]
    count: int


def kept(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["kept"])

    @router.get(
        "/snapshots/{symbol}/history",
        **described(RowsShape, says="Rows, newest first; with Accept: Arrow an IPC stream", also=(ARROW_TYPE,)),
    )
    async def history(request: Request, symbol: str, limit: Limit = 500, after: After = None) -> Response:
        """Return the recorded snapshots of a symbol, as JSON or, where asked for by Accept, as an Arrow stream."""
        guard.allowed(request, Scope.READ)
        if ARROW_TYPE in request.headers.get("accept", ""):
            return Response(await engine.arrow("snapshots", limit, _symbol(symbol), _time(after)), media_type=ARROW_TYPE)
        return _rows(await engine.rows("snapshots", limit, _symbol(symbol), _time(after)))

    @router.get("/snapshots/{symbol}/latest", **described(SymbolSeen, refusals=(*GUARDED, 404), says="What readers have"))
    async def latest(request: Request, symbol: str) -> Response:
        """Return the live value of a symbol, with its curve and strikes."""
        guard.allowed(request, Scope.READ)
        seen: SymbolSeen = await engine.look(SymbolLook(_symbol(symbol)))
        return as_json(seen)

    for relation in ("decisions", "jobs", "incidents", "gaps", "overrides", "requests", "dead_letters"):
        _add(router, relation, engine, guard)

    @router.get("/audit", **described(RowsShape, says="The last lines, newest first"))
    async def audit(request: Request, limit: Limit = 100) -> Response:
        """Return the last lines of the audit."""
        guard.allowed(request, Scope.OPERATE, changes=False)
        return _rows(await engine.audit(limit))

    return router


def _add(router: APIRouter, relation: str, engine: Served, guard: Guard) -> None:
    path = f"/{relation.replace('_', '-')}"

    words = f"Return the newest {relation.replace('_', ' ')}."

    @router.get(path, name=relation, description=words, **described(RowsShape, refusals=(*GUARDED, 404), says="Rows, newest first"))
    async def listing(request: Request, limit: Limit = 100, symbol: Symbol = None, after: After = None) -> Response:
        guard.allowed(request, Scope.READ)
        return _rows(await engine.rows(relation, limit, _symbol(symbol) if symbol else None, _time(after)))


def _rows(found: list[dict[str, Any]]) -> Response:
    return as_json(RowsShape(found, len(found)))


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
