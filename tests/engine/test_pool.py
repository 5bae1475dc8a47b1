"""The pool, with real processes: what kills one harms nobody else."""

import asyncio
import gzip
import os
import resource
import signal
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gexdesk.engine.pool import Pool
from gexdesk.engine.tasks import Refused, Reply, Triaged
from gexdesk.model.errors import DecoderDied
from gexdesk.model.level import Level
from tests.engine.pool_samples import Gate, alive, pool_children, task_for
from tests.formats.format_samples import gexbot
from tests.until import until


@asynccontextmanager
async def pool_of(
    processes: int = 1, reserved: int = 0, *, task_limit_s: float = 30.0, memory_limit_mb: int = 2048, told: list[str] | None = None
) -> AsyncIterator[Pool]:
    on_death = (told if told is not None else []).append
    pool = Pool(processes, reserved, task_limit_s=task_limit_s, memory_limit_mb=memory_limit_mb, on_death=on_death)
    await pool.start()
    try:
        yield pool
    finally:
        await pool.stop()


async def works(pool: Pool, folder: Path, level: Level = Level.LOW) -> bool:
    return isinstance(await pool.run(task_for(folder / "good.json", gexbot()), level), Triaged)


async def hold(pool: Pool, gate: Gate, level: Level = Level.LOW) -> "asyncio.Task[Reply]":
    """Let a process take a payload that holds it until the gate is opened."""
    task = asyncio.create_task(pool.run(gate.task, level))
    for _ in range(20):  # the loop's turns until it is handed in
        await asyncio.sleep(0)
    await until(lambda: pool.backlog == 0)
    return task


async def test_a_payload_over_its_time_is_killed_and_the_others_go_on(tmp_path: Path) -> None:
    told: list[str] = []
    async with pool_of(2, task_limit_s=2.5, told=told) as pool:
        stuck = await hold(pool, Gate(tmp_path / "stuck"))
        assert await works(pool, tmp_path)
        first = pool_children(os.getpid())
        assert len(first) == 2
        assert not stuck.done()
        with pytest.raises(DecoderDied, match=r"killed after 2\.5 s, the limit"):
            await stuck
        assert told == ["the pool process was killed after 2.5 s, the limit for one payload"]
        assert len([pid for pid in first if alive(pid)]) == 1
        # Both slots serve again: one is held, the other works.
        gate = Gate(tmp_path / "gate")
        held = await hold(pool, gate)
        assert await works(pool, tmp_path)
        await until(gate.open)
        assert isinstance(await held, Refused)


async def test_a_killed_process_costs_its_own_payload_only(tmp_path: Path) -> None:
    told: list[str] = []
    async with pool_of(told=told) as pool:
        assert await works(pool, tmp_path)
        task = await hold(pool, Gate(tmp_path / "gate"))
        behind = asyncio.create_task(works(pool, tmp_path))
        await until(lambda: pool.backlog == 1)
        while not task.done():  # a process that had not begun it yet is no death of the payload's: then the next one
            await asyncio.sleep(0.1)
            for child in pool_children(os.getpid()):
                os.kill(child, signal.SIGKILL)
            await asyncio.wait([task], timeout=2.0)
        with pytest.raises(DecoderDied, match=r"the pool process that held it ended by itself \(signal 9\)"):
            await task
        assert await behind
        assert told[-1] == "the pool process that held it ended by itself (signal 9)"


async def test_a_process_that_died_while_idle_costs_nothing(tmp_path: Path) -> None:
    told: list[str] = []
    async with pool_of(told=told) as pool:
        task = task_for(tmp_path / "good.json", gexbot())
        await pool.run(task, Level.LOW)
        [child] = pool_children(os.getpid())
        os.kill(child, signal.SIGKILL)  # and the loop has not heard of it yet
        assert await works(pool, tmp_path)
        assert told == []


