"""A payload of many snapshots gives the loop a turn after each slice of them, wherever they are gone through."""

import asyncio
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.gatekeeper import Gatekeeper
from gexdesk.engine.slices import SLICE, in_slices
from gexdesk.engine.tasks import AT_ONCE_BYTES, ENCODER, Computed, Head, Processed, Refused, Triaged, replies_of
from gexdesk.model.exposure import Conventions, Exposure
from tests.engine.desk_setting import as_lines, drop, engine_on, folder_source, gexbot_at, rows, settings_of

SNAPSHOTS = 1_000


class Turns:
    """Count the loop's turns, and how many calls come between two of them at most."""

    def __init__(self) -> None:
        self.most = self.turns = 0
        self._calls = 0

    def call(self) -> None:
        self._calls += 1
        self.most = max(self.most, self._calls)

    async def count(self) -> None:
        while True:
            self._calls = 0
            self.turns += 1
            await asyncio.sleep(0)


async def test_every_item_comes_in_order_and_the_loop_turns_in_between() -> None:
    turns = Turns()
    counting = asyncio.create_task(turns.count())
    found = []
    async for item in in_slices(range(1050)):
        turns.call()
        found.append(item)
    counting.cancel()
    assert found == list(range(1050))
    assert turns.most <= SLICE + 1
    assert turns.turns >= 1050 // SLICE


@pytest.mark.parametrize("step", ["judge", "level_flags"])
async def test_the_checks_of_a_file_of_many_snapshots_leave_the_loop_its_turns(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, step: str
) -> None:
    turns, check = Turns(), getattr(Gatekeeper, step)

    def counted(self: Gatekeeper, *arguments: Any) -> Any:
        turns.call()
        return check(self, *arguments)

    monkeypatch.setattr(Gatekeeper, step, counted)
    lines = as_lines([gexbot_at(float(SNAPSHOTS - number), "SPX", net=10.0 + number / SNAPSHOTS) for number in range(SNAPSHOTS)])
    drop(tmp_path / "in", "day.jsonl", lines)
    async with engine_on(settings_of(tmp_path / "state", folder_source("s", tmp_path / "in")), once=True) as engine:
        counting = asyncio.create_task(turns.count())
        await engine.idle()
        counting.cancel()
    assert 1 < turns.most <= SLICE + 1
    assert rows("SELECT count(*) AS n FROM snapshots", tmp_path / "state") == [{"n": SNAPSHOTS}]


async def test_a_large_answer_of_a_pool_process_is_the_same_piece_by_piece() -> None:
    head = Head("SPX", 1.0, 0.0, None, 6000.0, None, None, None, 1.0, 2.0, None)
    strikes = bytes(AT_ONCE_BYTES // 900)
    computed = [Computed(Exposure("gexbot", f"S{number}", 1.0, 6000.0, Conventions()), 0.0, strikes) for number in range(1_000)]
    replies = (
        Triaged("gexbot", (head,) * 500, tuple(computed[:10])), Refused("store_error", "no", False), Processed(tuple(computed)),
    )  # fmt: skip
    data = ENCODER.encode(replies)
    assert len(data) > AT_ONCE_BYTES
    turns = Turns()
    counting = asyncio.create_task(turns.count())
    assert await replies_of(data) == replies
    counting.cancel()
    assert turns.turns >= 1_500 // SLICE
