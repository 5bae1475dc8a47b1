"""What another program asked for: accepted durably, fetched once, told how it stands; never more than a request."""

import asyncio
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import duckdb
import pytest

from gexdesk.api.client import Client
from gexdesk.cli import launch
from gexdesk.engine.engine import Engine
from gexdesk.engine.requests import KEEP_ENDED_S, Requests
from gexdesk.model.errors import SubmissionRefused, UnknownTarget
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.look.symbol import SymbolLook
from gexdesk.model.request import DataType, PriorityHint, RequestMetadata, RequestStands, RequestStatus, Submission
from gexdesk.settings.desk import Settings
from tests.cli.program import started
from tests.engine.desk_setting import engine_on, gexbot_at, in_house_at, parts_of, pull, rows
from tests.feed_server import Answer, FeedServer
from tests.until import until

ENDED = (RequestStatus.COMPLETED, RequestStatus.FAILED)


@asynccontextmanager
async def desk(folder: Path, feed: FeedServer, **fields: Any) -> AsyncIterator[Engine]:
    """Run an engine whose source ``own`` has asked its server once, and asks no more by itself."""
    async with engine_on(settings(folder, feed, **fields)) as engine:
        if fields.get("level") != "":
            await until(lambda: engine.closing().received >= 1)
            await until(lambda: engine.closing().open == 0)
        yield engine


def settings(folder: Path, feed: FeedServer, **fields: Any) -> Settings:
    source = {"kind": "http", "name": "own", "url": f"{feed.url}/feed/SPX.json", "every_s": 3600, "level": "auto"} | fields
    return Settings.model_validate({"state": folder / "state", "sources": [source]})


def asking(feed: FeedServer, name: str = "x.json", symbol: str = "SPX", **metadata: Any) -> Submission:
    kind = metadata.pop("data_type", DataType.REAL_TIME)
    return Submission(f"{feed.url}/feed/{name}", kind, symbol, RequestMetadata(**metadata))


async def ended(engine: Engine, request_id: str) -> RequestStands:
    """Return how a request ended."""
    async def over() -> bool:
        return (await engine.request(request_id)).status in ENDED

    await until(over)
    return await engine.request(request_id)


def adds_up(engine: Engine) -> bool:
    """Say whether every acknowledged payload is in exactly one place."""
    closing = engine.closing()
    return closing.received == closing.completed + closing.dead + closing.repeats + closing.open


