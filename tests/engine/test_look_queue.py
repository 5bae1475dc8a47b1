"""The queue as a screen asks for it."""

from pathlib import Path

import pytest

from gexdesk.model.lever import Verb
from gexdesk.model.look.queue import JobsLook
from tests.engine.desk_setting import engine_on, folder_source, gexbot_at, hand_in, pull, settings_of


async def test_jobs_are_shown_in_true_order_with_the_decision_that_put_them_there(tmp_path: Path) -> None:
    settings = settings_of(
        tmp_path / "state",
        folder_source("big", tmp_path / "big", assume={"volume": 600_000, "open_interest": 1_400_000}),
        folder_source("small", tmp_path / "small", assume={"volume": 10, "open_interest": 10}),
    )
    async with engine_on(settings) as engine:
        await pull(engine, Verb.PAUSE_ALL)
        for source, letter in (("small", "S"), ("big", "B")):
            await hand_in(engine, source, *(gexbot_at(-1.0, f"{letter}{number}") for number in range(2)))
        seen = await engine.look(JobsLook())
        assert [(job.symbol, job.position, str(job.level), job.winner) for job in seen.jobs] == [
            ("B0", 1, "HIGH", "high-realtime"), ("B1", 2, "HIGH", "high-realtime"),
            ("S0", 3, "LOW", "low-impact"), ("S1", 4, "LOW", "low-impact"),
        ]  # fmt: skip
        assert seen.total == 4
        assert (seen.jobs[0].place, seen.jobs[0].starts_in_s) == ("own", None)  # nothing is claimed: nobody can tell
        assert seen.jobs[0].deadline_at == pytest.approx(seen.jobs[0].received_at + 300)
        assert [job.symbol for job in (await engine.look(JobsLook(limit=1))).jobs] == ["B0"]
        await pull(engine, Verb.PAUSE, "small")
        held = (await engine.look(JobsLook(source="small"))).jobs
        assert [(job.symbol, job.position) for job in held] == [("S0", None), ("S1", None)]
