"""What servers do wrong on the wire, one by one: named, bounded in time and memory, and never the end of the source."""

import asyncio
import gzip
import os
import socket
import ssl
import struct
import tracemalloc
import zlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from functools import partial
from pathlib import Path

import pytest
import zstandard

from gexdesk.model.clock import SystemClock
from gexdesk.sources import tls
from gexdesk.sources import websocket as websocket_module
from gexdesk.sources.base import Connected, Failed, Fetched, Missed, OutOfOrder, Unchanged
from gexdesk.sources.encoding import Expander
from gexdesk.sources.http import Http
from gexdesk.sources.pace import Pace
from gexdesk.sources.websocket import WebSocket
from tests.contracts.source_contract import Desk, run_until
from tests.feed_server import Answer, FeedServer
from tests.running_clock import RunningClock

BODY = b'{"strike": 5000.0}' * 500
GOOD = Answer(body=b"good again")
BOMB = gzip.compress(b"\0" * 100_000_000)
NESTED = gzip.compress(gzip.compress(b"\0" * 10_000_000))
ZSTD_BOMB = zstandard.compress(b"\0" * 100_000_000)
CAP = 8 << 20
MEMORY = 48 << 20


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


@contextmanager
def bounded_memory() -> Iterator[None]:
    tracemalloc.start()
    try:
        yield
        assert tracemalloc.get_traced_memory()[1] < MEMORY
    finally:
        tracemalloc.stop()


def packed(body: bytes, encoding: str) -> Answer:
    return Answer(body=body, headers={"Content-Encoding": encoding})


def bare_deflate(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-zlib.MAX_WBITS)
    return packer.compress(body) + packer.flush()


def raw(*pieces: bytes, reset: bool = False) -> Answer:
    async def script(writer: asyncio.StreamWriter) -> None:
        for piece in pieces:
            writer.write(piece)
            await writer.drain()
        if reset:
            raw_socket = writer.get_extra_info("socket")
            raw_socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
            await asyncio.sleep(0.02)
            return
        writer.close()
        await writer.wait_closed()

    return Answer(script=script)


def forever(head: bytes, piece: bytes) -> Answer:
    async def script(writer: asyncio.StreamWriter) -> None:
        writer.write(head)
        while True:
            writer.write(piece)
            await writer.drain()

    return Answer(script=script)


async def fetch(*answers: Answer, outcomes: int | None = None, tls: ssl.SSLContext | None = None, **options) -> Desk:
    desk = Desk(_NoRig())
    given = {"pace": Pace(15.0), "timeout_s": 2.0, "cap_bytes": CAP, "clock": RunningClock(), "jitter": lambda: 0.0} | options
    async with FeedServer(*answers, tls=tls) as server:
        url = given.pop("url", "{server}/q").format(server=server.url, port=server.url.rpartition(":")[2])
        source = Http("spx", url, **given)
        await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.outcomes) >= (outcomes or len(answers)))
    return desk


