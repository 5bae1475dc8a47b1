"""What the desk is set up with: its sources and its guidelines."""

from typing import Annotated

from fastapi import APIRouter, Query, Request, Response
from msgspec import Struct

from gexdesk.api.answers import as_json
from gexdesk.api.describe import described
from gexdesk.api.guard import Guard
from gexdesk.api.keys import Scope
from gexdesk.api.served import Served
from gexdesk.model.look.guidelines import GuidelinesLook


class SourceShape(Struct, frozen=True):
    """Show a source to programs; ``reliability_score`` is successful over total requests, 0 to 1."""

    source_id: str
    name: str
    base_url: str
    reliability_score: float
    is_active: bool
    total_requests: int
    successful_requests: int


class SourcesShape(Struct, frozen=True):
    """List sources; ``total_count`` counts those that fit the question, whatever the limit."""

    sources: tuple[SourceShape, ...]
    total_count: int


class RuleShape(Struct, frozen=True):
    """Show a guideline to programs; ``priority_score`` is the least it gives, 0 to 1."""

    rule_id: str
    name: str
    description: str
    priority_score: float
    is_active: bool


class RulesShape(Struct, frozen=True):
    """List the guidelines in force."""

    rules: tuple[RuleShape, ...]
    total_count: int


def configured(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["configured"])

    @router.get("/sources", **described(SourcesShape, says="The sources"))
    async def sources(
        request: Request, active_only: bool = False, limit: Annotated[int, Query(ge=1, le=100)] = 50
    ) -> Response:
        """List the sources."""
        guard.allowed(request, Scope.READ)
        found = [
            SourceShape(
                source_id=source.name,
                name=source.name,
                base_url=source.base_url,
                reliability_score=round(source.successes / source.requests, 6) if source.requests else 1.0,
                is_active=source.state not in ("paused", "stopped", "unassigned", "ended"),
                total_requests=source.requests,
                successful_requests=source.successes,
            )
            for source in (await engine.view()).sources
        ]
        fitting = [source for source in found if source.is_active or not active_only]
        return as_json(SourcesShape(tuple(fitting[:limit]), len(fitting)))

    @router.get("/rules", **described(RulesShape, says="The guidelines in force"))
    async def rules(request: Request) -> Response:
        """List the guidelines in force."""
        guard.allowed(request, Scope.READ)
        found = tuple(
            RuleShape(rule.name, rule.name, rule.description, rule.score, rule.active)
            for rule in (await engine.look(GuidelinesLook())).rules
        )
        return as_json(RulesShape(found, len(found)))

    return router
