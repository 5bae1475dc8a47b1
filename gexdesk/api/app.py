"""The routes: what an engine shows and what it lets be done, in the words of the HTTP contract."""

from pathlib import Path
from typing import Protocol

import msgspec
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.websockets import WebSocketDisconnect

from gexdesk import __version__
from gexdesk.desk import Desk
from gexdesk.model.errors import EngineAway, GexdeskError, LeverRefused, StoreError, UnknownTarget
from gexdesk.model.level import LEVELS
from gexdesk.model.lever import Lever
from gexdesk.model.look import AnyLook

PREFIX = "/api/v1"
_STATUS = {UnknownTarget: 404, LeverRefused: 409, StoreError: 503, EngineAway: 503}


class Served(Desk, Protocol):
    """What the routes need of an engine: the desk, and a copy of its metadata."""

    async def copy_metadata(self) -> Path:
        """Write a consistent copy of the metadata and return where it lies."""
        ...


def make_app(engine: Served) -> FastAPI:
    """Return the application that serves one engine."""
    app = FastAPI(title="gexdesk", version=__version__, docs_url=None, redoc_url=None)
    app.add_exception_handler(GexdeskError, _house_error)
    app.add_exception_handler(RequestValidationError, _bad_request)
    app.add_exception_handler(HTTPException, _http_error)

    @app.get("/healthz")
    async def healthz() -> dict[str, str]:
        """Say that the process answers."""
        return {"status": "ok"}

    @app.get("/readyz")
    async def readyz() -> dict[str, object]:
        """Say that the engine takes pictures."""
        view = await engine.view()
        return {"status": "ready", "engine_id": view.engine_id, "taken_at": view.taken_at}

    @app.get(f"{PREFIX}/view")
    async def view() -> Response:
        """Return the newest picture of the desk."""
        return _json(await engine.view())

    @app.get(f"{PREFIX}/ingest/priority/queue")
    async def queue() -> dict[str, object]:
        """Count the queue by level."""
        levels = {level.level: level for level in (await engine.view()).levels}
        oldest = [v.oldest_received_at for v in levels.values() if v.oldest_received_at is not None]
        return {
            "total_queued": sum(v.depth for v in levels.values()),
            "by_priority": {str(level): levels[level].depth for level in LEVELS},
            "oldest_request": _iso(min(oldest)) if oldest else None,
            "processing_capacity": sum(v.processing for v in levels.values()),
        }

    @app.post(f"{PREFIX}/levers")
    async def levers(request: Request) -> Response:
        """Do what an operator asks; who asks is who the kernel says."""
        try:
            lever = msgspec.json.decode(await request.body(), type=Lever)
        except msgspec.DecodeError as error:
            return _error(400, "bad_request", str(error), {})
        who = request.client.host if request.client is not None else "unknown"
        return _json(await engine.pull(msgspec.structs.replace(lever, actor=who)))

    @app.post(f"{PREFIX}/look")
    async def look(request: Request) -> Response:
        """Answer what the picture does not hold."""
        try:
            question = msgspec.json.decode(await request.body(), type=AnyLook)
        except msgspec.DecodeError as error:
            return _error(400, "bad_request", str(error), {})
        seen = await engine.look(question)
        return _json(seen)

    @app.post(f"{PREFIX}/metadata/copy")
    async def copy_metadata() -> Response:
        """Write a consistent copy of the metadata into the state folder and name it; whoever asked removes it."""
        return _json({"path": str(await engine.copy_metadata())})

    @app.post(f"{PREFIX}/stop")
    async def stop() -> dict[str, str]:
        """Ask the engine to finish what it holds and end."""
        await engine.stop()
        return {"status": "stopping"}

    @app.websocket(f"{PREFIX}/ingest/status")
    async def status(socket: WebSocket) -> None:
        """Send pictures as they are taken; a slow reader misses some."""
        await socket.accept()
        try:
            await socket.send_bytes(msgspec.json.encode(await engine.view()))
            async for picture in engine.views():
                await socket.send_bytes(msgspec.json.encode(picture))
            await socket.close(code=1001, reason="the engine is stopping")
        except (WebSocketDisconnect, RuntimeError):
            return  # the reader went away, which is its right

    return app


def _json(value: object) -> Response:
    return Response(msgspec.json.encode(value), media_type="application/json")


def _error(status: int, error: str, message: str, details: object) -> Response:
    body = msgspec.json.encode({"error": error, "message": message, "details": details})
    return Response(body, status_code=status, media_type="application/json")


def _iso(at: float) -> str:
    from datetime import UTC, datetime

    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


async def _house_error(_request: Request, error: Exception) -> Response:
    if not isinstance(error, GexdeskError):
        raise TypeError(f"registered for GexdeskError, called with {type(error).__name__}")
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    return _error(status, error.kind, error.message, error.details)


async def _bad_request(_request: Request, error: Exception) -> Response:
    return _error(400, "bad_request", str(error).splitlines()[0], {})


async def _http_error(_request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    words = {404: "no such path", 405: "that path does not take this method"}.get(status, "refused")
    return _error(status, "http_error", words, {})
