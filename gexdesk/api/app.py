"""The application: every route under one guard, every refusal in one shape, and the document that describes them."""

from typing import Any

from fastapi import APIRouter, Depends, FastAPI, Response

from gexdesk import __version__
from gexdesk.api.answers import answer_errors, as_json
from gexdesk.api.describe import components, own_words
from gexdesk.api.guard import Guard
from gexdesk.api.query import only_known
from gexdesk.api.routes.configured import RulesShape, SourcesShape, configured
from gexdesk.api.routes.desk import ANSWERS, CopyShape, StatusShape, desk
from gexdesk.api.routes.ingest import QueueStands, ingest
from gexdesk.api.routes.kept import RowsShape, kept
from gexdesk.api.routes.probes import ReadyShape, probes
from gexdesk.api.routes.stream import stream
from gexdesk.api.served import Served
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.every import AnyLook
from gexdesk.model.request import Accepted, RequestStands, Submission
from gexdesk.model.view.desk import DeskView

PREFIX = "/api/v1"
_WORDS = """Ingest gamma-exposure data by priority. Keys go as `X-API-Key` or `Authorization: Bearer`.

WebSockets, with the same keys (scope read): `/api/v1/ingest/status` sends `{"type": "queue_status", ...}` every second and
`{"type": "processing_update", ...}` as jobs move; `/api/v1/views` sends the desk's picture four times a second; with
`?moments=true` it sends `{"sequence": ..., "taken_at": ...}` as text while nothing else changes."""

_SHAPES = (
    Accepted, AnyLook, CopyShape, DeskView, Lever, LeverOutcome, QueueStands, ReadyShape, RequestStands, RowsShape, RulesShape,
    SourcesShape, StatusShape, Submission, *ANSWERS,
)  # fmt: skip


def make_app(engine: Served, guard: Guard) -> FastAPI:
    """Return the application that serves one engine to whom its guard lets in."""
    app = FastAPI(
        title="gexdesk",
        version=__version__,
        description=_WORDS,
        openapi_url=None,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        dependencies=[Depends(only_known)],
    )
    answer_errors(app)
    app.include_router(probes(engine, guard))
    versioned = APIRouter(prefix=PREFIX)
    for family in (ingest, configured, desk, kept, stream):
        versioned.include_router(family(engine, guard))
    app.include_router(versioned)
    generated = app.openapi

    def openapi() -> dict[str, Any]:
        document = generated()
        own_words(document)
        parts = document.setdefault("components", {})
        parts.setdefault("schemas", {}).update(components(_SHAPES))
        parts["securitySchemes"] = {
            "key": {"type": "apiKey", "in": "header", "name": "X-API-Key"},
            "bearer": {"type": "http", "scheme": "bearer"},
        }
        document["security"] = [{"key": []}, {"bearer": []}]
        return document

    app.openapi = openapi  # type: ignore[method-assign]

    @app.get("/openapi.json", include_in_schema=False)
    async def description() -> Response:
        """Describe the contract; as a route of ours it is held to its query string, too."""
        return as_json(app.openapi())

    return app