async def test_a_payload_that_needs_too_much_memory_is_refused_or_killed_without_harm(tmp_path: Path) -> None:
    strikes = ",".join(f"[{number}.5,1.25,-2.5,[1,2,3,4,5]]" for number in range(1, 1_000_000))
    body = b'{"timestamp":1772463600,"ticker":"SPX","spot":6000,"strikes":[' + strikes.encode() + b"]}"
    task = task_for(tmp_path / "wide.json", gzip.compress(body, 1))
    async with pool_of(memory_limit_mb=640) as pool:
        try:
            reply = await pool.run(task, Level.LOW)
        except DecoderDied:
            pass
        else:
            assert isinstance(reply, Refused), "it was decoded within the limit: the limit is not in force"
            assert reply.final
            assert reply.kind == "oversize_payload"
            assert "memory" in reply.message
        assert await works(pool, tmp_path)


async def test_a_bomb_is_refused_for_good(tmp_path: Path) -> None:
    async with pool_of() as pool:
        reply = await pool.run(task_for(tmp_path / "bomb.gz", gzip.compress(b"0" * 20_000_000, 9)), Level.LOW)
    assert reply == Refused("oversize_payload", reply.message, final=True)  # type: ignore[union-attr]


async def test_the_strictest_level_goes_first_and_within_it_who_came_first(tmp_path: Path) -> None:
    order: list[str] = []

    async def note(name: str, level: Level) -> None:
        assert await works(pool, tmp_path, level)
        order.append(name)

    async with pool_of() as pool:
        gate = Gate(tmp_path / "gate")
        held = await hold(pool, gate)
        levels = [Level.LOW, Level.MEDIUM, Level.HIGH, Level.CRITICAL]
        notes = []
        for turn in ("1", "2"):
            for level in levels:
                notes.append(asyncio.create_task(note(level + turn, level)))
                await until(lambda: pool.backlog == len(notes))
        await until(gate.open)
        await asyncio.gather(held, *notes)
    assert order == ["CRITICAL1", "CRITICAL2", "HIGH1", "HIGH2", "MEDIUM1", "MEDIUM2", "LOW1", "LOW2"]


