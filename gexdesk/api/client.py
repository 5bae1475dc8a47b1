"""A ``Desk`` over the unix socket: what screens and verbs hold of an engine in another process."""

import asyncio
import time
from collections.abc import AsyncIterator
from pathlib import Path

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.asyncio.client import connect as websocket
from websockets.exceptions import WebSocketException

from gexdesk.api.door import connect, short_path
from gexdesk.model.errors import EngineAway, GexdeskError, LeverRefused, StoreError, UnknownTarget
from gexdesk.model.lever import Lever, LeverOutcome
from gexdesk.model.look import Look, Seen
from gexdesk.model.view import DeskView

_PREFIX = "/api/v1"
_ERRORS: dict[str, type[GexdeskError]] = {kind("").kind: kind for kind in (LeverRefused, UnknownTarget, StoreError, EngineAway)}
LEVER_LIMIT_S = 4.0
"""How long a lever may take; after that the engine refuses it."""

_VIEW = msgspec.json.Decoder(DeskView)
_OUTCOME = msgspec.json.Decoder(LeverOutcome)


class _Trouble(msgspec.Struct):
    error: str
    message: str
    details: dict[str, object] = {}


class _Newest:
    """Hold the newest message of a stream: a newer one replaces it, so that a slow reader never falls behind."""

    def __init__(self) -> None:
        self._message: bytes | str | None = None
        self._ended = False
        self._changed = asyncio.Event()

    async def follow(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                self._message = message
                self._changed.set()
        except WebSocketException:
            pass  # cut off; to a reader that is an end like any other
        finally:
            self._ended = True
            self._changed.set()

    async def take(self) -> bytes | str | None:
        """Return the newest message not yet taken, when there is one; None at the end."""
        while self._message is None and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        message, self._message = self._message, None
        return message


class Client:
    """Observe and control the engine of a state folder.

    Every call connects anew, so that an engine which was restarted meanwhile simply answers.
    """

    def __init__(self, state: Path, timeout_s: float = 10.0) -> None:
        self._state = state
        self._timeout_s = timeout_s

    async def view(self) -> DeskView:
        """Return the newest picture. Raises EngineAway."""
        return _VIEW.decode(await self._call("GET", f"{_PREFIX}/view"))

    async def views(self) -> AsyncIterator[DeskView]:
        """Yield the newest picture each time. Raises EngineAway when the engine is not there or goes away."""
        try:
            line = await asyncio.to_thread(connect, self._state)
            line.setblocking(False)
            async with websocket(
                f"ws://gexdesk{_PREFIX}/ingest/status", sock=line, compression=None, max_size=16 * 1024 * 1024, proxy=None,
                ping_interval=None,
            ) as socket:  # fmt: skip
                newest = _Newest()
                following = asyncio.create_task(newest.follow(socket))
                try:
                    while (message := await newest.take()) is not None:
                        yield _VIEW.decode(message)
                finally:
                    following.cancel()
        except (OSError, WebSocketException, msgspec.DecodeError) as error:
            raise EngineAway(f"no engine answers in {self._state} ({error})") from error
        raise EngineAway("the engine ended")

    async def look(self, question: Look[Seen]) -> Seen:
        """Ask what the picture does not hold; errors as in ``Observe.look``."""
        answer = await self._call("POST", f"{_PREFIX}/look", msgspec.json.encode(question))
        seen: Seen = msgspec.json.decode(answer, type=question.answer)
        return seen

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Send a lever; errors as in ``Control.pull``."""
        # An engine that hangs must not do it later, when we have said that it was not done.
        lever = msgspec.structs.replace(lever, not_after=time.time() + LEVER_LIMIT_S)
        return _OUTCOME.decode(await self._call("POST", f"{_PREFIX}/levers", msgspec.json.encode(lever), LEVER_LIMIT_S))

    async def stop(self) -> None:
        """Ask the engine to end."""
        await self._call("POST", f"{_PREFIX}/stop")

    async def copy_metadata(self) -> Path:
        """Let the engine write a consistent copy of its metadata; whoever asked removes it. Raises EngineAway, StoreError."""
        answer = await self._call("POST", f"{_PREFIX}/metadata/copy")
        return Path(msgspec.json.decode(answer, type=dict[str, str])["path"])

    async def _call(self, method: str, path: str, body: bytes = b"", timeout_s: float | None = None) -> bytes:
        import httpx2

        try:
            with short_path(self._state) as socket_path:
                transport = httpx2.AsyncHTTPTransport(uds=socket_path)
                async with httpx2.AsyncClient(transport=transport, timeout=timeout_s or self._timeout_s, trust_env=False) as client:
                    answer = await client.request(method, f"http://gexdesk{path}", content=body)
        except (httpx2.HTTPError, OSError) as error:
            raise EngineAway(f"no engine answers in {self._state} ({type(error).__name__})") from error
        if answer.is_success:
            return answer.content
        try:
            trouble = msgspec.json.decode(answer.content, type=_Trouble)
        except msgspec.DecodeError:
            raise EngineAway(f"the engine answered {answer.status_code} without saying why") from None
        raise _ERRORS.get(trouble.error, GexdeskError)(trouble.message, **trouble.details)
