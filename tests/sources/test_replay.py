"""Replay: what is delivered when, with which shift, and what never ends it."""

import asyncio
import gzip
import json
from collections.abc import AsyncIterator, Callable
from pathlib import Path

import pytest
from virtual_clock import VirtualClock

from gexdesk.model.errors import MalformedPayload, SettingsError, StoreError
from gexdesk.model.payload import Arrival
from gexdesk.sources.base import Ended, Failed, Fetched, Outcome
from gexdesk.sources.replay import Replay

THEN = 1_700_000_000.0
NOW = 1_800_000_000.0
START = {"kind": "start", "starts_at": THEN, "length_s": 120.0}


def payload(at_s: float, file: str, record: int | None = None, source: str = "a", **more: object) -> dict[str, object]:
    return {"at_s": at_s, "source": source, "kind": "payload", "file": file, "record": record, **more}


STORY = (
    payload(1.5, "feed.jsonl.gz", 0),
    payload(2.0, "b.json", source="b"),
    payload(10.25, "feed.jsonl.gz", 1),
    {"at_s": 40.0, "source": "a", "kind": "fail", "file": "", "record": None, "reason": "503 Service Unavailable"},
    payload(60.0, "table.csv.gz"),
    payload(100.0, "whole.json.gz", compressed=True),
)


def write(folder: Path, *events: dict[str, object], start: dict[str, object] = START) -> Path:
    lines = b'{"n": 0}\n{"n": 1}\n'
    (folder / "feed.jsonl.gz").write_bytes(gzip.compress(lines))
    (folder / "table.csv.gz").write_bytes(gzip.compress(b"\r\na,b\r\n"))
    (folder / "whole.json.gz").write_bytes(gzip.compress(b"{}"))
    (folder / "b.json").write_bytes(b"{}")
    (folder / "story.jsonl").write_text("".join(json.dumps(line) + "\n" for line in (start, *events)))
    return folder


class Desk:
    """Stand where the engine stands: keep what comes, with the time it came."""

    def __init__(self, clock: VirtualClock) -> None:
        self.clock = clock
        self.arrivals: list[tuple[float, Arrival]] = []
        self.outcomes: list[Outcome] = []
        self.before: Callable[[Arrival], object] = lambda arrival: None
        self.takes_s = 0.0

    async def deliver(self, arrival: Arrival) -> None:
        self.before(arrival)
        self.arrivals.append((round(self.clock.now() - NOW, 6), arrival))
        if self.takes_s:
            await self.clock.sleep(self.takes_s)

    def report(self, outcome: Outcome) -> None:
        self.outcomes.append(outcome)

    @property
    def times(self) -> list[float]:
        return [at for at, _ in self.arrivals]

    @property
    def bodies(self) -> list[bytes]:
        return [arrival.body for _, arrival in self.arrivals]

    @property
    def ages(self) -> list[float]:
        """How old a stamp of the very second of its event looks on arrival."""
        at_s = {b'{"n": 0}': 1.5, b'{"n": 1}': 10.25, b"\r\na,b\r\n": 60.0, gzip.compress(b"{}"): 100.0}
        return [round(NOW + t - (THEN + at_s[a.body] + a.time_shift_s), 6) for t, a in self.arrivals]


@pytest.fixture
def clock() -> VirtualClock:
    return VirtualClock(NOW)


@pytest.fixture
def desk(clock: VirtualClock) -> Desk:
    return Desk(clock)


@pytest.fixture
async def start(desk: Desk) -> AsyncIterator[Callable[[Replay], asyncio.Task[None]]]:
    tasks: list[asyncio.Task[None]] = []

    def begin(replay: Replay) -> asyncio.Task[None]:
        tasks.append(asyncio.create_task(replay.run(desk.deliver, desk.report)))
        return tasks[-1]

    yield begin
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


def replay(folder: Path, clock: VirtualClock, *, loop: bool = False, speed: float = 1.0, name: str = "a") -> Replay:
    return Replay(name, folder, started_at=NOW, clock=clock, loop=loop, speed=speed)


async def test_delivers_its_own_events_at_their_times_and_ends(tmp_path, clock, desk, start):
    task = start(replay(write(tmp_path, *STORY), clock))
    await clock.advance(99.9)
    assert desk.times == [1.5, 10.25, 60.0]
    assert Ended() not in desk.outcomes
    await clock.advance(0.1)
    assert desk.times == [1.5, 10.25, 60.0, 100.0]
    assert desk.bodies[:3] == [b'{"n": 0}', b'{"n": 1}', b"\r\na,b\r\n"]
    assert task.done()
    kinds = [type(outcome) for outcome in desk.outcomes]
    assert kinds == [Fetched, Fetched, Failed, Fetched, Fetched, Ended]
    assert desk.outcomes[2] == Failed("503 Service Unavailable")