OK = b"HTTP/1.1 200 OK\r\n"
REFUSED = {
    "gzip 1028:1 bomb": (packed(BOMB, "gzip"), "the body expands to more than 100 times its size"),
    "gzip in gzip": (packed(NESTED, "gzip, gzip"), "the answer came in content encoding 'gzip, gzip'"),
    "zstd 32573:1 bomb": (
        packed(ZSTD_BOMB, "zstd"), ("the body expands to more than 100", "the body is larger than 8,388,608"),
    ),
    "br bomb": (packed(b"\x0b\x80" * 50, "br"), "the answer came in content encoding 'br'"),
    "gzip claimed, body plain": (packed(BODY, "gzip"), "the body is not the gzip it claims"),
    "gzip ten times": (packed(BODY, ",".join(["gzip"] * 10)), "the answer came in content encoding 'gzip,gzip,"),
    "gzip cut off": (packed(gzip.compress(BODY)[:-9], "gzip"), "the compressed body was cut off"),
    "gzip with a wrong checksum": (packed(gzip.compress(BODY)[:-8] + bytes(8), "gzip"), "the body is not the gzip it claims"),
    "gzip with garbage behind": (packed(gzip.compress(BODY) + b"garbage", "gzip"), "the body is not the gzip it claims"),
    "deflate cut off": (packed(zlib.compress(BODY)[:-5], "deflate"), "the compressed body was cut off"),
    "deflate with garbage behind": (packed(zlib.compress(BODY) + b"x", "deflate"), "the body is not the deflate it claims"),
    "deflate bomb": (packed(zlib.compress(b"\0" * 100_000_000), "deflate"), "the body expands to more than 100 times"),
    "longer than it says": (Answer(body=b"x" * 50, headers={"Content-Length": "99"}, cut_after=50), "broken answer"),
    "chunks without an end": (Answer(body=BODY, chunk_bytes=100, cut_after=500), "broken answer"),
    "a chunk of 2^64-1": (
        raw(OK + b"Transfer-Encoding: chunked\r\n\r\nffffffffffffffff\r\n", BODY), ("broken answer", "timed out"),
    ),
    "one byte now and then": (Answer(body=BODY, drip_s=0.05), "timed out after 2 s"),
    "headers of 1 MB": (raw(OK + b"X-Long: " + b"x" * 1_000_000 + b"\r\nContent-Length: 1\r\n\r\n1"), "broken answer"),
    "10,000 headers": (
        raw(OK, *(b"X-Header-%d: some value\r\n" % n for n in range(10_000)), b"Content-Length: 1\r\n\r\n1"),
        "broken answer",
    ),
    "endless": (forever(OK + b"\r\n", b"x" * 65_536), "the body is larger than 8,388,608 bytes"),
    "200 and nothing": (Answer(), "200 OK with an empty body"),
    "304 with a body": (raw(b"HTTP/1.1 304 Not Modified\r\n\r\n" + BODY), "304 Not Modified, although"),
    "301 to itself": (Answer(status=301, headers={"Location": "/q"}), "301 Moved Permanently: redirects are not followed"),
    "302 to the host's own secrets": (
        Answer(status=302, headers={"Location": "http://169.254.169.254/"}), "302 Found: redirects are not followed",
    ),
    "302 to a file": (Answer(status=302, headers={"Location": "file:///etc/passwd"}), "302 Found: redirects are not followed"),
    "401": (Answer(status=401), "401 Unauthorized: the server wants a key"),
    "403": (Answer(status=403), "403 Forbidden: the server wants a key"),
    "429 for three years": (Answer(status=429, headers={"Retry-After": "99999999"}), "429 Too Many Requests: the server asks"),
    "500": (Answer(status=500), "500 Internal Server Error"),
    "reset in the middle": (
        raw(OK + b"Content-Length: 99\r\n\r\n12345", reset=True), ("connection reset", "broken answer", "ReadError"),
    ),
    "no HTTP at all": (raw(b"SSH-2.0-OpenSSH_9.2\r\n"), "broken answer"),
}  # fmt: skip


@pytest.mark.parametrize("name", REFUSED)
async def test_is_named_and_the_next_answer_is_taken(name: str) -> None:
    answer, words = REFUSED[name]
    with bounded_memory():
        desk = await fetch(answer, GOOD)
    assert isinstance(desk.outcomes[0], Failed), desk.outcomes
    assert desk.failures[0].startswith(words), desk.failures
    assert desk.failures[0].isprintable()
    assert desk.bodies[0] == b"good again"


@pytest.mark.parametrize(
    "answer",
    [
        packed(zlib.compress(BODY), "deflate"),
        packed(bare_deflate(BODY), "deflate"),
        packed(gzip.compress(BODY[:999]) + gzip.compress(BODY[999:]), "gzip"),
    ],
    ids=["deflate in zlib's format", "deflate bare", "gzip of two members"],
)
@pytest.mark.parametrize("chunk_bytes", [0, 1, 100])
async def test_what_is_merely_unusual_is_taken(answer: Answer, chunk_bytes: int) -> None:
    answer = Answer(body=answer.body, headers=answer.headers, chunk_bytes=chunk_bytes)
    assert (await fetch(answer)).bodies[0] == BODY


async def test_a_long_deflate_body_without_a_checksum_comes_out_whole() -> None:
    body = os.urandom(3 << 20) + bytes(5 << 18)
    assert (await fetch(packed(bare_deflate(body), "deflate"))).bodies[0] == body


def test_a_deflate_body_whose_end_is_still_inside_when_its_input_is_used_up_comes_out_whole() -> None:
    for extra in range(0, 600, 7):
        body = bytes((1 << 20) + extra)
        expander = Expander("deflate", CAP)
        assert b"".join(expander.feed(bare_deflate(body))) == body
        expander.finish()


async def test_204_is_nothing_new() -> None:
    assert isinstance((await fetch(Answer(status=204))).outcomes[0], Unchanged)


