"""Polling a real server on the loopback."""

import asyncio
import gzip
import logging
import ssl
import zlib
from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from email.utils import format_datetime
from pathlib import Path

import pytest
import zstandard

from gexdesk import __version__
from gexdesk.model.errors import MalformedPayload, SettingsError, StoreError
from gexdesk.sources.base import BreakerMoved, Failed, Fetched, Unchanged
from gexdesk.sources.http import Http
from gexdesk.sources.pace import Pace
from gexdesk.sources.secret import Secret
from tests.contracts.source_contract import Desk, Rig, SourceContract, run_until
from tests.feed_server import Answer, FeedServer
from tests.running_clock import RunningClock

KEY = "Kanarie-7/8+x=="


class HttpRig:
    """Serve the first body that was not taken, until it is taken."""

    def __init__(self, server: FeedServer) -> None:
        self._server = server
        self._bodies: list[bytes] = []
        self._stumbles = False

    def source(self) -> Http:
        return Http("cboe-spx", f"{self._server.url}/quotes/SPX.json", pace=Pace(15.0), clock=RunningClock(), timeout_s=5.0)

    def offer(self, *bodies: bytes) -> None:
        self._bodies.extend(bodies)
        self._script()

    def stumble(self) -> None:
        self._stumbles = True

    def taken(self, body: bytes) -> None:
        if self._bodies and self._bodies[0] == body:
            del self._bodies[0]
        self._script()

    def _script(self) -> None:
        if not self._bodies:
            self._server.answers = [Answer(status=204)]
            return
        answer = Answer(body=self._bodies[0], headers={"Content-Type": "application/json"})
        self._server.answers = [Answer(status=500), answer] if self._stumbles else [answer]
        self._stumbles = False


class TestHttpContract(SourceContract):
    @asynccontextmanager
    async def open_rig(self, folder: Path) -> AsyncIterator[Rig]:
        async with FeedServer() as server:
            yield HttpRig(server)


class Poll:
    """Run a source against scripted answers until so many outcomes were reported."""

    def __init__(self, clock: RunningClock) -> None:
        self.clock = clock
        self.desk = Desk(_NoRig())
        self.asked_at: list[float] = []
        self.requests: list = []

    async def run(self, source: Http, outcomes: int) -> "Poll":
        def report(outcome):
            self.desk.report(outcome)
            self.asked_at.append(self.clock.monotonic())

        await run_until(source.run(self.desk.deliver, report), lambda: len(self.desk.outcomes) >= outcomes)
        return self


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


async def poll(*answers: Answer, outcomes: int | None = None, path: str = "/q", **options) -> Poll:
    clock = RunningClock()
    given = {"pace": Pace(15.0), "timeout_s": 5.0, "jitter": lambda: 0.5} | options
    async with FeedServer(*answers) as server:
        source = Http("spx", server.url + path, clock=clock, **given)
        done = await Poll(clock).run(source, outcomes or len(answers))
        done.requests = server.requests
        done.connections = server.connections
    return done


async def reason(answer: Answer, **options) -> str:
    done = await poll(answer, **options)
    assert isinstance(done.desk.outcomes[0], Failed), done.desk.outcomes
    assert done.desk.arrivals == []
    return done.desk.outcomes[0].reason


async def test_asks_for_what_it_can_take_and_says_who_it_is():
    done = await poll(Answer(body=b"{}", headers={"Content-Type": "application/json; charset=utf-8"}), path="/a/b.json?x=1&y=2")
    asked = done.requests[0]
    assert (asked.method, asked.path, asked.query) == ("GET", "/a/b.json", {"x": "1", "y": "2"})
    assert asked.headers["user-agent"] == f"gexdesk/{__version__}"
    assert asked.headers["accept-encoding"] == "zstd, gzip"
    assert "if-none-match" not in asked.headers
    arrival = done.desk.arrivals[0]
    assert (arrival.name, arrival.content_type) == ("/a/b.json", "application/json; charset=utf-8")
    assert arrival.received_at == 1_750_000_000.0


