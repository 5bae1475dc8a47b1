"""A ``Desk`` over the unix socket or TCP: what screens, verbs and scripts hold of an engine in another process."""

import asyncio
import ssl
import time
from collections.abc import AsyncIterator
from pathlib import Path
from urllib.parse import quote, unquote

import msgspec
from websockets.asyncio.client import ClientConnection
from websockets.exceptions import InvalidStatus, WebSocketException

from gexdesk.api import refusals
from gexdesk.api.line import KNOWN_AS, Line, SocketLine, TcpLine
from gexdesk.model.errors import KINDS, EngineAway, GexdeskError
from gexdesk.model.lever import LEVER_LIMIT_S, Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.request import Accepted, RequestStands, Submission
from gexdesk.model.text import printable
from gexdesk.model.view.desk import DeskView, Moment

_PREFIX = "/api/v1"
_POLICY_VIOLATION = 1008
_ERRORS = KINDS | {
    kind("").kind: kind for kind in vars(refusals).values() if isinstance(kind, type) and issubclass(kind, GexdeskError)
}

_VIEW = msgspec.json.Decoder(DeskView)
_MOMENT = msgspec.json.Decoder(Moment)
_OUTCOME = msgspec.json.Decoder(LeverOutcome)


class _Trouble(msgspec.Struct):
    error: str
    message: str
    details: dict[str, object] = {}


class _Ready(msgspec.Struct):
    taken_at: float


class _Newest:
    """Hold the newest picture of a stream: a newer one replaces it, so that a slow reader never falls behind."""

    def __init__(self) -> None:
        self._picture: bytes | None = None
        self._moment: str | None = None
        self._view: DeskView | None = None
        self._ended = False
        self._changed = asyncio.Event()

    async def follow(self, socket: ClientConnection) -> None:
        try:
            async for message in socket:
                if isinstance(message, str):
                    self._moment = message  # of the last picture, whether or not that was taken yet
                else:
                    self._picture, self._moment = message, None
                self._changed.set()
        except WebSocketException:
            pass  # cut off; to a reader that is an end like any other
        finally:
            self._ended = True
            self._changed.set()

    async def take(self) -> DeskView | None:
        """Return the newest picture not yet taken, when there is one; None at the end. Raises DecodeError."""
        while self._picture is None and self._moment is None and not self._ended:
            self._changed.clear()
            await self._changed.wait()
        if self._picture is None and self._moment is None:
            return None
        (picture, self._picture), (moment, self._moment) = (self._picture, None), (self._moment, None)
        if picture is not None:
            self._view = _VIEW.decode(picture)
        if moment is not None and self._view is not None:
            self._view = _MOMENT.decode(moment).of(self._view)
        return self._view