async def test_bytes_behind_an_answer_are_never_taken_for_the_next_one() -> None:
    smuggled = b"HTTP/1.1 200 OK\r\nContent-Length: 8\r\n\r\nsmuggled"
    for first in (OK + b"Content-Length: 5\r\n\r\n12345", b"HTTP/1.1 304 Not Modified\r\n\r\n", b"HTTP/1.1 204 No Content\r\n\r\n"):
        desk = await fetch(raw(first + smuggled), GOOD, outcomes=3)
        assert b"smuggled" not in b"".join(desk.bodies)
        assert b"good again" in desk.bodies


async def test_a_login_page_comes_as_it_is_and_is_no_format() -> None:
    from gexdesk.formats.detect import decode
    from gexdesk.model.errors import PayloadError

    page = b"<!doctype html><html><body><form action=/login></form></body></html>"
    desk = await fetch(Answer(body=page, headers={"Content-Type": "text/html"}))
    assert desk.arrivals[0].content_type == "text/html"
    with pytest.raises(PayloadError):
        decode(desk.bodies[0])


async def test_a_server_that_flaps_is_asked_again_and_every_failure_counted() -> None:
    answers = [answer for n in range(4) for answer in (Answer(status=503), Answer(body=b"%d" % n))]
    desk = await fetch(*answers)
    assert desk.bodies[:4] == [b"0", b"1", b"2", b"3"]
    assert desk.failures == ["503 Service Unavailable"] * 4


@pytest.fixture
def trusted(monkeypatch: pytest.MonkeyPatch) -> Iterator[Callable[[str], ssl.SSLContext]]:
    """Let the client trust a certificate of this folder, and return a server's context with it."""

    def trust(name: str) -> ssl.SSLContext:
        path = Path(__file__).with_name(name)
        tls.trusted.cache_clear()
        monkeypatch.setenv("SSL_CERT_FILE", str(path))
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    yield trust
    tls.trusted.cache_clear()


async def test_a_trusted_certificate_is_taken_an_expired_or_another_hosts_is_not(trusted: Callable) -> None:
    assert (await fetch(GOOD, tls=trusted("loopback_cert.pem"))).bodies[0] == b"good again"
    for name, words in (("expired_cert.pem", "certificate has expired"), ("otherhost_cert.pem", "IP address mismatch")):
        desk = await fetch(GOOD, tls=trusted(name), outcomes=1)
        assert desk.failures[0].startswith("TLS certificate refused: ")
        assert words in desk.failures[0]
        assert desk.arrivals == []


async def test_https_does_not_become_http(trusted: Callable) -> None:
    async with FeedServer(GOOD) as plain:
        desk = await fetch(Answer(status=302, headers={"Location": f"{plain.url}/q"}), tls=trusted("loopback_cert.pem"))
        assert plain.requests == []
    assert desk.failures[0] == "302 Found: redirects are not followed; it leads to http://127.0.0.1: configure the final URL"


async def test_a_name_that_comes_to_mean_this_host_is_refused_by_its_certificate(
    trusted: Callable, monkeypatch: pytest.MonkeyPatch
) -> None:
    resolve = socket.getaddrinfo
    monkeypatch.setattr(socket, "getaddrinfo", lambda host, *a, **k: resolve("127.0.0.1", *a, **k))
    desk = await fetch(GOOD, tls=trusted("loopback_cert.pem"), url="https://feed.example:{port}/q")
    assert desk.failures[0].startswith("TLS certificate refused: Hostname mismatch")
    assert desk.arrivals == []


async def test_a_name_nobody_knows_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    def unknown(*_: object, **__: object) -> None:
        raise socket.gaierror(socket.EAI_NONAME, "Name or service not known")

    monkeypatch.setattr(socket, "getaddrinfo", unknown)
    desk = await fetch(GOOD, url="http://no-such-host.example/q")
    assert desk.failures[0] == "the host name cannot be resolved: Name or service not known"


