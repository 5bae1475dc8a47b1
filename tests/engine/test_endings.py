"""How a job ends when the end itself cannot be written: it waits for the journal, and it is never held for ever."""

import asyncio
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from gexdesk.engine.keep import Keeper
from gexdesk.model.errors import StoreError
from gexdesk.model.job import Claim
from gexdesk.queues.commit import Commit
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.queues.journal import Journal
from gexdesk.stores.base import DeadLetter
from tests.engine.desk_setting import drop, engine_on, folder_source, gexbot_at, parts_of, rows, settings_of


def full_for(monkeypatch: pytest.MonkeyPatch, refusals: int) -> list[Sequence[Commit]]:
    """Let the journal refuse the first commits that end jobs, as a full disk does; return those."""
    transact, refused = Journal._transact, list[Sequence[Commit]]()

    def full(journal: Journal, group: Sequence[Commit]) -> None:
        if len(refused) < refusals and any(commit.finish for commit in group):
            refused.append(group)
            raise sqlite3.OperationalError("database or disk is full")
        transact(journal, group)

    monkeypatch.setattr(Journal, "_transact", full)
    return refused


async def test_ends_that_the_journal_refuses_are_told_again_until_there_is_room(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    refused = full_for(monkeypatch, 4)
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"))
    drop(tmp_path / "in", "bad.json", b"{}")
    for number in range(3):
        drop(tmp_path / "in", f"{number}.json", gexbot_at(1.0, f"S{number}"))
    async with engine_on(settings, once=True) as engine:
        await asyncio.wait_for(engine.idle(), 15)
        closing, said = engine.closing(), [line.text for line in (await engine.view()).log if line.kind == "engine"]
        processing = sum(depth.processing for depth in parts_of(engine).queue.state().levels.values())
        held = parts_of(engine).leases.held
    assert len(refused) == 4
    assert (closing.received, closing.completed, closing.dead, closing.open, processing, held) == (4, 3, 1, 0, 0, 0)
    assert sum("disk is full" in line for line in said) == 1, "said once, not once a job and try"
    assert {row["attempts"] for row in rows("SELECT attempts FROM jobs", tmp_path / "state")} == {1}


async def test_a_disk_that_is_full_for_longer_than_a_lease_costs_no_attempt(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    full_for(monkeypatch, 4)  # half a second between two tries
    claims: list[int] = []
    ack = EmbeddedQueue.ack

    def renewed_meanwhile(queue: EmbeddedQueue, claim: Claim) -> Any:
        ending = ack(queue, claim)
        asyncio.get_running_loop().create_task(parts.leases._renewed(parts.leases.latest(claim)))
        claims.append(claim.fence)
        return ending

    monkeypatch.setattr(EmbeddedQueue, "ack", renewed_meanwhile)
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"), lease_s=1.5, sweep_s=0.1)
    drop(tmp_path / "in", "a.json", gexbot_at(1.0, "SPX"))
    async with engine_on(settings, once=True) as engine:
        parts = parts_of(engine)
        await asyncio.wait_for(engine.idle(), 15)
    assert claims == [1] * 5


async def test_an_ending_that_fails_lets_go_of_its_claim(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store, failures = Keeper.store, [RuntimeError("can't start new thread")]

    async def failing(keeper: Keeper, *what: Any) -> None:
        if failures:
            raise failures.pop()
        await store(keeper, *what)

    monkeypatch.setattr(Keeper, "store", failing)
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"), lease_s=1.5, sweep_s=0.1)
    drop(tmp_path / "in", "a.json", gexbot_at(1.0, "SPX"))
    async with engine_on(settings, once=True) as engine:
        await asyncio.wait_for(engine.idle(), 15)
        assert engine.closing().completed == 1
    [row] = rows("SELECT attempts FROM jobs", tmp_path / "state")
    assert row["attempts"] == 2


async def test_a_dead_letter_whose_rows_are_not_taken_is_still_dead(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    store = Keeper.store

    async def refusing(keeper: Keeper, record: Any, snapshots: Any, dead: DeadLetter | None = None) -> None:
        if dead is not None:
            raise StoreError("its results cannot be stored: out of range")
        await store(keeper, record, snapshots)

    monkeypatch.setattr(Keeper, "store", refusing)
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"))
    drop(tmp_path / "in", "bad.json", b"{}")
    async with engine_on(settings, once=True) as engine:
        await asyncio.wait_for(engine.idle(), 15)
        assert engine.closing().dead == 1
