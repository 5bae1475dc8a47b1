"""Probes for supervisors and scrapers: no key needed for the first two and the contract's own description."""

from fastapi import APIRouter, Request, Response

from gexdesk.api.describe import described
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.metrics import metrics_of
from gexdesk.api.served import Served

METRICS_TYPE = "text/plain; version=0.0.4; charset=utf-8"


def probes(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["probes"])

    @router.get("/healthz", **described(refusals=(), says="The process answers"))
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @router.get("/readyz", **described(refusals=(503,), says="The engine takes pictures"))
    async def readyz() -> dict[str, object]:
        """Say that the engine takes pictures."""
        view = await engine.view()
        return {"status": "ready", "engine_id": view.engine_id, "taken_at": view.taken_at}

    @router.get("/metrics", **described(refusals=(401, 403, 429), says="Prometheus text"))
    async def metrics(request: Request) -> Response:
        """Return the desk's figures for Prometheus."""
        guard.allowed(request, Scope.READ)
        return Response(metrics_of(await engine.view()), media_type=METRICS_TYPE)

    return router