@asynccontextmanager
async def raw_server(serve: Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]) -> AsyncIterator[int]:
    tasks: set[asyncio.Task] = set()

    async def served(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        tasks.add(task)
        try:
            await serve(reader, writer)
        except (ConnectionError, asyncio.IncompleteReadError, asyncio.CancelledError):
            pass
        finally:
            writer.transport.abort()

    server = await asyncio.start_server(served, "127.0.0.1", 0)
    yield server.sockets[0].getsockname()[1]
    server.close()
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_handshake_that_stalls_ends_at_the_deadline() -> None:
    async def stall(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(60)

    for kind in ("http", "websocket"):
        desk = Desk(_NoRig())
        async with raw_server(stall) as port:
            source = (
                Http("spx", f"https://127.0.0.1:{port}/", pace=Pace(15.0), clock=RunningClock(), timeout_s=0.3)
                if kind == "http"
                else WebSocket("spx", f"wss://127.0.0.1:{port}/", clock=RunningClock(), timeout_s=0.3)
            )
            await run_until(source.run(desk.deliver, desk.report), partial(bool, desk.outcomes), limit_s=3.0)
        assert desk.failures[0] == "timed out after 0.3 s"


def accept_of(request: bytes) -> bytes:
    from websockets.utils import accept_key

    lines = dict(line.split(": ", 1) for line in request.decode("latin-1").split("\r\n")[1:] if ": " in line)
    return accept_key({name.lower(): value for name, value in lines.items()}["sec-websocket-key"]).encode()


def frame(
    opcode: int, body: bytes, *, fin: bool = True, masked: bool = False, length: int | None = None, rsv1: bool = False
) -> bytes:
    size = len(body) if length is None else length
    head = bytes([(0x80 if fin else 0) | (0x40 if rsv1 else 0) | opcode])
    mask = 0x80 if masked else 0
    if size < 126:
        head += bytes([mask | size])
    elif size < 1 << 16:
        head += bytes([mask | 126]) + size.to_bytes(2, "big")
    else:
        head += bytes([mask | 127]) + size.to_bytes(8, "big")
    return head + (b"\0\0\0\0" if masked else b"") + body


async def hear(
    *connections: list[bytes], done: Callable[[Desk], bool], deflate: bool = False, never_ends: bool = False, **options
) -> Desk:
    """Serve raw frames, one list a connection, the last for ever; an empty list says nothing."""
    desk, left = Desk(_NoRig()), list(connections)

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        extension = b"Sec-WebSocket-Extensions: permessage-deflate\r\n" if deflate else b""
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" + extension
            + b"Sec-WebSocket-Accept: " + accept_of(request) + b"\r\n\r\n"
        )  # fmt: skip
        for piece in left.pop(0) if len(left) > 1 else left[0]:
            writer.write(piece)
            await writer.drain()
        while (chunk := await reader.read(1 << 16)) and (chunk[0] != 0x88 or never_ends):
            pass

    async with raw_server(serve) as port:
        given = {"clock": RunningClock(), "cap_bytes": CAP, "jitter": lambda: 0.0} | options
        source = WebSocket("push", f"ws://127.0.0.1:{port}/", **given)
        await run_until(source.run(desk.deliver, desk.report), lambda: done(desk))
    return desk


def deflated(body: bytes) -> bytes:
    packer = zlib.compressobj(wbits=-15)
    return (packer.compress(body) + packer.flush(zlib.Z_SYNC_FLUSH))[:-4]


WS_REFUSED = {
    "deflate bomb": ([frame(2, deflated(b"\0" * 60_000_000), rsv1=True)], "too large a message"),
    "a length of 2^63-1": ([frame(2, b"x", length=2**63 - 1)], "too large a message"),
    "a masked frame from a server": ([frame(2, b"x", masked=True)], "broken messages"),
    "fragments without an end": (
        [frame(2, b"x" * 500_000, fin=False), *[frame(0, b"x" * 500_000, fin=False)] * 20], "too large a message",
    ),
    "an unknown opcode": ([frame(5, b"x")], "broken messages"),
    "closed with 1000": ([frame(8, (1000).to_bytes(2, "big"))], "the server closed the connection: 1000"),
    "closed with 1001": ([frame(8, (1001).to_bytes(2, "big") + b"bye")], "the server closed the connection: 1001 bye"),
    "closed with 1012": ([frame(8, (1012).to_bytes(2, "big"))], "the server closed the connection: 1012"),
    "closed without a code": ([frame(8, b"")], "the server closed the connection"),
}  # fmt: skip


@pytest.mark.parametrize("name", WS_REFUSED)
async def test_a_broken_connection_is_named_and_made_again(name: str) -> None:
    frames, words = WS_REFUSED[name]
    good = [frame(2, b"good again")]
    with bounded_memory():
        desk = await hear(frames, good, done=lambda desk: bool(desk.arrivals), deflate="deflate" in name)
    assert desk.failures[0].startswith(words), desk.failures
    assert desk.bodies[0] == b"good again"


async def test_a_server_that_agrees_to_end_and_does_not_is_left(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(websocket_module, "CLOSE_S", 0.1)
    for frames in ([frame(8, (1000).to_bytes(2, "big"))], [frame(5, b"x")]):
        desk = await hear(frames, [frame(2, b"good")], done=lambda desk: bool(desk.arrivals), never_ends=True)
        assert len(desk.failures) >= 1
        assert desk.bodies[0] == b"good"


async def test_a_connection_that_just_ends_is_made_again() -> None:
    ended: list[int] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        request = await reader.readuntil(b"\r\n\r\n")
        writer.write(
            b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: websocket\r\nConnection: Upgrade\r\nSec-WebSocket-Accept: "
            + accept_of(request) + b"\r\n\r\n" + frame(2, b"%d" % len(ended))
        )  # fmt: skip
        await writer.drain()
        await asyncio.sleep(0.05)
        ended.append(1)

    desk = Desk(_NoRig())
    async with raw_server(hang_up) as port:
        source = WebSocket("push", f"ws://127.0.0.1:{port}/", clock=RunningClock())
        await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) >= 2)
    assert desk.bodies[:2] == [b"0", b"1"]
    assert desk.failures[0] == "the connection was lost"


