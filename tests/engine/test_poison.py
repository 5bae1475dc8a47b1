"""A payload that kills what decodes it is buried after two deaths, and costs nobody else anything."""

from pathlib import Path
from typing import Any

import pytest
from msgspec.structs import replace

from gexdesk.engine.endings import Bury, Retry
from gexdesk.engine.pool import Pool
from gexdesk.model.errors import DecoderDied
from gexdesk.model.lever import Verb
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, hand_in, parts_of, pull, rows, settings_of

LIMIT_S = 1.0


def poison() -> bytes:
    """Return a document that takes longer than the limit: a hundred snapshots of as many strikes as are taken."""
    strikes = b",".join(b"[%d.5,1.25,-2.5,[1,2,3,4,5]]" % number for number in range(1, 50_000))
    return b'{"timestamp":1772463600,"ticker":"SPX","spot":6000,"note":"\\n","strikes":[%s]}\n' % strikes * 100


async def test_two_deaths_bury_a_payload_and_the_others_go_on(tmp_path: Path) -> None:
    source, other = folder_source("bad", tmp_path / "bad"), folder_source("good", tmp_path / "good")
    settings = settings_of(tmp_path / "state", source, other, task_limit_s=LIMIT_S)
    drop(tmp_path / "bad", "poison.jsonl", poison())
    for number in range(20):
        drop(tmp_path / "good", f"{number}.json", gexbot_at(1.0, f"S{number}"))
    async with engine_on(settings, once=True) as engine:
        await engine.idle()
        closing = engine.closing()
        log = [line.text for line in (await engine.view()).log if line.kind == "engine"]
    assert (closing.received, closing.completed, closing.dead, closing.open) == (21, 20, 1, 0)
    [letter] = rows("SELECT payload_name, kind, reason, stage FROM dead_letters", tmp_path / "state")
    assert letter.pop("stage") in ("triage", "process"), "whichever of the two takes that long here"
    assert letter == {
        "payload_name": "poison.jsonl",
        "kind": "decoder_died",
        "reason": "the pool process was killed after 1 s, the limit for one payload; it happened 2 times",
    }
    assert "the pool process was killed after 1 s, the limit for one payload" in log


@pytest.mark.parametrize(("foreign", "deaths"), [(True, 2), (False, 1)])
async def test_what_another_engine_acknowledged_costs_two_processes_in_the_fleet_not_two_in_each(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, foreign: bool, deaths: int
) -> None:
    async with engine_on(settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"))) as engine:
        parts = parts_of(engine)
        await pull(engine, Verb.PAUSE_ALL)
        await hand_in(engine, "s", gexbot_at(1.0, "SPX"))
        [job] = await parts.queue.jobs_of("s")
        flight = parts.flights.get(job.job_id)
        assert flight is not None
        flight.foreign, flight.results = foreign, None
        died: list[str] = []

        async def deadly(*_: Any) -> Any:
            died.append("the pool process ended")
            raise DecoderDied(died[-1])

        monkeypatch.setattr(Pool, "run", deadly)
        outcome = await parts.work._process(replace(job, attempt=1), flight)
        assert isinstance(outcome, Bury if foreign else Retry)
        assert len(died) == deaths
        flight.foreign = False