async def test_asks_conditionally_with_the_last_answers_words():
    tagged = {"ETag": 'W/"7"', "Last-Modified": "Tue, 17 Jun 2025 13:30:00 GMT"}
    done = await poll(Answer(body=b"1", headers=tagged), Answer(status=304), Answer(body=b"2"), Answer(body=b"3"))
    assert [type(o) for o in done.desk.outcomes[:4]] == [Fetched, Unchanged, Fetched, Fetched]
    first, second, third, fourth = done.requests[:4]
    assert "if-none-match" not in first.headers
    assert "if-modified-since" not in first.headers
    for asked in (second, third):
        assert asked.headers["if-none-match"] == 'W/"7"'
        assert asked.headers["if-modified-since"] == "Tue, 17 Jun 2025 13:30:00 GMT"
    assert "if-none-match" not in fourth.headers, "the newer answer had no tag: the old one is not its"


@pytest.mark.parametrize("tag", ['"\xe9"', '"' + "x" * 2000 + '"', '"\x80"'])
async def test_words_that_cannot_be_sent_back_are_not(tag: str):
    done = await poll(Answer(body=b"1", headers={"ETag": tag}), Answer(body=b"2"))
    assert done.desk.bodies[:2] == [b"1", b"2"]
    assert "if-none-match" not in done.requests[1].headers


async def test_proxies_of_the_environment_are_left_alone(monkeypatch: pytest.MonkeyPatch):
    for name in ("http_proxy", "HTTP_PROXY", "all_proxy", "ALL_PROXY"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    for name in ("no_proxy", "NO_PROXY"):
        monkeypatch.delenv(name, raising=False)
    assert (await poll(Answer(body=b"1"))).desk.bodies[0] == b"1"


async def test_an_identical_body_is_handed_over_for_the_desk_to_count():
    done = await poll(Answer(body=b"1"), Answer(body=b"1", headers={"ETag": '"n"'}), Answer(body=b"2"))
    assert [type(o) for o in done.desk.outcomes[:3]] == [Fetched, Fetched, Fetched]
    assert done.desk.bodies[:3] == [b"1", b"1", b"2"]
    assert done.requests[2].headers["if-none-match"] == '"n"'


async def test_a_pause_does_not_forget_the_tag():
    async with FeedServer(Answer(body=b"1", headers={"ETag": '"n"'}), Answer(status=304)) as server:
        clock = RunningClock()
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock)
        await Poll(clock).run(source, 1)
        again = await Poll(clock).run(source, 1)
        assert again.desk.arrivals == []
        assert isinstance(again.desk.outcomes[0], Unchanged)
        assert server.requests[-1].headers["if-none-match"] == '"n"'


async def test_a_refused_body_is_not_marked_as_seen_before_it_is_kept():
    async with FeedServer(Answer(body=b"1", headers={"ETag": '"n"'})) as server:
        clock = RunningClock()
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock, jitter=lambda: 0.0)
        done = Poll(clock)
        done.desk.refusals = [StoreError("disk full")] * 2
        asked: list[int] = []
        kept_report = done.desk.report
        done.desk.report = lambda outcome: (kept_report(outcome), asked.append(len(server.requests)))[0]
        await done.run(source, 3)
        assert [type(o) for o in done.desk.outcomes[:3]] == [Failed, Failed, Fetched]
        assert done.desk.bodies[0] == b"1"
        assert asked[:3] == [1, 1, 1], "held, and not fetched again"
        assert done.asked_at[:3] == [0.0, 1.0, 2.0], "a second each, not the pace of the server"


@pytest.mark.parametrize(("stopped_s", "brought"), [(5.0, b"1"), (90_000.0, b"2")])
async def test_an_answer_nobody_kept_is_handed_over_after_a_pause_unless_a_newer_one_can_be_had(stopped_s: float, brought: bytes):
    async with FeedServer(Answer(body=b"1", headers={"ETag": '"n"'}), Answer(body=b"2")) as server:
        clock = RunningClock()
        source = Http("spx", server.url, pace=Pace(86_400.0), clock=clock, jitter=lambda: 0.0)
        first = Poll(clock)
        first.desk.refusals = [StoreError("spx is run by another engine now")] * 10_000
        await first.run(source, 1)
        await clock.sleep(stopped_s)
        began = clock.now()
        again = await Poll(clock).run(source, 1)
        assert again.desk.bodies[0] == brought
        assert (again.desk.arrivals[0].received_at >= began) == (brought == b"2")


