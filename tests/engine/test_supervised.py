"""A part whose loop has ended does nothing any more and looks well: the engine says so and ends, to be started anew."""

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.keep import Keeper
from gexdesk.engine.parts import Parts
from gexdesk.engine.pool import Pool
from gexdesk.engine.work import Work
from gexdesk.queues.embedded import EmbeddedQueue
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, parts_of, rows, settings_of
from tests.until import until


@pytest.mark.parametrize(
    ("owner", "method", "poke", "name"),
    [
        (Keeper, "_gather", lambda parts: parts.keeper.sources([]), "keeper"),
        (Work, "_waiting", lambda parts: None, "slot-"),
        (Pool, "_take", lambda parts: parts.pool._came.set(), "pool-"),
        (EmbeddedQueue, "rescue", lambda parts: None, "leases-sweep"),
    ],
)
async def test_the_engine_ends_with_a_loop_of_any_of_its_parts(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, owner: type, method: str, poke: Callable[[Parts], None], name: str
) -> None:
    def broken(*_: Any, **__: Any) -> None:
        raise RuntimeError("can't start new thread")

    async with engine_on(settings_of(tmp_path / "state")) as engine:
        assert not engine.stopping.is_set()
        monkeypatch.setattr(owner, method, broken)
        poke(parts_of(engine))
        await until(engine.stopping.is_set)
        assert engine.fault.startswith(name)
        assert engine.fault.endswith(" ended: RuntimeError: can't start new thread")
        monkeypatch.undo()


async def test_a_fault_before_a_job_is_processed_is_one_of_its_attempts_and_no_end_of_its_slot(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    found, faults = Work._from_elsewhere, [RuntimeError("can't start new thread")]

    async def failing(work: Work, claim: Any) -> Any:
        if faults:
            raise faults.pop()
        return await found(work, claim)

    monkeypatch.setattr(Work, "_from_elsewhere", failing)
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"))
    async with engine_on(settings, once=True) as engine:
        monkeypatch.setattr(parts_of(engine).flights, "get", hidden(parts_of(engine).flights.get, faults))
        drop(tmp_path / "in", "a.json", gexbot_at(1.0, "SPX"))
        await until(lambda: parts_of(engine).endings.completed == 1)
        assert not engine.stopping.is_set()
    [row] = rows("SELECT attempts, status FROM jobs", tmp_path / "state")
    assert row == {"attempts": 2, "status": "COMPLETED"}


def hidden(get: Callable[[str], Any], until_empty: list[RuntimeError]) -> Callable[[str], Any]:
    """Return what finds no flight at first, as of another engine's payload."""
    return lambda job_id: None if until_empty else get(job_id)
