"""The live stream for other programs: the queue every second, and what happens to each job."""

import asyncio
from collections.abc import Sequence
from contextlib import aclosing

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from gexdesk.api.answers import iso
from gexdesk.api.guard import Guard, Visitor
from gexdesk.api.routes.desk import ENDED, GOING_AWAY, POLICY_VIOLATION, let_in
from gexdesk.api.routes.ingest import queue_of
from gexdesk.api.served import Served

EVERY_S = 1.0
CLOSE_S = 1.0
WAITING = 1_000
"""Messages held for a reader; one that is slower is cut off, and comes back to the present."""


def stream(engine: Served, guard: Guard) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["ingest"])

    @router.websocket("/ingest/status")
    async def status(socket: WebSocket) -> None:
        """Send ``queue_status`` once a second and ``processing_update`` as jobs move."""
        visitor = await let_in(socket, guard)
        if visitor is None:
            return
        waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        parts = [_queue(engine, waiting), _updates(engine, waiting), _send(socket, waiting), _gone(socket), _ended(guard, visitor)]
        tasks = [asyncio.create_task(part) for part in parts]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        code, why = _farewell(tasks)
        try:
            async with asyncio.timeout(CLOSE_S):
                await socket.close(code=code, reason=why)
        except (WebSocketDisconnect, RuntimeError, TimeoutError):
            return  # the reader went away, which is its right, or takes nothing any more

    return router


async def _queue(engine: Served, waiting: "asyncio.Queue[bytes]") -> None:
    while True:
        view = await engine.view()
        fields = msgspec.to_builtins(queue_of(view))
        waiting.put_nowait(msgspec.json.encode({"type": "queue_status", "at": iso(view.taken_at)} | fields))
        await asyncio.sleep(EVERY_S)


async def _updates(engine: Served, waiting: "asyncio.Queue[bytes]") -> None:
    async with aclosing(engine.updates()) as events:  # type: ignore[type-var]
        async for event in events:
            waiting.put_nowait(msgspec.json.encode({"type": "processing_update"} | msgspec.to_builtins(event)))


async def _send(socket: WebSocket, waiting: "asyncio.Queue[bytes]") -> None:
    while True:
        await socket.send_text((await waiting.get()).decode())


async def _ended(guard: Guard, visitor: Visitor) -> None:
    while guard.still_in(visitor):  # noqa: ASYNC110 - another process revokes keys
        await asyncio.sleep(EVERY_S)


def _farewell(tasks: Sequence[asyncio.Task[None]]) -> tuple[int, str]:
    """Return close code and reason by who ended first."""
    making, ended = tasks[:2], tasks[-1]
    if any(not task.cancelled() and isinstance(task.exception(), asyncio.QueueFull) for task in making):
        return POLICY_VIOLATION, f"this reader is more than {WAITING} messages behind"
    if not ended.cancelled():
        return POLICY_VIOLATION, ENDED
    return GOING_AWAY, "the engine is stopping"


async def _gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