async def test_no_content_is_unchanged_and_an_empty_body_a_failure():
    done = await poll(Answer(status=204), Answer(body=b""))
    assert isinstance(done.desk.outcomes[0], Unchanged)
    assert done.desk.outcomes[1] == Failed("200 OK with an empty body")


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        (Answer(status=503), "503 Service Unavailable"),
        (Answer(status=500), "500 Internal Server Error"),
        (Answer(status=404), "404 Not Found"),
        (Answer(status=401), "401 Unauthorized: the server wants a key"),
        (Answer(status=799), "799"),
        (Answer(status=304), "304 Not Modified, although nothing was asked for conditionally"),
        (Answer(status=206, body=b"half"), "206 Partial Content, although the whole document was asked for"),
        (Answer(body=b"x" * 99, cut_after=10), "broken answer: peer closed connection"),
        (Answer(body=b"x" * 99, chunk_bytes=9, cut_after=50), "broken answer: peer closed connection"),
        (Answer(body=b"x", headers={"Content-Encoding": "br"}), "the answer came in content encoding 'br'"),
        (Answer(body=b"x", headers={"Content-Encoding": "gzip, gzip"}), "the answer came in content encoding 'gzip, gzip'"),
    ],
)
async def test_says_what_went_wrong(answer: Answer, words: str):
    assert (await reason(answer)).startswith(words)


@pytest.mark.parametrize(
    ("target", "shown"),
    [
        ("https://169.254.169.254/latest?key=leak", "https://169.254.169.254:"),
        ("file:///etc/passwd", "another path of the same host:"),
        ("/elsewhere?key=leak", "another path of the same host:"),
        ("http://[::1", "an address that cannot be read:"),
    ],
)
async def test_follows_no_redirect_and_says_where_it_leads(target: str, shown: str):
    done = await poll(Answer(status=302, headers={"Location": target}), Answer(body=b"1"))
    assert done.desk.failures == [f"302 Found: redirects are not followed; it leads to {shown} configure the final URL"]
    assert {asked.path for asked in done.requests} == {"/q"}


async def test_a_silent_server_and_a_slow_drip_time_out():
    assert await reason(Answer(body=b"1", delay_s=30), timeout_s=0.1) == "timed out after 0.1 s"
    assert await reason(Answer(body=b"x" * 1000, drip_s=0.02), timeout_s=0.3) == "timed out after 0.3 s"


async def test_a_closed_port_and_an_unknown_host_are_named():
    async with FeedServer(Answer()) as server:
        url = server.url
    clock = RunningClock()
    done = await Poll(clock).run(Http("spx", url, pace=Pace(1.0), clock=clock), 1)
    assert done.desk.failures[0] == "connection refused"
    done = await Poll(clock).run(Http("spx", "http://no-such-host.invalid/", pace=Pace(1.0), clock=clock, timeout_s=5.0), 1)
    assert done.desk.failures[0].startswith(("the host name cannot be resolved", "timed out"))


async def test_a_certificate_nobody_vouches_for_is_refused():
    tls = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    tls.load_cert_chain(Path(__file__).with_name("loopback_cert.pem"))
    async with FeedServer(Answer(body=b"1"), tls=tls) as server:
        clock = RunningClock()
        done = await Poll(clock).run(Http("spx", server.url, pace=Pace(1.0), clock=clock), 1)
    assert done.desk.failures[0].startswith("TLS certificate refused: self-signed certificate")
    assert server.requests == []


async def test_keeps_a_fixed_cadence_however_long_an_answer_takes():
    clock = RunningClock()
    began: list[float] = []

    async def deliver(arrival):
        began.append(clock.monotonic())
        clock.advance({1: 4.0, 2: 31.0}.get(len(began), 0.0))

    async with FeedServer(*(Answer(body=b"%d" % n) for n in range(5))) as server:
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock)
        await run_until(source.run(deliver, lambda outcome: None), lambda: len(began) >= 5)
    # The second took over two intervals: those are left out, the grid stands.
    assert began[:5] == [0.0, 15.0, 60.0, 75.0, 90.0]


def waits(done: Poll, count: int) -> list[float]:
    return [round(b - a, 6) for a, b in zip(done.asked_at, done.asked_at[1:], strict=False)][:count]


def outcomes_of(done: Poll) -> list:
    return [outcome for outcome in done.desk.outcomes if not isinstance(outcome, BreakerMoved)]


