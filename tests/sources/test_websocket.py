"""Listening to a real WebSocket server on the loopback."""

import asyncio
import itertools
import json
import logging
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from http import HTTPStatus
from pathlib import Path

import pytest
from websockets.asyncio.server import Server, ServerConnection, serve
from websockets.http11 import Request, Response

from gexdesk import __version__
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import SettingsError, StoreError
from gexdesk.sources.base import BreakerMoved, Connected, Failed, Fetched, Missed, OutOfOrder
from gexdesk.sources.secret import Secret
from gexdesk.sources.websocket import WebSocket
from tests.contracts.source_contract import Desk, Rig, SourceContract, run_until
from tests.running_clock import RunningClock

KEY = "Kanarie-7/8+x=="
Script = Callable[[ServerConnection], object]


class PushServer:
    """A server whose every connection is served by what a test wrote down.

    Attributes:
        received: What clients sent.
        asked: The requests they opened with.
        refusals: Statuses of the next handshakes; then they are let in.
    """

    def __init__(self, script: Script, **options: object) -> None:
        self.received: list[str | bytes] = []
        self.asked: list[Request] = []
        self.refusals: list[tuple[int, dict[str, str]]] = []
        self._script = script
        self._options = options
        self._server: Server | None = None

    @property
    def url(self) -> str:
        assert self._server is not None
        port = next(iter(self._server.sockets)).getsockname()[1]
        return f"ws://127.0.0.1:{port}"

    async def __aenter__(self) -> "PushServer":
        options = {"compression": None, "close_timeout": 0.2} | self._options
        self._server = await serve(self._serve, "127.0.0.1", 0, process_request=self._admit, **options)  # type: ignore[arg-type]
        return self

    async def __aexit__(self, *_: object) -> None:
        assert self._server is not None
        self._server.close()
        for connection in list(self._server.connections):
            connection.transport.abort()
        await self._server.wait_closed()

    def _admit(self, connection: ServerConnection, request: Request) -> Response | None:
        self.asked.append(request)
        if not self.refusals:
            return None
        status, headers = self.refusals.pop(0)
        response = connection.respond(HTTPStatus(status), "")
        for name, value in headers.items():
            response.headers[name] = value
        return response

    async def _serve(self, connection: ServerConnection) -> None:
        async def listen() -> None:
            async for message in connection:
                self.received.append(message)

        tasks = [asyncio.create_task(work) for work in (listen(), self._script(connection))]  # type: ignore[arg-type]
        await connection.wait_closed()
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


class PushRig:
    """Push the first body that was not taken, once a connection and again when another one was taken."""

    def __init__(self) -> None:
        self._bodies: list[bytes] = []
        self._changed = asyncio.Event()
        self._stumbles = 0
        self.server = PushServer(self._push)

    def source(self) -> WebSocket:
        return WebSocket("push", f"{self.server.url}/feed", clock=RunningClock())

    def offer(self, *bodies: bytes) -> None:
        self._bodies.extend(bodies)

    def stumble(self) -> None:
        self.server.refusals.append((500, {}))

    def taken(self, body: bytes) -> None:
        if self._bodies and self._bodies[0] == body:
            del self._bodies[0]
            self._changed.set()

    async def _push(self, connection: ServerConnection) -> None:
        while True:
            self._changed.clear()
            if self._bodies:
                await connection.send(self._bodies[0])
            await self._changed.wait()


class TestWebSocketContract(SourceContract):
    @asynccontextmanager
    async def open_rig(self, folder: Path) -> AsyncIterator[Rig]:
        rig = PushRig()
        async with rig.server:
            yield rig


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


def pushing(*messages: str | bytes, then: Script | None = None) -> Script:
    async def script(connection: ServerConnection) -> None:
        for message in messages:
            await connection.send(message)
        if then is not None:
            await then(connection)  # type: ignore[misc]

    return script


async def listen(
    script: Script, done: Callable[[Desk], bool], *, server: dict | None = None, clock: object = None, **options
) -> tuple[Desk, PushServer]:
    desk = Desk(_NoRig())
    async with PushServer(script, **(server or {})) as pushed:
        source = WebSocket("push", pushed.url + options.pop("path", "/feed"), clock=clock or RunningClock(), **options)
        await run_until(source.run(desk.deliver, desk.report), lambda: done(desk))
    return desk, pushed


def brought(count: int) -> Callable[[Desk], bool]:
    return lambda desk: len(desk.arrivals) >= count


