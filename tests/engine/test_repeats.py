"""A payload that is its source's last one again makes no job, whatever became of the engine in between."""

import asyncio
import hashlib
import os
import shutil
import time
from pathlib import Path

from gexdesk.engine.repeats import Repeats
from gexdesk.model.payload import Arrival, Asked, Payload
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, parts_of, rows, settings_of, source_of
from tests.until import until


def arrival(body: bytes = b"1", source: str = "a", **options) -> Arrival:
    return Arrival(source=source, body=body, received_at=1.0, **options)


def kept(body: bytes = b"1", source: str = "a", **options) -> Payload:
    return Payload(f"id-{source}", source, 1.0, hashlib.sha256(body).hexdigest(), len(body), **options)


async def test_only_the_same_bytes_of_the_same_source_and_time_are_a_repeat() -> None:
    repeats = Repeats()
    assert await repeats.of(arrival()) is None
    repeats.remember(kept())
    assert await repeats.of(arrival()) == kept()
    assert await repeats.of(arrival(b"2")) is None
    assert await repeats.of(arrival(b"11")) is None
    assert await repeats.of(arrival(source="b")) is None
    assert await repeats.of(arrival(time_shift_s=60.0)) is None, "a replay plays the same bytes at another time"
    assert await repeats.of(arrival(asked=Asked("r-1", "snapshot"))) == kept()
    repeats.remember(kept(b"2"))
    assert await repeats.of(arrival()) is None, "only the last one"
    history = Asked("r-1", "historical")
    repeats.remember(kept(b"1", asked=history))
    assert await repeats.of(arrival()) is None, "what a request brought may be history: the feed's own goes to readers"
    assert await repeats.of(arrival(b"2")) is not None
    assert await repeats.of(arrival(asked=Asked("r-2", "snapshot"))) is None
    assert await repeats.of(arrival(asked=Asked("r-3", "historical"))) == kept(b"1", asked=history)


async def test_large_bodies_are_told_apart_too() -> None:
    repeats, body = Repeats(), bytes(1 << 20)
    repeats.remember(kept(body))
    assert await repeats.of(arrival(body)) is not None
    assert await repeats.of(arrival(body[:-1] + b"x")) is None