async def test_what_may_pass_is_tried_again_soon_and_what_will_not_at_the_pace():
    up = [Answer(body=b"%d" % n) for n in range(2)]
    done = await poll(*[Answer(status=500)] * 3, *up, Answer(status=408), *up, outcomes=8)
    # Half way between 1 s and 2, 4, 8; then at its pace; then from the beginning.
    assert waits(done, 7) == [1.5, 2.5, 4.5, 15.0, 15.0, 1.5, 15.0]
    done = await poll(*[Answer(status=404)] * 3, *up, Answer(body=b""), *up, pace=Pace(5.0), outcomes=8)
    assert waits(done, 7) == [7.5, 12.5, 22.5, 5.0, 5.0, 7.5, 5.0]
    done = await poll(*[Answer(status=403)] * 3, pace=Pace(120.0))
    assert waits(done, 2) == [120.0, 120.0], "a slow pace is never quickened"


async def test_after_five_failures_in_a_row_the_server_is_left_alone_and_probed_once():
    down, up = Answer(status=502), [Answer(body=b"%d" % n) for n in range(3)]
    clock = RunningClock()
    told: list[tuple[float, object]] = []
    async with FeedServer(*[down] * 7, *up) as server:
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock, jitter=lambda: 0.0)
        done = Poll(clock)
        done.desk.report = lambda outcome: told.append((clock.monotonic(), outcome))
        await run_until(source.run(done.desk.deliver, done.desk.report), lambda: len(done.desk.arrivals) >= 2)
    at = {n: [t for t, o in told if isinstance(o, Failed | Fetched)][n] for n in range(9)}
    began = 1_750_000_000.0
    assert [at[n] for n in range(5)] == [0.0, 1.0, 2.0, 3.0, 4.0]
    assert at[5] - at[4] == 30.0
    assert at[6] - at[5] == 60.0
    assert at[7] - at[6] == 120.0
    assert at[8] - at[7] == 15.0
    moves = [(t, o.state, o.probe_at and o.probe_at - began) for t, o in told if isinstance(o, BreakerMoved)]
    assert moves == [
        (4.0, "open", 34.0), (34.0, "half_open", None), (34.0, "open", 94.0), (94.0, "half_open", None),
        (94.0, "open", 214.0), (214.0, "half_open", None), (214.0, "closed", None),
    ]  # fmt: skip


async def test_a_pause_does_not_close_the_breaker():
    clock = RunningClock()
    async with FeedServer(Answer(status=502)) as server:
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock, jitter=lambda: 0.0)
        failures = 0

        def report(outcome):
            nonlocal failures
            failures += isinstance(outcome, Failed)
            if failures == 5:
                raise EOFError

        with pytest.raises(EOFError):
            await source.run(Poll(clock).desk.deliver, report)
        opened_at = clock.monotonic()
        again = await Poll(clock).run(source, 3)
    assert [o.state for o in again.desk.outcomes if isinstance(o, BreakerMoved)][:2] == ["open", "half_open"]
    assert again.asked_at[1] - opened_at == 30.0


async def test_no_more_requests_a_second_than_allowed():
    done = await poll(*[Answer(status=500)] * 4, Answer(body=b"1"), Answer(body=b"2"), pace=Pace(1.0), rate_per_s=0.1, outcomes=6)
    assert all(wait >= 10.0 - 1e-6 for wait in waits(done, 5))


