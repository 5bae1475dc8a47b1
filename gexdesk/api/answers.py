"""Answer in one shape: values as JSON, every refusal as ``{error, message, details}``."""

import math
from datetime import UTC, datetime

import msgspec
from fastapi import FastAPI, Request, Response, WebSocket
from fastapi.exceptions import RequestValidationError, WebSocketRequestValidationError
from starlette.exceptions import HTTPException

from gexdesk.api.refusals import BadRequest, Busy, NoKey, NotAllowed, TooMany
from gexdesk.model.errors import (
    AddressRefused,
    EngineAway,
    GexdeskError,
    GuidelineError,
    LeverRefused,
    QueueError,
    SettingsError,
    StoreError,
    SubmissionRefused,
    UnknownTarget,
)

_STATUS: dict[type[GexdeskError], int] = {
    UnknownTarget: 404, LeverRefused: 409, GuidelineError: 400, SettingsError: 400, AddressRefused: 400, SubmissionRefused: 400,
    QueueError: 503, StoreError: 503, EngineAway: 503, BadRequest: 400, NoKey: 401, NotAllowed: 403, TooMany: 429, Busy: 503,
}  # fmt: skip


def as_json(value: object, status: int = 200) -> Response:
    """Return a value as a JSON answer."""
    return Response(msgspec.json.encode(value), status_code=status, media_type="application/json")


def refusal(error: GexdeskError) -> Response:
    """Return a refusal in the contract's shape."""
    status = next((code for kind, code in _STATUS.items() if isinstance(error, kind)), 400)
    body = msgspec.json.encode({"error": error.kind, "message": error.message, "details": error.details})
    headers = {}
    wait_s = error.details.get("retry_after_s")
    if isinstance(wait_s, int | float):
        status, headers["Retry-After"] = 429, str(max(1, math.ceil(wait_s)))
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return Response(body, status_code=status, media_type="application/json", headers=headers)


def iso(at: float) -> str:
    """Return a time as ISO 8601 in UTC, to the millisecond."""
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")


def answer_errors(app: FastAPI) -> None:
    """Let every error of an application end in the contract's shape."""

    async def told(call: Request | WebSocket, error: GexdeskError) -> Response:
        answer = refusal(error)
        if isinstance(call, WebSocket):  # it is none yet: what its route depends on refuses it before it is accepted
            await call.send_denial_response(answer)
        return answer

    async def house(call: Request | WebSocket, error: Exception) -> Response:
        if not isinstance(error, GexdeskError):
            raise TypeError(f"registered for GexdeskError, called with {type(error).__name__}")
        return await told(call, error)

    async def invalid(call: Request | WebSocket, error: Exception) -> Response:
        found = error.errors() if isinstance(error, RequestValidationError | WebSocketRequestValidationError) else []
        where = ".".join(str(part) for part in found[0]["loc"]) if found else "request"
        why = found[0]["msg"] if found else "cannot be read"
        return await told(call, BadRequest(f"{where}: {why}"))

    async def http(_request: Request, error: Exception) -> Response:
        status = error.status_code if isinstance(error, HTTPException) else 500
        words = {404: "no such path", 405: "that path does not take this method"}.get(status, "refused")
        body = msgspec.json.encode({"error": "http_error", "message": words, "details": {}})
        headers = error.headers if isinstance(error, HTTPException) else None
        return Response(body, status_code=status, media_type="application/json", headers=headers)

    async def fault(_request: Request, error: Exception) -> Response:
        # What broke is in the engine's log; a caller learns that it was not the request's fault, and nothing of the inside.
        words = f"a fault of the desk: {type(error).__name__}"
        body = msgspec.json.encode({"error": "desk_fault", "message": words, "details": {}})
        return Response(body, status_code=500, media_type="application/json")

    app.add_exception_handler(GexdeskError, house)
    app.add_exception_handler(RequestValidationError, invalid)
    app.add_exception_handler(WebSocketRequestValidationError, invalid)
    app.add_exception_handler(HTTPException, http)
    app.add_exception_handler(Exception, fault)