async def test_says_where_each_payload_came_from(tmp_path, clock, desk, start):
    start(replay(write(tmp_path, *STORY), clock))
    await clock.advance(120)
    assert [(a.source, a.name, a.content_type) for _, a in desk.arrivals] == [
        ("a", "feed.jsonl.gz#0", "application/json"),
        ("a", "feed.jsonl.gz#1", "application/json"),
        ("a", "table.csv.gz", "text/csv"),
        ("a", "whole.json.gz", "application/gzip"),
    ]
    assert [a.received_at for _, a in desk.arrivals] == [NOW + t for t in desk.times]


async def test_hands_a_compressed_file_over_as_it_lies(tmp_path, clock, desk, start):
    start(replay(write(tmp_path, *STORY), clock))
    await clock.advance(120)
    assert desk.bodies[-1] == (tmp_path / "whole.json.gz").read_bytes()


@pytest.mark.parametrize("speed", [0.5, 1.0, 2.5, 8.0])
async def test_stamps_look_current_at_any_speed(tmp_path, clock, desk, start, speed):
    start(replay(write(tmp_path, *STORY), clock, speed=speed))
    await clock.advance(120 / speed)
    assert desk.times == pytest.approx([1.5 / speed, 10.25 / speed, 60 / speed, 100 / speed])
    assert desk.ages == pytest.approx([0.0] * 4, abs=1e-6)


async def test_a_loop_begins_again_with_stamps_made_current(tmp_path, clock, desk, start):
    task = start(replay(write(tmp_path, *STORY), clock, loop=True))
    await clock.advance(363)
    assert desk.times == [1.5, 10.25, 60.0, 100.0, 121.5, 130.25, 180.0, 220.0, 241.5, 250.25, 300.0, 340.0, 361.5]
    assert desk.ages == pytest.approx([0.0] * 13, abs=1e-6)
    assert Ended() not in desk.outcomes
    assert not task.done()


async def test_a_fast_loop_begins_again_after_its_shorter_round(tmp_path, clock, desk, start):
    start(replay(write(tmp_path, *STORY), clock, loop=True, speed=4.0))
    await clock.advance(61)
    assert desk.times[3:6] == [25.0, 30.375, 32.5625]
    assert desk.times[-1] == 60.375
    assert desk.ages == pytest.approx([0.0] * 9, abs=1e-6)


async def test_run_again_goes_on_at_the_present_second(tmp_path, clock, desk, start):
    feed = replay(write(tmp_path, *STORY), clock, loop=True)
    task = start(feed)
    await clock.advance(2)
    task.cancel()
    await clock.advance(30)
    assert desk.times == [1.5]
    start(feed)
    await clock.advance(100)
    assert desk.times == [1.5, 60.0, 100.0, 121.5, 130.25]
    assert desk.ages == pytest.approx([0.0] * 5, abs=1e-6)


async def test_run_after_the_end_only_says_so(tmp_path, clock, desk, start):
    await clock.advance(100.5)
    task = start(replay(write(tmp_path, *STORY), clock))
    await clock.settle()
    assert task.done()
    assert desk.outcomes == [Ended()]
    assert desk.arrivals == []


async def test_waits_for_a_start_that_lies_ahead(tmp_path, clock, desk, start):
    start(Replay("a", write(tmp_path, *STORY), started_at=NOW + 5, clock=clock, loop=True))
    await clock.advance(6.4)
    assert desk.arrivals == []
    await clock.advance(0.2)
    assert desk.times == [6.5]


async def test_a_slow_desk_gets_everything_late_and_with_its_age(tmp_path, clock, desk, start):
    desk.takes_s = 30.0
    start(replay(write(tmp_path, *STORY), clock))
    await clock.advance(200)
    assert desk.times == [1.5, 31.5, 61.5, 100.0]
    assert [a.received_at for _, a in desk.arrivals] == [NOW + t for t in desk.times]
    assert desk.ages == pytest.approx([0.0, 21.25, 1.5, 0.0])


async def test_a_desk_that_slept_a_whole_story_is_not_flooded(tmp_path, clock, desk, start):
    desk.takes_s = 1000.0
    start(replay(write(tmp_path, *STORY), clock, loop=True))
    await clock.advance(1002)
    desk.takes_s = 0.0
    await clock.advance(30)
    assert desk.times == [1.5, 1020.0]


@pytest.mark.parametrize("error", [MalformedPayload("not \x1b[31ma chain"), StoreError("disk full")])
async def test_a_refused_payload_is_reported_and_the_next_one_comes(tmp_path, clock, desk, start, error):
    def refuse_first(arrival: Arrival) -> None:
        if arrival.name.endswith("#0"):
            raise error

    desk.before = refuse_first
    start(replay(write(tmp_path, *STORY), clock))
    await clock.advance(11)
    assert desk.times == [10.25]
    assert isinstance(desk.outcomes[0], Failed)
    assert desk.outcomes[0].reason == str(error).replace("\x1b", " ")
    assert isinstance(desk.outcomes[1], Fetched)