@pytest.mark.parametrize(
    ("moment", "pace", "waits_s"),
    [
        ("2026-03-02T15:00:00", Pace(15.0, hours="regular"), 15.0),  # Monday 10:00 in New York
        ("2026-03-02T14:00:00", Pace(15.0, hours="regular"), 150.0),  # 09:00
        ("2026-03-02T14:28:00", Pace(15.0, hours="regular"), 120.0),  # two minutes before the opening: there at it
        ("2026-03-02T14:29:55", Pace(15.0, hours="regular"), 15.0),  # and never faster than in it
        ("2026-03-02T21:00:00", Pace(15.0, hours="regular"), 150.0),  # the close
        ("2026-11-27T18:30:00", Pace(15.0, hours="regular"), 150.0),  # half past one on a day with an early close
        ("2026-11-26T16:00:00", Pace(15.0, hours="regular"), 150.0),  # Thanksgiving
        ("2026-02-28T16:00:00", Pace(60.0, hours="regular"), 300.0),  # Saturday: at most five minutes
        ("2026-02-28T16:00:00", Pace(600.0, hours="regular"), 600.0),
        ("2026-02-28T16:00:00", Pace(15.0, 40.0, hours="regular"), 40.0),
        ("2026-03-02T14:00:00", Pace(15.0, hours="extended"), 15.0),
        ("2026-03-03T00:30:00", Pace(15.0, hours="extended"), 15.0),  # 19:30: post-market
        ("2026-03-03T01:30:00", Pace(15.0, hours="extended"), 150.0),
        ("2026-03-03T08:59:00", Pace(15.0, hours="extended"), 60.0),  # a minute before 04:00
        ("2026-03-03T21:14:59", Pace(15.0, hours="regular", after_s=900.0), 15.0),  # delayed quotes of the last minutes still come
        ("2026-03-03T21:15:00", Pace(15.0, hours="regular", after_s=900.0), 150.0),
        ("2026-02-28T16:00:00", Pace(15.0), 15.0),
    ],
)
async def test_the_pace_follows_the_market(moment: str, pace: Pace, waits_s: float):
    clock = RunningClock(datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp())
    async with FeedServer(Answer(body=b"1"), Answer(body=b"2")) as server:
        done = await Poll(clock).run(Http("spx", server.url, pace=pace, clock=clock), 2)
    assert waits(done, 1) == [waits_s]


@pytest.mark.parametrize(
    ("value", "waits_s"),
    [
        ("40", 40.0),
        ("2", 15.0),  # never faster than the pace
        ("99999999", 300.0),
        ("99999999999999999999", 300.0),
        ("Fri, 31 Dec 9999 23:59:59 GMT", 300.0),
        (format_datetime(datetime.fromtimestamp(1_750_000_050, UTC), usegmt=True), 50.0),
        ("soon", 1.5),
        ("-5", 1.5),
        ("９", 1.5),
    ],
)
@pytest.mark.parametrize("status", [429, 503])
async def test_honours_retry_after_up_to_five_minutes(status: int, value: str, waits_s: float):
    done = await poll(Answer(status=status, headers={"Retry-After": value.encode("utf-8").decode("latin-1")}), Answer(body=b"1"))
    assert done.asked_at[1] == pytest.approx(waits_s)
    assert done.desk.failures[0].startswith(str(status))
    assert ("the server asks to wait" in done.desk.failures[0]) == (waits_s != 1.5)
    assert done.desk.failures[0].endswith("; asked again in 5 min") == (waits_s == 300.0)


@pytest.mark.parametrize("value", ["99999999999999999999", "Fri, 31 Dec 9999 23:59:59 GMT"])
async def test_a_server_that_asks_for_ages_is_probed_when_the_breaker_says_and_is_back_with_its_first_answer(value: str):
    told: list[tuple[float, object]] = []
    clock = RunningClock()
    async with FeedServer(*[Answer(status=503, headers={"Retry-After": value})] * 6, Answer(body=b"1")) as server:
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock, jitter=lambda: 0.0)
        desk = Desk(_NoRig())

        def report(outcome):
            told.append((clock.monotonic(), outcome))
            desk.report(outcome)

        began_at, began = clock.now(), clock.monotonic()
        await run_until(source.run(desk.deliver, report), lambda: len(desk.bodies) >= 1)
    assert desk.failures[0] == "503 Service Unavailable: the server asks to wait over 100 years; asked again in 5 min"
    moves = [(at - began, o.state, o.probe_at and o.probe_at - began_at) for at, o in told if isinstance(o, BreakerMoved)]
    assert moves == [
        (1200.0, "open", 1500.0), (1500.0, "half_open", None), (1500.0, "open", 1800.0), (1800.0, "half_open", None),
        (1800.0, "closed", None),
    ]  # fmt: skip


@pytest.mark.parametrize("encoding", ["gzip", "zstd"])
async def test_expands_what_came_compressed(encoding: str):
    body = b'{"strike": 5000.0}' * 10_000
    sent = gzip.compress(body[:99], mtime=0) + gzip.compress(body[99:], mtime=0)
    if encoding == "zstd":
        sent = zstandard.compress(body[:99]) + zstandard.compress(body[99:])
    for chunk_bytes in (0, 7, 1000):
        answer = Answer(body=sent, headers={"Content-Encoding": encoding}, chunk_bytes=chunk_bytes)
        done = await poll(answer)
        assert done.desk.bodies[0] == body


