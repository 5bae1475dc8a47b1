"""The live stream for other programs: the queue every second, and what happens to each job."""

import asyncio
from contextlib import aclosing

import msgspec
from fastapi import APIRouter, WebSocket
from starlette.websockets import WebSocketDisconnect

from gexdesk.api.answers import iso
from gexdesk.api.guard import Guard
from gexdesk.api.routes.desk import let_in
from gexdesk.api.routes.ingest import queue_of
from gexdesk.api.served import Served

EVERY_S = 1.0
WAITING = 1_000
"""Messages held for a reader; one that is slower is cut off, and comes back to the present."""


def stream(engine: Served, guard: Guard) -> APIRouter:
    """Return the route."""
    router = APIRouter(tags=["ingest"])

    @router.websocket("/ingest/status")
    async def status(socket: WebSocket) -> None:
        """Send ``queue_status`` once a second and ``processing_update`` as jobs move."""
        if not await let_in(socket, guard):
            return
        waiting: asyncio.Queue[bytes] = asyncio.Queue(WAITING)
        makers = [asyncio.create_task(_queue(engine, waiting)), asyncio.create_task(_updates(engine, waiting))]
        sender = asyncio.create_task(_send(socket, waiting))
        gone = asyncio.create_task(_gone(socket))
        try:
            await asyncio.wait([*makers, sender, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in (*makers, sender, gone):
                task.cancel()
            await asyncio.gather(*makers, sender, gone, return_exceptions=True)
        try:
            await socket.close(code=1001, reason="the engine is stopping, or this reader is too slow")
        except (WebSocketDisconnect, RuntimeError):
            return  # the reader went away, which is its right

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


async def _gone(socket: WebSocket) -> None:
    while (await socket.receive())["type"] != "websocket.disconnect":
        pass
