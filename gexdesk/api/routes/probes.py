"""Probes for supervisors and scrapers: no key needed for the first two and the contract's own description."""

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from gexdesk.api.answers import as_json
from gexdesk.api.describe import described
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.metrics import metrics_of
from gexdesk.api.routes.desk import StatusShape
from gexdesk.api.served import Served

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


class ReadyShape(Struct, frozen=True):
    """Say which engine is ready; ``taken_at`` is its newest picture's time, UTC seconds."""

    status: str
    engine_id: str
    taken_at: float


def probes(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["probes"])

    @router.get("/healthz", **described(StatusShape, refusals=(), says="The process answers", open_to_all=True))
    async def healthz() -> Response:
        """Say that the process answers."""
        return as_json(StatusShape("ok"))

    @router.get("/readyz", **described(ReadyShape, refusals=(503,), says="The engine takes pictures", open_to_all=True))
    async def readyz() -> Response:
        """Say that the engine takes pictures."""
        view = await engine.view()
        return as_json(ReadyShape("ready", view.engine_id, view.taken_at))

    @router.get("/metrics", **described(says="Prometheus text", also=("text/plain",)))
    async def metrics(request: Request) -> Response:
        """Return the desk's figures for Prometheus."""
        guard.allowed(request, Scope.READ)
        return Response(metrics_of(await engine.view()), media_type=METRICS_TYPE)

    return router
