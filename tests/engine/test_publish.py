"""What became available is counted at the level whose promise it was given."""

from pathlib import Path

from clocked_desk import clocked, fed
from desk_setting import parts_of, rows

from gexdesk.model.job import Place
from gexdesk.model.level import Level
from tests.moments.market import SPX


async def test_an_escalated_job_is_measured_by_its_own_promise_and_recorded_at_that_level(tmp_path: Path) -> None:
    sources = [fed("feed", "SPX", 10.0)]
    async with clocked(tmp_path / "state", sources=sources, symbols=[{"name": "SPX", "session": "always"}]) as desk:
        parts = parts_of(desk.engine)
        await parts.queue.stop_all(True)
        await desk.feeds["feed"].give(SPX.gexbot(desk.clock.now()))
        for _ in range(5_000):
            await desk.clock.advance(0.01)
            if waiting := await parts.queue.jobs_of("feed"):
                break
        [job] = waiting
        await parts.queue.relevel([job.job_id], Level.CRITICAL, 0.9, 300.0, "escalated from HIGH", place=Place.ESCALATED)
        await desk.clock.advance(200.0)
        await parts.queue.stop_all(False)
        await desk.through(1)
        high, critical = parts.promises[Level.HIGH], parts.promises[Level.CRITICAL]
        assert critical.latency.count == 0, "it never had the promise of CRITICAL"
        assert (high.latency.count, high.within) == (1, 1)
        assert 200.0 <= high.latency.max_s < 300.0
        assert desk.live("SPX").level is Level.HIGH
        await desk.stored()
    [row] = rows("SELECT level, note FROM jobs", tmp_path / "state")
    assert (row["level"], row["note"]) == ("HIGH", "escalated from HIGH")