async def test_every_payload_is_counted_once_at_every_moment(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed, desk(tmp_path, feed) as engine:
        wrong = []

        async def watch() -> None:
            while True:
                if not adds_up(engine):
                    wrong.append(engine.closing())
                await asyncio.sleep(0)

        watching = asyncio.create_task(watch())
        bodies = [gexbot_at(2.0 - n / 10, net=float(n)) for n in range(8)]
        feed.answers = [Answer(body=body) for body in (*bodies, b"{}", bodies[-1], bodies[-1])]
        taken = []
        for n in range(11):  # one after the other, so that each gets the answer meant for it
            taken.append(await engine.submit(asking(feed, f"{n}.json"), "jm"))
            await ended(engine, taken[-1].request_id)
        await until(lambda: engine.closing().open == 0)
        watching.cancel()
        assert wrong == []
        closing = engine.closing()
        assert (closing.received, closing.completed, closing.dead, closing.repeats) == (12, 10, 1, 1)
        stands = [await engine.request(one.request_id) for one in taken]
    assert [one.status for one in stands] == [RequestStatus.COMPLETED] * 8 + [RequestStatus.FAILED] + [RequestStatus.COMPLETED] * 2
    assert stands[8].error_message
    assert stands[9].error_message is None  # the last one of these bytes lay before something else
    assert stands[10].error_message == "the same bytes as before: they are stored already, nothing is new"
    assert stands[10].records_processed == 0
    kept = rows("SELECT status, error, records, job_id, requested_by FROM requests ORDER BY requested_at", tmp_path / "state")
    assert [row["status"] for row in kept] == [str(one.status) for one in stands]
    assert {row["requested_by"] for row in kept} == {"jm"}


async def test_a_document_of_another_symbol_says_so_and_is_stored_as_what_it_is(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed, desk(tmp_path, feed) as engine:
        feed.answers = [Answer(body=gexbot_at(1.0, "NDX"))]
        taken = await engine.submit(asking(feed, symbol="SPX"), "jm")
        found = await ended(engine, taken.request_id)
        assert (found.status, found.records_processed) == (RequestStatus.COMPLETED, 1)
        assert found.error_message == "the document is of NDX, SPX was asked for"
    assert {row["symbol"] for row in rows("SELECT symbol FROM snapshots", tmp_path / "state")} == {"SPX", "NDX"}


async def test_history_that_was_asked_for_is_never_live_and_moves_nothing_of_its_source(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=in_house_at(30.0))) as feed, desk(tmp_path, feed) as engine:
        before = await engine.look(SymbolLook("RUT"))
        account = parts_of(engine).ledger["own"]
        decided = account.decided
        # Newer than what readers have, twice as large: live data would go to them and change the level, at any hour of the market.
        feed.answers = [Answer(body=in_house_at(1.0, gex=2e8))]
        taken = await engine.submit(asking(feed, symbol="RUT", data_type=DataType.HISTORICAL), "jm")
        assert (await ended(engine, taken.request_id)).status == RequestStatus.COMPLETED
        after = await engine.look(SymbolLook("RUT"))
        assert after.view.as_of == before.view.as_of
        assert account.decided == decided
        # The same bytes from the feed itself are live all the same, and compared with the feed's last one.
        await parts_of(engine).receive.deliver(_own(engine, feed.answers[0].body))
        await until(lambda: engine.closing().open == 0)
        assert (await engine.look(SymbolLook("RUT"))).view.as_of > before.view.as_of
    history, live = rows("SELECT data_type, gamma_change FROM decisions ORDER BY decided_at DESC LIMIT 2", tmp_path / "state")[::-1]
    assert (history["data_type"], live["data_type"]) == ("historical", "real_time")
    assert history["gamma_change"] is None
    assert live["gamma_change"] is not None


def _own(engine: Engine, body: bytes):  # type: ignore[no-untyped-def]
    from gexdesk.model.payload import Arrival

    return Arrival("own", body, parts_of(engine).clock.now(), "application/json", "/feed/RUT.json")


async def test_a_hint_moves_the_score_and_never_the_level(tmp_path: Path) -> None:
    hints = [None, *PriorityHint]
    async with FeedServer(Answer(body=in_house_at(900.0))) as feed, desk(tmp_path, feed) as engine:
        for number, hint in enumerate(hints):
            feed.answers = [Answer(body=in_house_at(800.0 - number, gex=9e9))]
            taken = await engine.submit(asking(feed, symbol="RUT", priority_hint=hint), "jm")
            assert taken.priority_level == Level.LOW  # as its source's last decision, whatever was hinted
            assert (await ended(engine, taken.request_id)).priority_level == Level.LOW
    decided = rows("SELECT level, priority_hint FROM decisions ORDER BY decided_at", tmp_path / "state")[1:]
    assert decided == [{"level": "LOW", "priority_hint": None if hint is None else str(hint)} for hint in hints]


async def test_a_paused_source_is_not_asked_and_its_requests_wait(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed, desk(tmp_path, feed) as engine:
        asked = len(feed.requests)
        feed.answers = [Answer(body=gexbot_at(1.0))]
        for stop, go, target in ((Verb.PAUSE, Verb.RESUME, "own"), (Verb.PAUSE_ALL, Verb.RESUME_ALL, "")):
            await pull(engine, stop, target)
            taken = await engine.submit(asking(feed, f"{stop}.json"), "jm")
            await asyncio.sleep(0.3)
            assert (await engine.request(taken.request_id)).status == RequestStatus.QUEUED
            assert not any(request.path == f"/feed/{stop}.json" for request in feed.requests)
            assert parts_of(engine).requests.waiting == 1
            await pull(engine, go, target)
            assert (await ended(engine, taken.request_id)).status == RequestStatus.COMPLETED
            feed.answers = [Answer(body=gexbot_at(0.5))]
        assert len(feed.requests) > asked


async def test_a_source_without_a_level_takes_no_requests(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed, desk(tmp_path, feed, level="") as engine:
        with pytest.raises(SubmissionRefused, match="own has no level"):
            await engine.submit(asking(feed), "jm")
        assert parts_of(engine).requests.waiting == 0


async def test_too_many_open_requests_are_told_when_to_come_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.engine.requests.OPEN_LIMIT", 2)
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed, desk(tmp_path, feed) as engine:
        await pull(engine, Verb.PAUSE, "own")
        positions = [(await engine.submit(asking(feed, f"{n}.json"), "jm")).queue_position for n in range(2)]
        assert positions == [1, 2]
        with pytest.raises(SubmissionRefused, match="2 requests are open") as refused:
            await engine.submit(asking(feed, "3.json"), "jm")
        assert refused.value.details == {"retry_after_s": 5}


async def test_what_ended_long_ago_is_forgotten_what_is_open_never(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed, desk(tmp_path, feed) as engine:
        feed.answers = [Answer(status=404)]
        monkeypatch.setattr(Requests, "_is_held", lambda self, record: record.source_url.endswith("waits.json"))
        waits = await engine.submit(asking(feed, "waits.json"), "jm")
        monkeypatch.setattr("gexdesk.engine.requests.KNOWN_LIMIT", 3)
        done = []
        for n in range(4):
            done.append((await engine.submit(asking(feed, f"{n}.json"), "jm")).request_id)
            await until(lambda: parts_of(engine).requests.waiting == 1)
        for request_id in done[:2]:
            with pytest.raises(UnknownTarget, match="is open or ended within a day"):
                await engine.request(request_id)
        assert (await engine.request(waits.request_id)).status == RequestStatus.QUEUED
        monkeypatch.setattr("gexdesk.engine.requests.KEEP_ENDED_S", -KEEP_ENDED_S)
        feed.answers = [Answer(status=500)]
        failed = await engine.submit(asking(feed, "f.json"), "jm")
        await until(lambda: parts_of(engine).requests.waiting == 1)
        with pytest.raises(UnknownTarget):
            await engine.request(failed.request_id)


async def test_what_was_accepted_and_not_fetched_is_fetched_by_the_next_engine(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        async with desk(tmp_path, feed) as engine:
            await pull(engine, Verb.PAUSE, "own")
            taken = await engine.submit(asking(feed, "later.json"), "jm")
        feed.answers = [Answer(body=gexbot_at(age_s)) for age_s in (2.0, 1.0)]  # the source itself asks too
        async with engine_on(settings(tmp_path, feed)) as engine:
            await pull(engine, Verb.RESUME, "own")
            found = await ended(engine, taken.request_id)
            assert (found.status, found.records_processed) == (RequestStatus.COMPLETED, 1)
        async with engine_on(settings(tmp_path, feed)) as engine:
            assert (await engine.request(taken.request_id)) == found
        assert sum(request.path == "/feed/later.json" for request in feed.requests) == 1


@pytest.mark.parametrize("at", ["accepted", "fetched"])
async def test_a_kill_after_202_costs_nothing_and_does_nothing_twice(tmp_path: Path, at: str) -> None:
    """Accepted: its fetch is under way when the engine dies. Fetched: its payload is in the spool, and no end was noted."""
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        source = f'[[sources]]\nname = "own"\nkind = "http"\nurl = "{feed.url}/feed/SPX.json"\nevery_s = 3600\nlevel = "auto"\n'
        (tmp_path / "gexdesk.toml").write_text(source)
        engine = started(tmp_path, "run", "--config", "gexdesk.toml", "--state", "state")
        client = Client(tmp_path / "state", timeout_s=20)
        try:
            await until(lambda: launch.runs(tmp_path / "state"))

            async def first() -> bool:
                return (await client.view()).completed == 1

            await until(first)
            feed.answers = [Answer(body=gexbot_at(1.0), delay_s=30 if at == "accepted" else 0)]
            taken = await client.submit(asking(feed, "later.json"))
            if at == "accepted":
                await until(lambda: any(request.path == "/feed/later.json" for request in feed.requests))
            else:

                async def spooled() -> bool:
                    return (await client.view()).received == 2

                await until(spooled, every_s=0.001)
        finally:
            engine.send_signal(signal.SIGKILL)
            await asyncio.to_thread(engine.communicate)
        feed.answers = [Answer(body=gexbot_at(1.0) if at == "accepted" else b"not this one")]
        engine = started(tmp_path, "run", "--config", "gexdesk.toml", "--state", "state")
        try:
            await until(lambda: launch.runs(tmp_path / "state"))

            async def done() -> bool:
                return (await client.request(taken.request_id)).status in ENDED

            await until(done)
            found = await client.request(taken.request_id)
            assert (found.status, found.records_processed, found.error_message) == (RequestStatus.COMPLETED, 1, None)
        finally:
            await stop(engine)
        fetches = sum(request.path == "/feed/later.json" for request in feed.requests)
        assert fetches == (2 if at == "accepted" else 1)
    jobs = rows("SELECT payload_name, status FROM jobs WHERE payload_name = '/feed/later.json'", tmp_path / "state")
    assert jobs == [{"payload_name": "/feed/later.json", "status": "COMPLETED"}]
    assert rows("SELECT count(*) AS n FROM requests", tmp_path / "state") == [{"n": 1}]


async def stop(engine: "subprocess.Popen[str]") -> None:
    engine.terminate()
    await asyncio.to_thread(engine.communicate, timeout=30)


async def test_a_kill_between_the_end_of_a_job_and_its_note_is_made_good(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        async with desk(tmp_path, feed) as engine:
            feed.answers = [Answer(body=gexbot_at(1.0))]
            # What a kill leaves: the queue and the stores have the end, the log of requests has not, nor has the spool let go.
            hanging = asyncio.Event()

            async def hang(*_: object) -> None:
                hanging.set()
                await asyncio.sleep(60)

            monkeypatch.setattr(Requests, "job_ended", hang)
            taken = await engine.submit(asking(feed, "later.json"), "jm")
            await hanging.wait()
            monkeypatch.undo()
            monkeypatch.setattr("gexdesk.engine.engine.DRAIN_S", 0.1)
        async with engine_on(settings(tmp_path, feed)) as engine:
            found = await engine.request(taken.request_id)
            assert (found.status, found.records_processed) == (RequestStatus.COMPLETED, 1)
        assert sum(request.path == "/feed/later.json" for request in feed.requests) == 1


async def test_what_the_log_knows_and_a_kill_kept_from_the_stores_is_stored_by_the_next_engine(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        async with desk(tmp_path, feed) as engine:
            feed.answers = [Answer(body=gexbot_at(1.0))]
            done = await engine.submit(asking(feed, "a.json?key=s3cret"), "jm")
            await ended(engine, done.request_id)
            await pull(engine, Verb.PAUSE, "own")
            waits = await engine.submit(asking(feed, "b.json"), "jm")
        with duckdb.connect(str(tmp_path / "state" / "metadata.duckdb")) as stores:  # rows that were waiting when it was killed
            stores.execute("DELETE FROM requests WHERE request_id = $id", {"id": waits.request_id})
            lost = "UPDATE requests SET status = 'QUEUED', completed_at = NULL WHERE request_id = $id"
            stores.execute(lost, {"id": done.request_id})
        async with engine_on(settings(tmp_path, feed)):
            pass
    found = rows("SELECT request_id, status, completed_at IS NULL AS open, source_url FROM requests", tmp_path / "state")
    kept = {row["request_id"]: (row["status"], row["open"], row["source_url"].rpartition("/")[2]) for row in found}
    assert kept == {done.request_id: ("COMPLETED", False, "a.json"), waits.request_id: ("QUEUED", True, "b.json")}


async def test_damaged_and_half_written_lines_of_the_log_cost_only_themselves(tmp_path: Path) -> None:
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        async with desk(tmp_path, feed) as engine:
            await pull(engine, Verb.PAUSE, "own")
            taken = [await engine.submit(asking(feed, f"{n}.json"), "jm") for n in range(3)]
        log = tmp_path / "state" / "requests.jsonl"
        assert os.stat(log).st_mode & 0o777 == 0o600
        lines = log.read_bytes().splitlines(keepends=True)
        assert [json.loads(line)["request_id"] for line in lines] == [one.request_id for one in taken]
        log.write_bytes(lines[0] + lines[1][:40] + b"\n" + lines[2] + lines[0][:30])
        async with engine_on(settings(tmp_path, feed)) as engine:
            for one in (taken[0], taken[2]):
                assert (await engine.request(one.request_id)).status == RequestStatus.QUEUED
            with pytest.raises(UnknownTarget):
                await engine.request(taken[1].request_id)
            told = [line.text for line in (await engine.view()).log if "requests.jsonl" in line.text]
            assert told
            assert told[0].startswith("1 line of requests.jsonl could not be read")
    assert (tmp_path / "state" / "requests.jsonl.damaged").read_bytes() == lines[1][:40] + b"\n"


async def test_the_log_is_written_anew_while_requests_come_and_loses_none(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.stores.request_log.REWRITE_LEAST", 20)
    monkeypatch.setattr("gexdesk.stores.request_log.REWRITE_TIMES", 0)
    async with FeedServer(Answer(body=gexbot_at(3.0))) as feed:
        async with desk(tmp_path, feed) as engine:
            feed.answers = [Answer(status=404)]
            taken = await asyncio.gather(*(engine.submit(asking(feed, f"{n}.json"), "jm") for n in range(60)))
            await until(lambda: parts_of(engine).requests.waiting == 0)
        lines = (tmp_path / "state" / "requests.jsonl").read_bytes().splitlines()
        assert 60 <= len(lines) < 100  # 120 without
        async with engine_on(settings(tmp_path, feed)) as engine:
            for one in taken:
                found = await engine.request(one.request_id)
                assert (found.status, found.error_message) == (RequestStatus.FAILED, "404 Not Found")