async def test_a_file_that_breaks_meanwhile_is_a_failure_not_an_end(tmp_path, clock, desk, start):
    start(replay(write(tmp_path, *STORY), clock))
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b"a,b" * 999)[:-20])
    (tmp_path / "whole.json.gz").unlink()
    (tmp_path / "feed.jsonl.gz").write_bytes(gzip.compress(b'{"n": 0}\n'))
    await clock.advance(120)
    reasons = [outcome.reason for outcome in desk.outcomes if isinstance(outcome, Failed)]
    assert len(reasons) == 4
    assert reasons[0] == "feed.jsonl.gz: record 1 is asked for, it has 1 from 0"
    assert reasons[2].startswith("table.csv.gz: ")
    assert reasons[3].startswith("whole.json.gz: ")
    assert desk.bodies == [b'{"n": 0}']
    assert desk.outcomes[-1] == Ended()


async def test_files_are_read_when_they_are_due(tmp_path, clock, desk, start):
    start(replay(write(tmp_path, *STORY), clock))
    await clock.advance(5)
    (tmp_path / "table.csv.gz").write_bytes(gzip.compress(b"later"))
    (tmp_path / "feed.jsonl.gz").unlink()
    await clock.advance(60)
    # The second line of the open file came from memory.
    assert desk.bodies == [b'{"n": 0}', b'{"n": 1}', b"later"]


@pytest.mark.parametrize(("loop", "expected"), [(True, [0.0, 47.0, 7.0]), (False, [0.0, 47.0, 120.0])])
async def test_position_tells_the_story_second(tmp_path, clock, loop, expected):
    feed = Replay("a", write(tmp_path, *STORY), started_at=NOW + 10, clock=clock, loop=loop, speed=2.0)
    positions = [feed.position_s]
    for seconds in (10 + 23.5, 40):
        await clock.advance(seconds)
        positions.append(feed.position_s)
    assert positions == expected
    assert feed.length_s == 120.0


@pytest.mark.parametrize(
    ("events", "start_line", "says"),
    [
        ((payload(1, "gone.json"),), START, "line 2 names gone.json, which is not in"),
        ((payload(1, "../story.jsonl"),), START, "allowed: a path below"),
        ((payload(1, "/etc/hostname"),), START, "allowed: a path below"),
        ((payload(-1, "b.json"),), START, "line 2: at_s is -1"),
        ((payload(120, "b.json"),), START, "allowed: 0 to below 120"),
        ((payload(1, "feed.jsonl.gz", -1),), START, "record is -1"),
        (({"at_s": 1, "source": "a", "kind": "pause"},), START, "kind is 'pause'; allowed: payload, fail"),
        (({"at_s": "soon", "source": "a", "kind": "fail"},), START, "line 2: "),
        ((payload(1, "b.json", source="c"),), START, "has nothing of source a; it tells of: c"),
        ((payload(1, "b.json"),), {**START, "length_s": 0}, "line 1 must be of kind start"),
        ((payload(1, "b.json"),), {"kind": "start", "length_s": 120}, "line 1 must be of kind start"),
        ((payload(1, "b.json"),), payload(1, "b.json"), "line 1 must be of kind start"),
    ],
)
def test_a_broken_story_is_refused_at_once(tmp_path, clock, events, start_line, says):
    write(tmp_path, *events, start=start_line)
    with pytest.raises(SettingsError, match=r"story\.jsonl") as caught:
        replay(tmp_path, clock)
    assert says in caught.value.message


@pytest.mark.parametrize("text", [b"", b"not json\n", b'{"kind": "start"', b"\xff\xfe\n"])
def test_a_story_that_is_no_story_is_refused(tmp_path, clock, text):
    write(tmp_path)
    (tmp_path / "story.jsonl").write_bytes(text)
    with pytest.raises(SettingsError, match="line 1"):
        replay(tmp_path, clock)


def test_a_missing_story_says_how_to_get_one(tmp_path, clock):
    with pytest.raises(SettingsError, match="gexdesk sample"):
        replay(tmp_path, clock)


@pytest.mark.parametrize("speed", [0.0, -1.0, float("nan"), float("inf")])
def test_a_speed_that_leads_nowhere_is_refused(tmp_path, clock, speed):
    with pytest.raises(SettingsError, match="allowed: above 0"):
        replay(write(tmp_path, *STORY), clock, speed=speed)


async def test_the_committed_story_plays_from_every_source(desk, clock, start):
    folder = Path(__file__).parents[2] / "sample_data"
    names = {json.loads(line).get("source") for line in (folder / "story.jsonl").read_text().splitlines()} - {None}
    for name in sorted(names):
        start(replay(folder, clock, name=name))
    await clock.advance(120)
    events = [json.loads(line) for line in (folder / "story.jsonl").read_text().splitlines()[1:]]
    assert len(desk.arrivals) == sum(event["kind"] == "payload" for event in events)
    assert sum(isinstance(outcome, Failed) for outcome in desk.outcomes) == sum(event["kind"] == "fail" for event in events)
    assert desk.outcomes.count(Ended()) == len(names)