@pytest.mark.parametrize(
    ("encoding", "sent", "words"),
    [
        ("gzip", gzip.compress(b"x" * 999, mtime=0)[:-9], "the compressed body was cut off"),
        ("gzip", b"plain text", "the body is not the gzip it claims"),
        ("gzip", gzip.compress(b"x", mtime=0) + b"garbage", "the body is not the gzip it claims"),
        ("gzip", gzip.compress(b"x" * 99, mtime=0)[:-8] + b"\0" * 8, "the body is not the gzip it claims"),
        ("gzip", zlib.compress(b"x"), "the body is not the gzip it claims"),
        ("zstd", zstandard.compress(b"x" * 999)[:-1], "the compressed body was cut off"),
        ("zstd", b"plain text", "the body is not the zstd it claims"),
        ("gzip", gzip.compress(b"\0" * 30_000_000, mtime=0), "the body expands to more than 100 times its size"),
        ("zstd", zstandard.compress(b"\0" * 60_000_000), "the body expands to more than 100 times its size"),
    ],
    ids=["cut", "plain", "garbage behind", "checksum", "zlib", "zstd cut", "zstd plain", "bomb", "zstd bomb"],
)
async def test_refuses_a_compressed_body_that_is_not_whole_or_a_bomb(encoding: str, sent: bytes, words: str):
    assert (await reason(Answer(body=sent, headers={"Content-Encoding": encoding}))).startswith(words)


async def test_stops_reading_at_the_cap():
    big = b"0123456789" * 200
    assert await reason(Answer(body=big), cap_bytes=1999) == "the body is larger than 1,999 bytes (2,000 announced): not read"
    assert await reason(Answer(body=big, chunk_bytes=100), cap_bytes=1999) == "the body is larger than 1,999 bytes: given up"
    packed = Answer(body=gzip.compress(big, mtime=0), headers={"Content-Encoding": "gzip"})
    assert await reason(packed, cap_bytes=1999) == "the body is larger than 1,999 bytes: given up"
    nothing = Answer(body=gzip.compress(b"", mtime=0) * 200, headers={"Content-Encoding": "gzip"}, chunk_bytes=400)
    assert await reason(nothing, cap_bytes=1999) == "the body is larger than 1,999 bytes: given up"
    assert (await poll(Answer(body=big), cap_bytes=2000)).desk.bodies[0] == big


async def test_one_connection_serves_many_polls():
    done = await poll(*(Answer(body=b"%d" % n) for n in range(6)))
    assert len(done.desk.arrivals) >= 6
    assert done.connections == 1


@pytest.fixture
def every_logger_at_debug(caplog: pytest.LogCaptureFixture) -> Iterator[pytest.LogCaptureFixture]:
    """Capture all that any logger says, as if somebody had turned every one of them up."""
    import h2.connection
    import httpcore2
    import httpx2

    assert h2
    assert httpcore2
    assert httpx2
    caplog.set_level(logging.DEBUG)
    loggers = [logger for logger in logging.root.manager.loggerDict.values() if isinstance(logger, logging.Logger)]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.DEBUG)
    yield caplog
    for logger, level in zip(loggers, levels, strict=True):
        logger.setLevel(level)


@pytest.mark.parametrize("way", ["key_header", "key_param"])
@pytest.mark.parametrize(
    "answer",
    [
        Answer(body=b"1", headers={"Content-Type": f"text/{KEY}"}),
        Answer(status=401),
        Answer(status=302, headers={"Location": f"https://feed.example/?key={KEY}"}),
        Answer(body=b"1", headers={"Content-Encoding": KEY}),
        Answer(body=b"x" * 99, cut_after=10),
        Answer(body=b"x" * 99, delay_s=9),
    ],
    ids=["echoed type", "refused", "redirect", "echoed encoding", "cut off", "timeout"],
)
async def test_the_key_is_sent_and_never_shown(way: str, answer: Answer, every_logger_at_debug: pytest.LogCaptureFixture):
    asyncio.get_running_loop().set_debug(True)
    key = Secret(KEY)
    done = await poll(answer, key=key, path="/q?a=1", timeout_s=0.2, **{way: "X-Key"})
    sent = done.requests[0].headers["x-key"] if way == "key_header" else done.requests[0].query["X-Key"]
    assert sent == KEY
    logged = every_logger_at_debug.text
    shown = logged + repr(done.desk.outcomes) + "".join(a.name + a.content_type for a in done.desk.arrivals) + repr(key) + str(key)
    assert done.desk.outcomes
    assert "Kanarie" not in shown
    assert "7/8+x" not in shown
    assert "7%2F8" not in shown
    assert "asyncio" in logged, "the capture works"
    assert "/q" not in logged


