"""One source, one payload, the log, the audit and the machine, as a screen asks for them."""

import asyncio
import gzip
from pathlib import Path

import pytest

from gexdesk.engine.beginning import LIMIT_BYTES, beginning_of
from gexdesk.engine.chronicle import Chronicle
from gexdesk.model.errors import UnknownTarget
from gexdesk.model.job import JobStatus
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.look.record import AuditLook, LogLook
from gexdesk.model.look.source import DeadLook, PayloadLook, SourceLook
from tests.engine.desk_setting import (
    chain_at,
    drop,
    engine_on,
    folder_source,
    gexbot_at,
    hand_in,
    parts_of,
    pull,
    settings_of,
    source_of,
)
from tests.until import until
from tests.virtual_clock import VirtualClock


async def test_a_source_tells_its_decisions_with_what_they_rested_on_and_its_dead_letters(tmp_path: Path) -> None:
    big = folder_source("big", tmp_path / "big", assume={"volume": 600_000, "open_interest": 1_400_000}, delay_s=60)
    async with engine_on(settings_of(tmp_path / "state", big)) as engine:
        drop(tmp_path / "big", "a.json", gexbot_at(1.0))
        drop(tmp_path / "big", "b.json", b'{"broken')

        async def there() -> bool:
            seen = await engine.look(SourceLook("big"))
            return bool(seen.decisions and seen.letters)

        await until(there)
        seen = await engine.look(SourceLook("big"))
        [one] = seen.decisions
        assert (one.symbol, one.source, one.job_id) == ("SPX", "big", seen.last_job)
        assert one.features["volume"] == 600_000
        assert one.features["volume_from"] == "assumed"
        assert one.features["gamma_change"] is None, "there is no snapshot before the first"
        age_s = one.features["data_age_s"]
        assert isinstance(age_s, float)
        assert 61 <= age_s < 70
        assert one.decision.matches[0].guideline == one.decision.winner
        assert one.decision.parts.total > 0
        assert [letter.kind for letter in seen.letters] == ["unrecognised_format"]
        assert [(carried.symbol, carried.feed.role) for carried in seen.symbols] == [("SPX", "serving")]
        assert seen.last_payload_at is not None
        assert seen.assumed == (600_000.0, 1_400_000.0)
        with pytest.raises(UnknownTarget, match="no source is named 'nobody'"):
            await engine.look(SourceLook("nobody"))


async def test_a_payload_is_followed_from_its_place_in_the_queue_to_what_it_made(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("drop", tmp_path / "drop"))) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        body = gexbot_at(1.0)
        await hand_in(engine, "drop", gzip.compress(body))
        [job] = await parts_of(engine).queue.jobs_of("drop")
        waits = await engine.look(PayloadLook(job.job_id, bytes_wanted=100))
        assert (waits.stands.status, waits.source, waits.snapshots) == ("QUEUED", "drop", ())
        assert waits.decisions[0].decision.level is job.level
        shown = waits.beginning
        assert shown is not None
        assert (shown.packed, shown.kind, shown.whole, shown.shown_bytes) == ("gzip", "text", False, 100)
        assert "".join(shown.lines) == body[:100].decode()
        await pull(engine, Verb.RESUME_ALL)

        async def stored() -> bool:
            return (await engine.look(PayloadLook(job.job_id))).stands.status == "COMPLETED"

        await until(stored)
        seen = await engine.look(PayloadLook(job.job_id))
        assert seen.beginning is None, "it was not asked for"
        assert [(made.symbol, made.quarantined) for made in seen.snapshots] == [("SPX", False)]
        assert len(seen.decisions) == 1
        assert seen.sha256 == waits.sha256
        stands = seen.stands
        times = [at for at in (stands.received_at, stands.decided_at, stands.available_at, stands.completed_at) if at is not None]
        assert len(times) == 4
        assert times == sorted(times)
        with pytest.raises(UnknownTarget, match="no payload"):
            await engine.look(PayloadLook("0000-never"))


async def test_a_dead_letter_shows_its_bytes_and_its_reason(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("drop", tmp_path / "drop"))) as engine:
        drop(tmp_path / "drop", "bad.json", b'{"timestamp": 12\x1b[2J')

        async def buried() -> bool:
            letters = (await engine.look(DeadLook())).letters  # written before the queue is told
            return bool(letters) and await parts_of(engine).queue.status(letters[0].job_id) is JobStatus.DEAD

        await until(buried)
        [letter] = (await engine.look(DeadLook())).letters
        seen = await engine.look(PayloadLook(letter.job_id, bytes_wanted=4096))
        assert seen.letter == letter
        assert seen.stands.status == "DEAD"
        assert seen.decisions == ()
        assert seen.beginning is not None
        assert seen.beginning.lines == ('{"timestamp": 12·[2J',), "a terminal is never steered, and nothing moves in its place"

        async def opened() -> bool:
            return any(incident.job_id == letter.job_id for incident in (await engine.view()).incidents)

        await until(opened)
        await pull(engine, Verb.DISCARD, letter.job_id, target_kind="dead")

        async def settled() -> bool:
            return (await engine.look(PayloadLook(letter.job_id))).stands.status == "DISCARDED"

        await until(settled)