async def test_small_ones_go_together_and_a_death_in_company_is_only_the_culprit_s(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.engine.pool.TOGETHER_LIMIT_S", 0.5)
    told: list[str] = []
    async with pool_of(task_limit_s=2.0, told=told) as pool:
        gate = Gate(tmp_path / "gate")
        held = await hold(pool, gate)
        good = [asyncio.create_task(works(pool, tmp_path)) for _ in range(2)]
        stuck = asyncio.create_task(pool.run(Gate(tmp_path / "stuck").task, Level.LOW))
        good += [asyncio.create_task(works(pool, tmp_path)) for _ in range(2)]
        await until(lambda: pool.backlog == 5)
        await until(gate.open)
        assert isinstance(await held, Refused)
        assert all(await asyncio.gather(*good))
        with pytest.raises(DecoderDied, match="killed after 2 s"):
            await stuck
    assert told == [
        "a pool process was lost with 5 small payloads; each is done again alone",
        "the pool process was killed after 2 s, the limit for one payload",
    ]


async def test_large_ones_go_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.engine.pool.TOGETHER_BYTES", 0)
    told: list[str] = []
    async with pool_of(task_limit_s=1.5, told=told) as pool:
        gate = Gate(tmp_path / "gate")
        held = await hold(pool, gate)
        stuck = asyncio.create_task(pool.run(Gate(tmp_path / "stuck").task, Level.LOW))
        good = asyncio.create_task(works(pool, tmp_path))
        await until(lambda: pool.backlog == 2)
        await until(gate.open)
        await held
        with pytest.raises(DecoderDied):
            await stuck
        assert await good
    assert told == ["the pool process was killed after 1.5 s, the limit for one payload"]


async def test_the_reserved_slot_serves_critical_while_long_tasks_hold_the_others(tmp_path: Path) -> None:
    async with pool_of(1, 1) as pool:
        gate = Gate(tmp_path / "gate")
        held = await hold(pool, gate)
        high = asyncio.create_task(works(pool, tmp_path, Level.HIGH))
        await until(lambda: pool.backlog == 1)
        for _ in range(3):
            assert await works(pool, tmp_path, Level.CRITICAL)
        assert not high.done()  # the reserve is for CRITICAL alone
        await until(gate.open)
        await held
        assert await high


async def test_stop_leaves_no_process_and_nobody_waiting(tmp_path: Path) -> None:
    async with pool_of(1, 1) as pool:
        running = await hold(pool, Gate(tmp_path / "gate"))
        waiting = asyncio.create_task(pool.run(Gate(tmp_path / "gate-2").task, Level.LOW))
        await until(lambda: pool.backlog == 1)
        children = pool_children(os.getpid())
        assert len(children) == 2
        await pool.stop()
        assert [pid for pid in children if alive(pid)] == []
        for task in (running, waiting):
            with pytest.raises(asyncio.CancelledError):
                await task
        assert pool.backlog == 0


async def test_a_process_that_cannot_be_started_is_tried_again(tmp_path: Path) -> None:
    told: list[str] = []
    async with pool_of(told=told) as pool:
        task = task_for(tmp_path / "good.json", gexbot())
        await pool.run(task, Level.LOW)
        [child] = pool_children(os.getpid())
        soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
        resource.setrlimit(resource.RLIMIT_NOFILE, (3, hard))
        try:
            os.kill(child, signal.SIGKILL)
            good = asyncio.create_task(pool.run(task, Level.LOW))
            await until(lambda: "a pool process cannot be started (Too many open files); trying again" in told)
        finally:
            resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
        assert isinstance(await good, Triaged)


PARENT = """
import asyncio, os, sys
from pathlib import Path
from gexdesk.engine.pool import Pool
from gexdesk.model.level import Level
from tests.engine.pool_samples import Gate, pool_children, task_for
from tests.formats.format_samples import gexbot
from tests.until import until

async def main():
    folder = Path(sys.argv[1])
    pool = Pool(1, 1, task_limit_s=60, memory_limit_mb=2048, on_death=print)
    await pool.start()
    for _ in range(4):  # both processes are up and have worked
        await pool.run(task_for(folder / "good.json", gexbot()), Level.CRITICAL)
    held = asyncio.create_task(pool.run(Gate(folder / "gate").task, Level.LOW))
    for _ in range(20):
        await asyncio.sleep(0)
    await until(lambda: pool.backlog == 0)
    print(*pool_children(os.getpid()), flush=True)
    await asyncio.sleep(60)

asyncio.run(main())
"""


def test_a_dead_engine_leaves_no_process_idle_or_busy(tmp_path: Path) -> None:
    parent = subprocess.Popen([sys.executable, "-c", PARENT, tmp_path], stdout=subprocess.PIPE, text=True)
    assert parent.stdout is not None
    children = [int(word) for word in parent.stdout.readline().split()]
    parent.kill()
    parent.wait()
    parent.stdout.close()
    assert len(children) == 2
    give_up_at = time.monotonic() + 2.0
    while any(alive(pid) for pid in children) and time.monotonic() < give_up_at:
        time.sleep(0.01)
    assert [pid for pid in children if alive(pid)] == []


async def test_a_secret_that_a_payload_echoes_is_not_in_the_reason(tmp_path: Path) -> None:
    def redact(words: str) -> str:
        return words.replace("canary-7731", "***")

    pool = Pool(1, 0, task_limit_s=10.0, memory_limit_mb=2048, on_death=lambda _: None, redact=redact)
    await pool.start()
    try:
        reply = await pool.run(task_for(tmp_path / "echo", b'{"error": "canary-7731"}'), Level.LOW)
    finally:
        await pool.stop()
    assert isinstance(reply, Refused)
    assert "***" in reply.message
    assert "canary" not in reply.message