class Client:
    """Observe and control one engine: that of a state folder over its socket, or one elsewhere over TCP.

    Every call connects anew, so that an engine which was restarted meanwhile simply answers.

    Args:
        at: The state folder, or ``http://host:port`` of an engine that listens there.
        key: What the engine's owner made with ``gexdesk key create``; over TCP it is needed.
        operator: Who sits here, where several share one login.
        timeout_s: For one call.

    Attributes:
        known_as: Who we are to the engine, as its audit names us; empty before the first ``view``.
    """

    def __init__(self, at: Path | str, *, key: str | None = None, operator: str = "", timeout_s: float = 10.0) -> None:
        self._line: Line = SocketLine(at) if isinstance(at, Path) else TcpLine(at)
        self._headers = {} if key is None else {"X-API-Key": key}
        if operator:
            self._headers["X-Operator"] = operator
        self._timeout_s = timeout_s
        self.known_as = ""

    async def view(self) -> DeskView:
        """Return the newest picture, and learn as whom the engine knows us. Raises EngineAway."""
        return _VIEW.decode(await self._call("GET", "/view"))

    async def views(self) -> AsyncIterator[DeskView]:
        """Yield the newest picture each time. Raises EngineAway when the engine is not there or goes away."""
        try:
            async with self._line.websocket(f"{_PREFIX}/views?moments=true", self._headers) as socket:
                newest = _Newest()
                following = asyncio.create_task(newest.follow(socket))
                try:
                    while (view := await newest.take()) is not None:
                        yield view
                finally:
                    following.cancel()
                if socket.close_code == _POLICY_VIOLATION:
                    why = printable(socket.close_reason or "")
                    raise EngineAway(f"the engine {self._line.name} lets nobody in any more: {why}")
        except InvalidStatus as refused:
            raise EngineAway(f"the engine {self._line.name} lets nobody in: {_trouble(refused.response.body).message}") from None
        except (OSError, WebSocketException, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise self._away(error) from error
        raise EngineAway("the engine ended")

    async def look(self, question: Look[Seen]) -> Seen:
        """Ask what the picture does not hold; errors as in ``Observe.look``."""
        seen: Seen = msgspec.json.decode(await self._call("POST", "/look", msgspec.json.encode(question)), type=question.answer)
        return seen

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Send a lever; errors as in ``Control.pull``."""
        if lever.not_after is None:
            # An engine that hangs must not do it later, when we have said that it was not done.
            lever = msgspec.structs.replace(lever, not_after=await self._engine_time() + LEVER_LIMIT_S)
        return _OUTCOME.decode(await self._call("POST", "/levers", msgspec.json.encode(lever), LEVER_LIMIT_S))

    async def submit(self, asked: Submission) -> Accepted:
        """Ask for one document; it is durable when this returns. Raises what the engine refuses with, and EngineAway."""
        return msgspec.json.decode(await self._call("POST", "/ingest/priority", msgspec.json.encode(asked)), type=Accepted)

    async def request(self, request_id: str) -> RequestStands:
        """Return how a request stands. Raises UnknownTarget, EngineAway."""
        return msgspec.json.decode(await self._call("GET", f"/ingest/priority/{quote(request_id, safe='')}"), type=RequestStands)

    async def stop(self) -> None:
        """Ask the engine to end."""
        await self._call("POST", "/stop")

    async def copy_metadata(self) -> Path:
        """Let the engine write a consistent copy of its metadata; whoever asked removes it. Raises EngineAway, StoreError."""
        return Path(msgspec.json.decode(await self._call("POST", "/metadata/copy"), type=dict[str, str])["path"])

    async def _engine_time(self) -> float:
        """Tell the time by the engine's clock, late by what its newest picture is old. Raises EngineAway."""
        if isinstance(self._line, SocketLine):
            return time.time()  # the same host, the same clock
        # Asked for each lever: what was learnt before is wrong once a clock is set or this host slept. No key is needed for it.
        return msgspec.json.decode(await self._call("GET", "/readyz", timeout_s=LEVER_LIMIT_S, prefix=""), type=_Ready).taken_at

    async def _call(
        self, method: str, path: str, body: bytes = b"", timeout_s: float | None = None, prefix: str = _PREFIX
    ) -> bytes:
        import httpx2

        try:
            async with self._line.http(timeout_s or self._timeout_s) as client:
                answer = await client.request(method, f"{prefix}{path}", content=body, headers=self._headers)
        except (httpx2.HTTPError, OSError) as error:
            raise self._away(error) from error
        if answer.is_success:
            self.known_as = unquote(answer.headers.get(KNOWN_AS, "")) or self.known_as
            return answer.content
        raise _trouble(answer.content)

    def _away(self, error: BaseException) -> EngineAway:
        """Say why nobody answers, and what to do; the class of an error says nothing to anybody."""
        causes = [error]
        while (cause := causes[-1].__cause__ or causes[-1].__context__) is not None and cause not in causes:
            causes.append(cause)
        where = self._line.name
        if any(isinstance(one, PermissionError) for one in causes):
            words = "its socket is for its user alone, and for the group that `socket_group` in its configuration names"
            return EngineAway(f"no engine answers {where} to you: {words}")
        if any(isinstance(one, TimeoutError) or type(one).__name__.endswith("Timeout") for one in causes):
            return EngineAway(f"no engine answers {where} in time: one is there that is busy or hangs; its log says more")
        refused = next((one for one in causes if isinstance(one, ssl.SSLError)), None)
        if refused is not None:
            why = printable(getattr(refused, "verify_message", "") or refused.reason or "", 100)
            return EngineAway(f"no engine answers {where} over TLS ({why}): write http:// where no proxy ends TLS before it")
        return EngineAway(f"no engine answers {where}: {self._line.to_start}")


def _trouble(body: bytes | bytearray | None) -> GexdeskError:
    """Return what the engine refused with."""
    try:
        trouble = msgspec.json.decode(body or b"", type=_Trouble)
    except (msgspec.DecodeError, UnicodeDecodeError):
        return EngineAway("whatever answers there is no engine: it does not say why it refuses")
    return _ERRORS.get(trouble.error, GexdeskError)(printable(trouble.message, 600), **trouble.details)