def failed(desk: Desk) -> bool:
    return bool(desk.failures)


async def test_says_who_it_is_subscribes_in_order_and_takes_text_and_binary_as_they_are():
    words = ('{"op": "auth"}', '{"op": "sub", "symbols": ["SPX", "grün"]}')
    desk, server = await listen(pushing('{"größe": 1}', b"\x00\xff"), brought(2), subscribe=words, path="/feed?a=1")
    assert desk.bodies == ['{"größe": 1}'.encode(), b"\x00\xff"]
    assert server.received == list(words)
    assert server.asked[0].headers["User-Agent"] == f"gexdesk/{__version__}"
    assert server.asked[0].path == "/feed?a=1"
    assert {(a.name, a.source) for a in desk.arrivals} == {("/feed", "push")}
    assert isinstance(desk.outcomes[0], Connected)


async def test_a_lost_connection_is_made_again_and_the_wait_grows_until_data_comes():
    clock = RunningClock()
    at: list[float] = []

    async def hang_up(connection: ServerConnection) -> None:
        at.append(clock.monotonic())
        if len(at) == 4:
            await connection.send(b"data")
        await connection.close(1012, "restart")

    desk, _ = await listen(hang_up, lambda desk: len(at) >= 6, clock=clock, jitter=lambda: 0.5)
    waits = [round(b - a, 3) for a, b in itertools.pairwise(at)]
    # Half way between 1 s and 2, 4, 8; then from the beginning.
    assert waits[:5] == [1.5, 2.5, 4.5, 1.5, 2.5]
    assert set(desk.failures) == {"the server closed the connection: 1012 restart"}


@pytest.mark.parametrize(
    ("status", "headers", "words"),
    [
        (401, {}, "401 Unauthorized instead of a WebSocket: the server wants a key"),
        (503, {}, "503 Service Unavailable instead of a WebSocket"),
        (200, {}, "200 OK instead of a WebSocket"),
        (
            302,
            {"Location": "ws://169.254.169.254/x?key=leak"},
            "302 Found instead of a WebSocket: redirects are not followed; it leads to ws://169.254.169.254: "
            "configure the final URL",
        ),
    ],
)
async def test_a_refused_handshake_is_named_and_no_redirect_followed(status: int, headers: dict, words: str):
    desk = Desk(_NoRig())
    async with PushServer(pushing(b"1")) as server:
        server.refusals = [(status, headers)]
        source = WebSocket("push", server.url, clock=RunningClock())
        await run_until(source.run(desk.deliver, desk.report), lambda: brought(1)(desk))
        assert len(server.asked) == 2
    assert desk.failures == [words]


async def test_after_five_refusals_the_breaker_opens():
    clock = RunningClock()
    desk = Desk(_NoRig())
    at: list[float] = []

    def report(outcome):
        desk.report(outcome)
        if isinstance(outcome, Failed):
            at.append(clock.monotonic())

    async with PushServer(pushing(b"1")) as server:
        server.refusals = [(503, {})] * 6
        source = WebSocket("push", server.url, clock=clock, jitter=lambda: 0.0)
        await run_until(source.run(desk.deliver, report), lambda: brought(1)(desk))
    assert [round(b - a, 3) for a, b in itertools.pairwise(at)] == [1.0, 1.0, 1.0, 1.0, 30.0]