async def test_the_audit_is_given_with_the_worth_of_its_chain(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("drop", tmp_path / "drop"))) as engine:
        for level in (Level.HIGH, Level.LOW, Level.MEDIUM):
            await pull(engine, Verb.OVERRIDE, "drop", f"because {level}", level=level)
        seen = await engine.look(AuditLook(limit=2))
        assert [(act.actor, act.act, act.reason) for act in seen.acts] == [
            ("jm", "override", "because LOW"), ("jm", "override", "because MEDIUM"),
        ]  # fmt: skip
        assert seen.checked_at is None, "nobody asked for a check yet"
        held = await engine.look(AuditLook(check=True))
        assert (held.checked_lines, held.broken) == (3, "")
        path = tmp_path / "state" / "audit.jsonl"
        path.write_bytes(path.read_bytes().replace(b"because LOW", b"because TOP"))
        broken = await engine.look(AuditLook(check=True))
        assert broken.checked_lines == 1
        assert broken.broken.startswith("line 2: ")
        assert (await engine.look(AuditLook())).broken == broken.broken, "what was found stays said"


async def test_the_machine_tells_its_order_its_slots_and_what_lifts_scores(tmp_path: Path) -> None:
    drop_source = folder_source("drop", tmp_path / "drop", assume={"volume": 600_000, "open_interest": 1_400_000})
    async with engine_on(settings_of(tmp_path / "state", drop_source)) as engine:
        drop(tmp_path / "drop", "a.json", gexbot_at(1.0))

        async def done() -> bool:
            return source_of(await engine.view(), "drop").completed == 1

        await until(done)
        seen = await engine.look(MachineLook())
        assert seen.engine_id == (await engine.view()).engine_id
        assert (seen.dispatches, seen.deviating) == (1, 0)
        [part] = seen.parts
        assert (part.level, part.count) == (Level.HIGH, 1)
        assert part.impact > 0
        assert [slot.reserved for slot in seen.slots] == [False] * (len(seen.slots) - 1) + [True]
        assert all(slot.what == "" and slot.since is None for slot in (*seen.slots, *seen.pool)), "all is done"
        assert seen.memory_bytes > 10_000_000
        assert seen.spool_bytes > 0


async def test_a_slot_and_its_process_say_what_they_have_in_hand(tmp_path: Path) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("drop", tmp_path / "drop"))) as engine:
        seen: set[str] = set()
        decoding: set[str] = set()

        async def watch() -> None:
            while not any("drop" in words for words in seen):
                seen.update(slot.what for slot in parts_of(engine).work.inside if slot.since is not None)
                decoding.update(slot.what for slot in parts_of(engine).pool.inside if slot.since is not None)
                await asyncio.sleep(0)

        async with asyncio.timeout(10), asyncio.TaskGroup() as group:
            group.create_task(watch())
            for number in range(5):
                drop(tmp_path / "drop", f"{number}.json", chain_at(1.0, f"S{number}", contracts=1500))
        assert any(words.startswith("S") and " drop " in words for words in seen)
        assert any(words.startswith(("decides ", "processes ")) and " bytes at " in words for words in decoding)


async def test_the_log_is_given_by_time_kind_and_text() -> None:
    clock = VirtualClock()
    chronicle = Chronicle(clock)
    began = clock.now()
    for number in range(200):
        chronicle.tell("decision", f"SPX number {number}")
        if number % 50 == 0:
            chronicle.tell("lever", f"jm promote SPX {number}")
        await clock.advance(1.0)
    newest = await chronicle.answer(LogLook(limit=3))
    assert [line.text for line in newest.lines] == ["SPX number 197", "SPX number 198", "SPX number 199"]
    assert newest.more
    assert newest.first_at == began
    levers = await chronicle.answer(LogLook(kinds=("lever",)))
    assert [line.text for line in levers.lines] == [f"jm promote SPX {n}" for n in (0, 50, 100, 150)]
    assert not levers.more
    then = await chronicle.answer(LogLook(limit=2, to_at=began + 50.5))
    assert [line.text for line in then.lines] == ["SPX number 50", "jm promote SPX 50"]
    assert (await chronicle.answer(LogLook(text="NUMBER 7"))).lines[0].text == "SPX number 7"
    assert len(chronicle.lines()) == 64, "the screen's own log stays short: 60 decisions and the four levers"


def test_the_beginning_of_anything_is_safe_and_bounded() -> None:
    bomb = gzip.compress(b"0" * 50_000_000)
    shown = beginning_of(bomb, 10_000_000)
    assert (shown.shown_bytes, shown.whole, shown.packed) == (LIMIT_BYTES, False, "gzip")
    torn = beginning_of(bomb[:-9], 100)
    assert torn.lines == ("0" * 100,)
    cut = beginning_of(gzip.compress(b"abc")[:-6], 100)
    assert "cut" in cut.trouble
    binary = beginning_of(b"PAR1\x00\x15\x04\x1b[31m" + bytes(range(256)), 32)
    assert binary.kind == "hex"
    assert binary.lines[0] == "00000000  50 41 52 31 00 15 04 1b 5b 33 31 6d 00 01 02 03  PAR1....[31m...."
    assert beginning_of("größe €\n\u202etxt".encode(), 100).lines == ("größe €", "·txt")
    assert beginning_of("héé".encode()[:-1], 100).lines == ("hé",), "a halved character is dropped, not broken"
    assert beginning_of("[1]".encode("utf-16"), 100).lines == ("[1]",)
    assert beginning_of(b"", 100).whole
