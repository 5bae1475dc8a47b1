"""Ask for data, and see how that stands: the contract other programs rely on."""

from fastapi import APIRouter, Request, Response
from msgspec import Struct

from gexdesk.api.answers import as_json, iso
from gexdesk.api.body import body_of
from gexdesk.api.describe import GUARDED, described
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.served import Served
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.request import Accepted, RequestStands, Submission
from gexdesk.model.view.desk import DeskView


class QueueStands(Struct, frozen=True):
    """Count the queue.

    Attributes:
        oldest_request: Receipt of the oldest waiting job, ISO 8601; None when none waits.
        processing_capacity: Jobs the engine can process at once.
    """

    total_queued: int
    by_priority: dict[Level, int]
    oldest_request: str | None
    processing_capacity: int


def queue_of(view: DeskView) -> QueueStands:
    """Return a picture's queue in the contract's words."""
    levels = {level.level: level for level in view.levels}
    oldest = [v.oldest_received_at for v in levels.values() if v.oldest_received_at is not None]
    return QueueStands(
        total_queued=sum(v.depth for v in levels.values()),
        by_priority={level: levels[level].depth for level in LEVELS},
        oldest_request=iso(min(oldest)) if oldest else None,
        processing_capacity=view.slots,
    )


def ingest(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(prefix="/ingest/priority", tags=["ingest"])

    follow = {"follow": {"operationId": "stands", "parameters": {"request_id": "$response.body#/request_id"}}}

    @router.post("", **described(Accepted, takes=Submission, status=202, says="Taken, durably", links=follow))
    async def submit(request: Request) -> Response:
        """Take a request for one document."""
        visitor = guard.allowed(request, Scope.SUBMIT)
        with guard.reading(visitor):
            submission = await body_of(request, Submission)
        return as_json(await engine.submit(submission, visitor.name), status=202)

    @router.get("/queue", **described(QueueStands, says="The queue by level"))
    async def queue(request: Request) -> Response:
        """Count the queue by level."""
        guard.allowed(request, Scope.READ)
        return as_json(queue_of(await engine.view()))

    @router.get(
        "/{request_id}",
        operation_id="stands",
        **described(RequestStands, refusals=(*GUARDED, 404), says="How the request stands"),
    )
    async def stands(request: Request, request_id: str) -> Response:
        """Say how a request stands."""
        guard.allowed(request, Scope.READ)
        return as_json(await engine.request(request_id))

    return router
