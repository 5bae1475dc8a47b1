"""A real HTTP server on the loopback that answers what a test wrote down, faults included."""

import asyncio
import ssl
from collections.abc import Awaitable, Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from threading import Thread
from types import TracebackType
from urllib.parse import parse_qsl, urlsplit


@dataclass(frozen=True)
class Answer:
    """One answer.

    Attributes:
        headers: Sent as they are; Content-Length is added where neither it nor chunking is asked for.
        delay_s: Before the first byte.
        cut_after: Body bytes after which the connection is dropped.
        drip_s: Between single body bytes.
        chunk_bytes: Send the body chunked, in pieces of this size.
        script: Writes the answer itself, whatever it is; the connection is dropped after it.
    """

    status: int = 200
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    delay_s: float = 0.0
    cut_after: int | None = None
    drip_s: float = 0.0
    chunk_bytes: int = 0
    script: Callable[[asyncio.StreamWriter], Awaitable[None]] | None = None


@dataclass(frozen=True)
class Request:
    """What a client asked; header names in lower case."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]


class FeedServer:
    """Answer the requests in turn with ``answers``; the last one is repeated for ever.

    Attributes:
        answers: May be changed at any time; the first is taken away with each request while another one follows.
        requests: All that came, in order.
        connections: How many were made.
    """

    def __init__(self, *answers: Answer, tls: ssl.SSLContext | None = None) -> None:
        self.answers = list(answers)
        self.requests: list[Request] = []
        self.connections = 0
        self._tls = tls
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def url(self) -> str:
        """Return the address without path."""
        assert self._server is not None
        port = self._server.sockets[0].getsockname()[1]
        return f"{'https' if self._tls else 'http'}://127.0.0.1:{port}"

    async def __aenter__(self) -> "FeedServer":
        """Listen on a free port."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0, ssl=self._tls)
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        """Drop every connection."""
        assert self._server is not None
        self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        await self._server.wait_closed()

    def answer_to(self, request: Request) -> Answer:
        """Return the next answer, whatever was asked for."""
        return self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        task = asyncio.current_task()
        assert task is not None
        self._open.add(task)
        try:
            while request := await _request(reader):
                self.requests.append(request)
                if not await _send(writer, self.answer_to(request)):
                    break
        except (ConnectionError, asyncio.CancelledError):
            pass
        finally:
            self._open.discard(task)
            writer.transport.abort()


async def _request(reader: asyncio.StreamReader) -> Request | None:
    try:
        head = await reader.readuntil(b"\r\n\r\n")
    except asyncio.IncompleteReadError:
        return None
    first, *lines = head.decode("latin-1").split("\r\n")
    method, target, _ = first.split(" ")
    pairs = (line.split(": ", 1) for line in lines if line)
    parts = urlsplit(target)
    return Request(method, parts.path, dict(parse_qsl(parts.query)), {name.lower(): value for name, value in pairs})


async def _send(writer: asyncio.StreamWriter, answer: Answer) -> bool:
    """Send an answer; False where the connection is to be dropped."""
    await asyncio.sleep(answer.delay_s)
    if answer.script is not None:
        await answer.script(writer)
        return False
    headers = dict(answer.headers)
    names = {name.lower() for name in headers}
    if answer.chunk_bytes:
        headers["Transfer-Encoding"] = "chunked"
    elif "content-length" not in names and answer.status not in (204, 304):
        headers["Content-Length"] = str(len(answer.body))
    head = "".join(f"{name}: {value}\r\n" for name, value in headers.items())
    writer.write(f"HTTP/1.1 {answer.status} As Written\r\n{head}\r\n".encode("latin-1"))
    body = answer.body if answer.cut_after is None else answer.body[: answer.cut_after]
    if answer.drip_s:
        for byte in body:
            writer.write(bytes([byte]))
            await writer.drain()
            await asyncio.sleep(answer.drip_s)
    elif answer.chunk_bytes:
        for start in range(0, len(body), answer.chunk_bytes):
            piece = body[start : start + answer.chunk_bytes]
            writer.write(f"{len(piece):x}\r\n".encode() + piece + b"\r\n")
            await writer.drain()
        if answer.cut_after is None:
            writer.write(b"0\r\n\r\n")
    else:
        writer.write(body)
    await writer.drain()
    if answer.cut_after is not None:
        writer.close()
        return False
    return True


@contextmanager
def in_a_thread(server: FeedServer) -> Iterator[FeedServer]:
    """Run a server on a loop of its own, for a test that waits for programs and not for a loop."""
    loop = asyncio.new_event_loop()
    thread = Thread(target=loop.run_forever)
    thread.start()
    asyncio.run_coroutine_threadsafe(server.__aenter__(), loop).result(10)
    yield server
    asyncio.run_coroutine_threadsafe(server.__aexit__(None, None, None), loop).result(10)
    loop.call_soon_threadsafe(loop.stop)
    thread.join()
    loop.close()
