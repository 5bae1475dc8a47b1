"""What a screen needs of an engine elsewhere: pictures, questions, levers, and its end."""

from typing import Any, get_args
from urllib.parse import quote

import msgspec
from fastapi import APIRouter, Request, Response, WebSocket
from msgspec import Struct
from msgspec.structs import replace
from starlette.websockets import WebSocketDisconnect

from gexdesk.api.answers import as_json, refusal
from gexdesk.api.body import body_of
from gexdesk.api.describe import GUARDED, described
from gexdesk.api.guard import Guard, Visitor
from gexdesk.api.keys import Scope
from gexdesk.api.line import KNOWN_AS
from gexdesk.api.refusals import BadRequest
from gexdesk.api.served import Served
from gexdesk.model.errors import GexdeskError
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look.base import Look
from gexdesk.model.look.every import AnyLook
from gexdesk.model.look.record import AuditLook
from gexdesk.model.view.desk import DeskView, Moment

POLICY_VIOLATION = 1008
GOING_AWAY = 1001
ENDED = "the key that was shown has ended or was revoked"
MOMENT_EACH_S = 0.4
"""How often a screen hears at least that the engine is there: at every second picture."""

ANSWERS: tuple[Any, ...] = tuple(question.answer for question in get_args(AnyLook))
"""What a look may answer, in the order of the questions."""

ASKED_BY: dict[type[Look[Any]], Scope] = {AuditLook: Scope.OPERATE}
"""What a question needs other than ``read``: the same as the route that gives the same."""


class StatusShape(Struct, frozen=True):
    """Say in a word how it stands: ``ok`` or ``stopping``."""

    status: str


class CopyShape(Struct, frozen=True):
    """Name where a copy lies."""

    path: str


def desk(engine: Served, guard: Guard) -> APIRouter:
    """Return the routes."""
    router = APIRouter(tags=["desk"])

    @router.get("/view", **described(DeskView, says="The newest picture of the desk"))
    async def view(request: Request) -> Response:
        """Return the newest picture of the desk; the header says as whom the caller is known, percent-encoded."""
        visitor = guard.allowed(request, Scope.READ)
        answer = as_json(_as_seen_by(visitor, await engine.view()))
        answer.headers[KNOWN_AS] = quote(visitor.name)
        return answer

    @router.websocket("/views")
    async def views(socket: WebSocket, moments: bool = False) -> None:
        """Send pictures as they are taken; a slow reader misses some.

        A reader that asks for ``moments`` is sent the time alone, as text, where nothing else changed since the last picture.
        """
        visitor = await let_in(socket, guard)
        if visitor is None:
            return
        try:
            sent = _as_seen_by(visitor, await engine.view())
            told_at = sent.taken_at
            await socket.send_bytes(msgspec.json.encode(sent))
            async for newest in engine.views():
                picture = _as_seen_by(visitor, newest)
                if not guard.still_in(visitor):
                    await socket.close(code=POLICY_VIOLATION, reason=ENDED)
                    return
                moment = Moment(picture.sequence, picture.taken_at)
                if moments and moment.of(sent) == picture:
                    if picture.taken_at - told_at >= MOMENT_EACH_S:
                        told_at = picture.taken_at
                        await socket.send_text(msgspec.json.encode(moment).decode())
                    continue
                sent, told_at = picture, picture.taken_at
                await socket.send_bytes(msgspec.json.encode(picture))
            await socket.close(code=GOING_AWAY, reason="the engine is stopping")
        except (WebSocketDisconnect, RuntimeError):
            return  # the reader went away, which is its right

    @router.post("/look", **described(ANSWERS, takes=AnyLook, refusals=(*GUARDED, 404), says="The answer to the question"))
    async def look(request: Request) -> Response:
        """Answer what the picture does not hold. The audit needs the scope operate, every other question read."""
        visitor = guard.visitor(request)
        try:
            with guard.reading(visitor):
                question: Look[Any] = await body_of(request, AnyLook)
        except BadRequest:
            guard.covers(visitor, Scope.READ)  # what is wrong with a question hears who may ask one
            raise
        guard.covers(visitor, ASKED_BY.get(type(question), Scope.READ), changes=False)
        seen = await engine.look(question)
        return as_json(seen)

    @router.post(
        "/levers",
        **described(LeverOutcome, takes=Lever, refusals=(*GUARDED, 404, 409), says="What it did, or would do"),
    )
    async def levers(request: Request) -> Response:
        """Do what an operator asks; who asks is who the kernel or the key says."""
        visitor = guard.allowed(request, Scope.OPERATE)
        with guard.reading(visitor):
            lever = await body_of(request, Lever)
        return as_json(await engine.pull(replace(lever, actor=visitor.name)))

    @router.post("/metadata/copy", **described(CopyShape, says="Where the copy lies"))
    async def copy_metadata(request: Request) -> Response:
        """Write a consistent copy of the metadata into the state folder and name it; whoever asked removes it."""
        guard.allowed(request, Scope.ADMIN, changes=False)
        return as_json(CopyShape(str(await engine.copy_metadata())))

    @router.post("/stop", **described(StatusShape, says="It finishes what it holds and ends"))
    async def stop(request: Request) -> Response:
        """Ask the engine to finish what it holds and end."""
        guard.allowed(request, Scope.ADMIN)
        await engine.stop()
        return as_json(StatusShape("stopping"))

    return router


def _as_seen_by(visitor: Visitor, picture: DeskView) -> DeskView:
    """Tell who may only read that nothing can be changed from there, before a lever is asked for."""
    return picture if Scope.OPERATE in visitor.scopes else replace(picture, read_only=True)


async def let_in(socket: WebSocket, guard: Guard) -> Visitor | None:
    """Accept a reader's socket and say who it is, or refuse it in the one shape, before it is one."""
    try:
        visitor = guard.allowed(socket, Scope.READ)
    except GexdeskError as error:
        await socket.send_denial_response(refusal(error))
        return None
    await socket.accept()
    return visitor