async def test_what_a_deliver_says_of_the_key_is_not_passed_on():
    async with FeedServer(Answer(body=b"1")) as server:
        clock = RunningClock()
        done = Poll(clock)
        done.desk.refusals = [StoreError(f"cannot keep {KEY}"), MalformedPayload(f"nonsense: Kanarie\u200b{KEY[7:]}")]
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock, key=Secret(KEY), key_param="key")
        await done.run(source, 2)
    assert done.desk.failures[:2] == ["could not be kept, will be handed over again: cannot keep ***", "nonsense: ***"]


async def test_the_libraries_that_log_urls_and_headers_are_silent_at_any_level(every_logger_at_debug: pytest.LogCaptureFixture):
    from hpack import Encoder

    await poll(Answer(body=b"1"))
    libraries = ("httpx2", "httpcore2", "hpack", "h2", "h11")
    loggers = [
        logger
        for name, logger in logging.root.manager.loggerDict.items()
        if name.split(".")[0] in libraries and isinstance(logger, logging.Logger)
    ]
    assert {logger.name for logger in loggers} >= {"httpx2", "httpcore2.http11", "hpack.hpack"}
    for logger in loggers:
        logger.debug("header %s", KEY)
        logger.error("header %s", KEY)
    Encoder().encode([("x-key", KEY)])
    assert KEY not in every_logger_at_debug.text


@pytest.mark.parametrize(
    "url",
    [
        "ftp://x/", "file:///etc/passwd", "http://", "http:///x", "//evil.example/", "unix:///run/x.sock", "http://a b/",
        "http://x\r\nHost: y/", "http://user:Kanarie@feed.example/", "http://[::1/?key=Kanarie", "https://example.com:99999/",
        "http://127.0.0.1\\@evil.example/", "http://feed.example/#Kanarie", "http://ⓛ.example/", "",
    ],
)  # fmt: skip
def test_a_url_that_cannot_be_meant_is_refused_without_quoting_it(url: str):
    with pytest.raises(SettingsError, match="source spx: the URL") as refused:
        Http("spx", url, pace=Pace(1.0), clock=RunningClock())
    assert "Kanarie" not in str(refused.value)


@pytest.mark.parametrize(
    "options",
    [
        {"key": Secret("abc")},
        {"key": Secret("abc"), "key_header": "X-Key", "key_param": "key"},
        {"key_header": "X-Key"},
        {"key": Secret("abc"), "key_header": "X Key\r\n"},
        {"pace": Pace(0.0)},
        {"pace": Pace(1.0, 0.0)},
        {"rate_per_s": 0.0},
        {"timeout_s": 0.0},
    ],
)
def test_settings_that_contradict_themselves_are_refused(options):
    with pytest.raises(SettingsError, match="source spx"):
        Http("spx", "https://feed.example/q", **({"pace": Pace(1.0), "clock": RunningClock()} | options))


async def test_certificates_that_cannot_be_read_are_reported_and_tried_again(monkeypatch: pytest.MonkeyPatch, tmp_path: Path):
    from gexdesk.sources import tls

    tls.trusted.cache_clear()
    monkeypatch.setenv("SSL_CERT_FILE", str(tmp_path / "none.pem"))
    async with FeedServer(Answer(body=b"1")) as server:
        clock = RunningClock()
        done = Poll(clock)
        source = Http("spx", server.url, pace=Pace(15.0), clock=clock)
        await done.run(source, 1)
        assert done.desk.failures[0].startswith("the trusted certificates cannot be read: ")
        monkeypatch.delenv("SSL_CERT_FILE")
        await done.run(source, len(done.desk.outcomes) + 1)
    assert done.desk.bodies[0] == b"1"


def test_importing_the_module_does_not_import_the_client():
    import subprocess
    import sys

    code = "import sys, gexdesk.sources.http; sys.exit('httpx2' in sys.modules or 'zstandard' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0