async def test_text_that_is_no_utf8_comes_as_it_is_and_is_no_format() -> None:
    from gexdesk.formats.detect import decode
    from gexdesk.model.errors import PayloadError

    desk = await hear([frame(1, b'{"a": "\xff\xfe"}')], done=lambda desk: bool(desk.arrivals))
    assert desk.bodies[0] == b'{"a": "\xff\xfe"}'
    with pytest.raises(PayloadError):
        decode(desk.bodies[0])


async def test_a_flood_of_pings_hides_no_data() -> None:
    pings = frame(9, b"p" * 100) * 1000
    with bounded_memory():
        desk = await hear([pings] * 10 + [frame(2, b"data")], done=lambda desk: bool(desk.arrivals))
    assert desk.bodies == [b"data"]
    assert [type(o) for o in desk.outcomes][:2] == [Connected, Fetched], "it may hear of the end of the connection, but after it"


async def test_a_silent_connection_is_stale_within_two_intervals() -> None:
    loop = asyncio.get_running_loop()
    began = loop.time()
    desk = await hear([], done=lambda desk: bool(desk.failures), clock=SystemClock(), every_s=0.2)
    assert loop.time() - began < 1.0
    assert desk.failures[0].startswith("the connection stands, and brought no data for 0.4")
    assert [type(o) for o in desk.outcomes] == [Connected, Failed], "nothing of it counts as heard"


async def test_heartbeats_alone_are_stale_within_two_intervals() -> None:
    beats = [frame(1, b'{"Heartbeat": 1}'), frame(9, b"")] * 20
    desk = await hear(beats, done=lambda desk: bool(desk.failures), clock=SystemClock(), every_s=0.2, data="strikes")
    assert [type(o) for o in desk.outcomes] == [Connected, Failed]
    assert ", only 20 messages without any" in desk.failures[0]


async def test_a_gap_a_duplicate_and_a_reset_are_told() -> None:
    counts = [4, 5, 8, 8, 0, 1]
    desk = await hear(
        [frame(1, b'{"n": %d}' % n) for n in counts], done=lambda desk: len(desk.arrivals) == len(counts), sequence="n"
    )
    assert [o for o in desk.outcomes if isinstance(o, Missed | OutOfOrder)] == [Missed(2, "sequence 6 to 7")]
    assert [type(o) for o in desk.outcomes].count(Fetched) == len(counts)


async def test_yesterday_played_again_after_a_reconnect_is_out_of_order() -> None:
    today, yesterday = [frame(1, b'{"n": %d}' % n) for n in (900, 901)], [frame(1, b'{"n": %d}' % n) for n in (500, 501)]
    goodbye = frame(8, (1001).to_bytes(2, "big"))
    desk = await hear([*today, goodbye], yesterday, done=lambda desk: len(desk.arrivals) >= 4, sequence="n")
    noticed = [o for o in desk.outcomes if isinstance(o, Missed | OutOfOrder)]
    assert noticed[:2] == [OutOfOrder("sequence 500 after 901"), OutOfOrder("sequence 501 after 901")]