@pytest.mark.parametrize(("moment", "opens"), [("2026-03-03T16:00:00", True), ("2026-03-07T16:00:00", False)])
async def test_a_server_that_accepts_and_drops_opens_the_breaker_where_data_is_expected(moment: str, opens: bool):
    clock = RunningClock(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    at: list[float] = []

    async def hang_up(connection: ServerConnection) -> None:
        at.append(clock.monotonic())
        if len(at) == 7:
            await connection.send(b"data")
        await connection.close(1012, "restart")

    desk, _ = await listen(hang_up, lambda desk: len(at) >= 8, clock=clock, jitter=lambda: 0.0, hours="regular")
    waits = [round(b - a, 3) for a, b in itertools.pairwise(at)]
    moved = [outcome.state for outcome in desk.outcomes if isinstance(outcome, BreakerMoved)]
    if opens:
        assert waits[:7] == [1.0, 1.0, 1.0, 1.0, 30.0, 60.0, 1.0]
        assert moved == ["open", "half_open", "open", "half_open", "closed"]
    else:
        assert (waits[:6], moved) == ([1.0] * 6, [])


HEARTBEAT = '{"type": "heartbeat"}'


async def beating(connection: ServerConnection) -> None:
    while True:
        await connection.send(HEARTBEAT)
        await asyncio.sleep(0.02)


async def test_heartbeats_are_no_data_and_a_silent_connection_is_given_up_within_two_intervals():
    began = asyncio.get_running_loop().time()
    script = pushing('{"data": {"seq": 1}}', then=beating)
    desk, _ = await listen(script, failed, clock=SystemClock(), data="data", every_s=0.2)
    assert desk.bodies == [b'{"data": {"seq": 1}}'], "heartbeats are not handed over"
    assert 0.4 <= asyncio.get_running_loop().time() - began < 1.5
    assert desk.failures[0].startswith("the connection stands, and brought no data for 0.4")
    assert ", only " in desk.failures[0]
    assert [type(o) for o in desk.outcomes] == [Connected, Fetched, Failed]


async def test_pings_are_answered_and_are_no_data_either():
    pongs = 0

    async def ping(connection: ServerConnection) -> None:
        nonlocal pongs
        while True:
            await (await connection.ping())
            pongs += 1

    desk, _ = await listen(ping, failed, clock=SystemClock(), every_s=0.1)
    assert pongs > 3
    assert "brought no data for 0.2" in desk.failures[0]
    assert ", only" not in desk.failures[0]


@pytest.mark.parametrize(
    ("moment", "hours", "given_up"),
    [
        ("2026-03-02T15:00:00", "regular", True),
        ("2026-03-02T13:00:00", "regular", False),
        ("2026-11-27T18:30:00", "regular", False),
        ("2026-03-02T13:00:00", "extended", True),
        ("2026-02-28T15:00:00", "extended", False),
        ("2026-02-28T15:00:00", "always", True),
    ],
)
async def test_silence_is_judged_by_the_market(moment: str, hours: str, given_up: bool):
    clock = RunningClock(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    looked = clock.monotonic()
    desk, _ = await listen(pushing(b"1"), lambda desk: clock.monotonic() > looked + 600, clock=clock, every_s=10.0, hours=hours)
    assert bool(desk.failures) == given_up


async def test_gaps_reorders_and_resets_of_the_senders_count_are_told_and_outlive_the_connection():
    counts = [5, 6, 9, 8, 9, 10, 0, 1, 2, 4]
    messages = [json.dumps({"data": {"seq": n}, "k": k}) for k, n in enumerate(counts)]
    sent = iter([messages[:6], messages[6:]])

    async def script(connection: ServerConnection) -> None:
        for message in next(sent, []):
            await connection.send(message)
        await connection.close()

    desk, _ = await listen(script, brought(10), sequence="data.seq")
    noticed = [o for o in desk.outcomes if isinstance(o, Missed | OutOfOrder)]
    assert noticed == [Missed(2, "sequence 7 to 8"), OutOfOrder("sequence 8 after 9"), Missed(1, "sequence 3")]
    assert desk.bodies == [message.encode() for message in messages], "all of them are handed over"


@pytest.mark.parametrize(
    "message",
    [
        b"no json", b'{"data": 7}', b'{"data": {"seq": "7"}}', b'{"data": {"seq": -1}}', b'{"data": {"seq": true}}',
        b'{"data": {"seq": 99999999999999999999}}', b"[" * 5000, b"\xff",
        b'{"data": {"seq": 1e999}}', b'{"data": {"seq": "\\ud800"}}', b'{"data": {"seq": "\xff"}}',
    ],
)  # fmt: skip
async def test_a_message_without_a_usable_count_is_handed_over_all_the_same(message: bytes):
    desk, _ = await listen(pushing(message, b'{"data": {"seq": 7}}'), brought(2), sequence="data.seq")
    assert desk.bodies[:2] == [message, b'{"data": {"seq": 7}}']
    assert not [o for o in desk.outcomes if isinstance(o, Missed | OutOfOrder)]


async def test_a_slow_desk_stops_the_server_from_sending():
    sent = 0

    async def flood(connection: ServerConnection) -> None:
        nonlocal sent
        for number in range(400):
            await connection.send(b"%06d" % number * 20_000)
            sent = number

    held = asyncio.Event()
    bodies: list[bytes] = []

    async def deliver(arrival):
        bodies.append(arrival.body[:6])
        await held.wait()

    async with PushServer(flood) as server:
        source = WebSocket("push", server.url, clock=SystemClock())
        task = asyncio.create_task(source.run(deliver, lambda outcome: None))
        await asyncio.sleep(0.6)
        stuck_at = sent
        await asyncio.sleep(0.3)
        assert sent == stuck_at < 200, "of 48 MB"
        held.set()
        async with asyncio.timeout(10):
            while len(bodies) < 400:
                await asyncio.sleep(0.01)
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)
    assert bodies == [b"%06d" % number for number in range(400)]


async def test_a_message_the_desk_cannot_keep_outlives_a_pause():
    desk = Desk(_NoRig())
    desk.refusals = [StoreError("disk full")] * 2
    async with PushServer(pushing(b"only once")) as server:
        source = WebSocket("push", server.url, clock=SystemClock())
        await run_until(source.run(desk.deliver, desk.report), lambda: bool(desk.failures))
        server._script = pushing()
        await run_until(source.run(desk.deliver, desk.report), lambda: brought(1)(desk))
    assert desk.bodies == [b"only once"]


@pytest.mark.parametrize("way", ["key_header", "key_param", "subscribe"])
@pytest.mark.parametrize("fate", ["heard", "refused", "closed", "redirect"])
async def test_the_key_is_sent_and_never_shown(way: str, fate: str, caplog: pytest.LogCaptureFixture):
    caplog.set_level(logging.DEBUG)
    asyncio.get_running_loop().set_debug(True)
    for name in ("websockets", "websockets.client", "gexdesk.sources.websocket.silent"):
        logging.getLogger(name).setLevel(logging.DEBUG)
    option = {"subscribe": ('{"auth": "{key}"}',)} if way == "subscribe" else {way: "X-Key"}
    desk = Desk(_NoRig())

    async def script(connection: ServerConnection) -> None:
        if fate == "closed":
            while way == "subscribe" and not server.received:
                await asyncio.sleep(0.005)
            await connection.close(1008, f"bad key {KEY}")
        await connection.send(b"1")

    async with PushServer(script) as server:
        if fate in ("refused", "redirect"):
            server.refusals = [(403, {})] if fate == "refused" else [(307, {"Location": f"wss://feed.example/?key={KEY}"})]
        source = WebSocket("push", server.url, clock=RunningClock(), key=Secret(KEY), **option)
        done = brought(1) if fate == "heard" else failed
        await run_until(source.run(desk.deliver, desk.report), lambda: done(desk) and (way != "subscribe" or bool(server.received)))
        asked = server.asked[0]
        if way == "key_header":
            assert asked.headers["X-Key"] == KEY
        elif way == "key_param":
            assert "X-Key=Kanarie-7%2F8%2Bx%3D%3D" in asked.path
        else:
            assert json.loads(server.received[0]) == {"auth": KEY}
    own = "".join(r.getMessage() for r in caplog.records if r.name not in ("websockets.server",))
    shown = own + repr(desk.outcomes) + "".join(a.name for a in desk.arrivals)
    assert "Kanarie" not in shown
    assert "7%2F8" not in shown


async def test_an_address_that_does_not_answer_is_named():
    async with PushServer(pushing()) as server:
        url = server.url
    desk = Desk(_NoRig())
    source = WebSocket("push", url, clock=RunningClock())
    await run_until(source.run(desk.deliver, desk.report), lambda: failed(desk))
    assert desk.failures[0] == "connection refused"


async def test_proxies_of_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "ws_proxy", "WS_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    desk, _ = await listen(pushing(b"1"), brought(1))
    assert desk.bodies[0] == b"1"


@pytest.mark.parametrize(
    "options",
    [
        {"key": Secret("abc")},
        {"key": Secret("abc"), "key_header": "X-Key", "key_param": "key"},
        {"key": Secret("abc"), "key_header": "X-Key", "subscribe": ("{key}",)},
        {"subscribe": ("{key}",)},
        {"key_header": "X-Key"},
        {"key": Secret("abc"), "key_header": "X Key\r\n"},
        {"url": "http://feed.example/"},
        {"url": "ws://user:abc@feed.example/"},
    ],
)
def test_settings_that_contradict_themselves_are_refused(options):
    with pytest.raises(SettingsError, match="source push") as refused:
        WebSocket("push", **({"url": "wss://feed.example/q", "clock": RunningClock()} | options))
    assert "abc" not in str(refused.value)


def test_importing_the_module_does_not_import_the_client():
    import subprocess
    import sys

    code = "import sys, gexdesk.sources.websocket; sys.exit(any(m in sys.modules for m in ('websockets', 'httpx2', 'redis')))"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