async def test_a_polled_document_that_stands_still_is_one_job(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", folder_source("feed", tmp_path / "feed"))
    body = gexbot_at(1.0)
    async with engine_on(settings) as engine:
        for _ in range(20):
            await parts_of(engine).receive.deliver(arrival(body, "feed"))
        await until(lambda: engine.closing().open == 0)
        closing = engine.closing()
    assert (closing.received, closing.completed, closing.dead, closing.repeats) == (20, 1, 0, 19)


async def test_a_file_handed_over_just_before_a_kill_is_one_job(tmp_path: Path) -> None:
    state, feed = tmp_path / "state", tmp_path / "feed"
    body, other = gexbot_at(2.0), gexbot_at(1.0)
    async with engine_on(settings_of(state, folder_source("feed", feed))) as engine:
        drop(feed, "one.json", other)
        drop(feed, "two.json", body)
        await until(lambda: engine.closing().completed == 2)
        await asyncio.sleep(0.3)
        # What a kill at this moment leaves, before the folder's own note of the file.
        killed = tmp_path / "killed"
        shutil.copytree(state, killed, ignore=shutil.ignore_patterns("*.sock", "copies"))
    memory = killed / "taken-feed.jsonl"
    lines = memory.read_text().splitlines(keepends=True)
    assert len(lines) == 2
    memory.write_text(lines[0])
    async with engine_on(settings_of(killed, folder_source("feed", feed))) as engine:
        await until(lambda: engine.closing().received > 0)
        await until(lambda: engine.closing().open == 0)
        closing = engine.closing()
    assert (closing.received, closing.repeats, closing.completed) == (1, 1, 0)
    assert len(rows("SELECT * FROM jobs", killed)) == 2


async def test_lines_that_are_added_to_a_file_are_stored_once_each_and_none_is_flagged(tmp_path: Path) -> None:
    state, feed = tmp_path / "state", tmp_path / "feed"
    lines = [gexbot_at(60.0 - 2.0 * number) for number in range(10)]
    async with engine_on(settings_of(state, folder_source("feed", feed))) as engine:
        day = drop(feed, "SPX.jsonl", b"\n".join(lines[:5]) + b"\n")
        await until(lambda: engine.closing().completed == 1)
        with day.open("ab") as file:
            file.write(b"\n".join(lines[5:]) + b"\n")
        os.utime(day, (time.time() - 60.0,) * 2)
        await until(lambda: engine.closing().completed == 2)
    stored = rows("SELECT as_of, revision, flags FROM snapshots ORDER BY as_of", state)
    assert len(stored) == 10
    assert [(row["revision"], row["flags"]) for row in stored] == [(1, [])] * 10


async def test_the_counts_of_a_lifetime_outlive_the_engine(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", folder_source("feed", tmp_path / "feed"))
    for number in range(1, 4):
        async with engine_on(settings) as engine:
            drop(tmp_path / "feed", f"{number}.json", gexbot_at(float(number)))
            await until(lambda: engine.closing().completed == 1)
            requests = source_of(await engine.view(), "feed").requests
            before = parts_of(engine).ledger["feed"].tries.requests_before
            assert (before > 0) == (number > 1)
    [record] = rows("SELECT requests, successes FROM sources WHERE name = 'feed'", tmp_path / "state")
    assert record["requests"] >= before + requests
    assert before >= 2


async def test_several_at_once_are_jobs_in_their_order_but_for_what_repeats_the_one_before(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", folder_source("feed", tmp_path / "feed"))
    one, two, three = (gexbot_at(1.0 - 0.1 * n, net=float(n)) for n in range(3))
    async with engine_on(settings) as engine:
        receive = parts_of(engine).receive
        await receive.deliver_together([arrival(body, "feed") for body in (one, one, two, one)])
        assert engine.closing().received == 4
        await receive.deliver_together([arrival(body, "feed") for body in (one, one)])
        await receive.deliver_together([arrival(body, "feed") for body in (one, three)])
        await until(lambda: engine.closing().open == 0)
        closing = engine.closing()
    assert (closing.received, closing.completed, closing.dead, closing.repeats) == (8, 4, 0, 4)
    kept = rows("SELECT payload_sha256 FROM jobs ORDER BY job_id", settings.state)
    assert [row["payload_sha256"] for row in kept] == [hashlib.sha256(body).hexdigest() for body in (one, two, one, three)]


async def test_many_files_handed_over_just_before_a_kill_are_one_job_each(tmp_path: Path) -> None:
    """Several are acknowledged with one sync; good ones and dead ones, the last one dead."""
    state, feed, aside = tmp_path / "state", tmp_path / "feed", tmp_path / "aside"
    for number in range(24):
        drop(aside, f"{number:02}.json", b"{ %d" % number if number % 6 == 5 else gexbot_at(3.0 - number / 10, net=float(number)))
    async with engine_on(settings_of(state, folder_source("feed", feed))) as engine:
        await until(feed.is_dir)
        for path in sorted(aside.iterdir()):
            path.rename(feed / path.name)
        await until(lambda: (engine.closing().completed, engine.closing().dead) == (20, 4))
        await asyncio.sleep(0.3)
        killed = tmp_path / "killed"
        shutil.copytree(state, killed, ignore=shutil.ignore_patterns("*.sock", "copies"))
    (killed / "taken-feed.jsonl").unlink()
    async with engine_on(settings_of(killed, folder_source("feed", feed))) as engine:
        await until(lambda: engine.closing().repeats == 24)
        drop(feed, "05.json", b"{ 5")  # handed in once more, by hand: it is looked at again
        await until(lambda: engine.closing().dead == 1)
    assert rows("SELECT count(*) n FROM jobs", killed) == [{"n": 25}]
    assert rows("SELECT count(*) n FROM dead_letters", killed) == [{"n": 5}]
