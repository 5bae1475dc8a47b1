"""Run tasks in killable processes, strictest level first, with one process that serves CRITICAL alone."""

import asyncio
import contextlib
import heapq
import itertools
import os
import sys
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import msgspec

from gexdesk.engine.tasks import BEGUN, ENCODER, LENGTH, PIPE_BYTES, ProcessTask, Refused, Reply, Task, replies_of
from gexdesk.model.errors import DecoderDied
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.record_view import SlotView

TOGETHER = 16
TOGETHER_BYTES = 64 * 1024
"""Payloads up to this size go to a process several at once: a turn of the pipe costs more than such a one."""

TOGETHER_LIMIT_S = 2.0
"""Far above what so many small ones need. If they take longer, each is done again alone, with the whole limit."""

OVERTAKING = 32
RESPAWN_S = 1.0
OnSlice = Callable[[Sequence[float], int, bool, float], None]
"""When each CRITICAL task of a slice was asked for, how many others it held, whether the slot is a reserved one, its seconds."""

BEGIN_LIMIT_S = 10.0
"""From handing a task over to its begin: the start of a process, where it is a new one."""


@dataclass(order=True, slots=True)
class _Waiting:
    """Order by level; at the same level what is not decided yet goes first, for it may turn out to matter more.

    What is decided holds a worker's slot, and what waits for that may be of any level: so it goes as HIGH at least, and of those
    that came later only so many go first.

    Attributes:
        place: Its number, and for what is decided that many more.
        level: Its own, as a rank.
        alone: A process died with it in company: nobody knows whose fault it was.
    """

    rank: int
    place: int
    number: int
    task: Task = field(compare=False)
    done: asyncio.Future[Reply] = field(compare=False)
    level: int = field(compare=False)
    alone: bool = field(compare=False, default=False)
    asked_at: float = field(compare=False, default_factory=time.monotonic)

    @property
    def small(self) -> bool:
        return not self.alone and self.task.columns_path is None and self.task.ref.stored_bytes <= TOGETHER_BYTES


class Pool:
    """Hold ``processes`` general slots and ``reserved`` slots for CRITICAL, each with a process of its own.

    A process that exceeds its time is killed and replaced; its task fails with DecoderDied and the others go on.

    Args:
        task_limit_s: Wall time a task may take.
        memory_limit_mb: Address space of a process.
        on_death: Told in words when a process died.
        redact: Takes secrets out of what a process says of a payload: a server may echo the key it was sent.
        on_slice: Told of each slice that a process did.
    """

    def __init__(
        self, processes: int, reserved: int, *, task_limit_s: float, memory_limit_mb: int, on_death: Callable[[str], None],
        redact: Callable[[str], str] = str, on_slice: OnSlice = lambda *_: None,
    ) -> None:  # fmt: skip
        self._slots = [False] * processes + [True] * reserved
        self._task_limit_s = task_limit_s
        self._memory_limit_mb = memory_limit_mb
        self._on_death = on_death
        self._redact = redact
        self._on_slice = on_slice
        self._waiting: list[_Waiting] = []
        self._numbers = itertools.count()
        self._came = asyncio.Event()
        self._runners: list[asyncio.Task[None]] = []
        self._children: set[asyncio.subprocess.Process] = set()
        self._inside = [SlotView(f"pool-{i}", reserved, "", None) for i, reserved in enumerate(self._slots)]

    async def start(self) -> None:
        """Start every slot; processes come up in the background."""
        self._runners = [asyncio.create_task(self._serve(i, reserved), name=f"pool-{i}") for i, reserved in enumerate(self._slots)]

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return tuple(self._runners)

    async def stop(self) -> None:
        """Kill every process; waiting tasks are cancelled."""
        for runner in self._runners:
            runner.cancel()
        await asyncio.gather(*self._runners, return_exceptions=True)
        for child in list(self._children):
            await self._kill(child)
        for waiting in self._waiting:
            waiting.done.cancel()
        self._waiting.clear()

    async def run(self, task: Task, level: Level) -> Reply:
        """Run a task when a slot is free for its level.

        Raises:
            DecoderDied: The process that had it was killed or crashed.
        """
        done = asyncio.get_running_loop().create_future()
        number = next(self._numbers)
        held = isinstance(task, ProcessTask)
        rank = min(level.rank, Level.HIGH.rank) if held else level.rank
        waiting = _Waiting(rank, number + OVERTAKING * held, number, task, done, level.rank)
        self._push(waiting)
        reply: Reply = await waiting.done
        return msgspec.structs.replace(reply, message=self._redact(reply.message)) if isinstance(reply, Refused) else reply

    @property
    def backlog(self) -> int:
        """Return how many tasks wait for a slot."""
        return len(self._waiting)

    @property
    def inside(self) -> tuple[SlotView, ...]:
        """Return every slot with its process and what that has in hand."""
        return tuple(self._inside)

    def _has(self, slot: int, child: asyncio.subprocess.Process | None, some: list[_Waiting]) -> None:
        """Note what a slot's process has in hand from now on."""
        what = f"{len(some)} payloads" if len(some) > 1 else _words(some[0]) if some else ""
        now = time.time() if some else None
        self._inside[slot] = SlotView(f"pool-{slot}", self._slots[slot], what, now, child.pid if child is not None else None)

    def _push(self, waiting: _Waiting) -> None:
        heapq.heappush(self._waiting, waiting)
        self._came.set()

    async def _next(self, reserved: bool) -> list[_Waiting]:
        while not (some := self._take(reserved)):
            self._came.clear()
            await self._came.wait()
        return some

    def _take(self, reserved: bool) -> list[_Waiting]:
        """Return what a slot does next: one task, or several small ones, in order, of which each slot gets its share."""
        some: list[_Waiting] = []
        most = min(TOGETHER, 1 + len(self._waiting) // len(self._slots))
        while self._waiting and len(some) < most:
            first = self._waiting[0]
            if first.done.done():
                heapq.heappop(self._waiting)
                continue
            if (reserved and first.rank != Level.CRITICAL.rank) or (some and not (first.small and some[0].small)):
                break
            some.append(heapq.heappop(self._waiting))
        return some

    async def _serve(self, slot: int, reserved: bool) -> None:
        child: asyncio.subprocess.Process | None = None
        try:
            while True:
                child = await self._living(child)
                self._has(slot, child, [])
                some = await self._next(reserved)
                self._has(slot, child, some)
                limit_s = self._task_limit_s if len(some) == 1 else min(self._task_limit_s, TOGETHER_LIMIT_S)
                try:
                    child = await self._begin(child, [waiting.task for waiting in some])
                    began = time.monotonic()
                    async with asyncio.timeout(limit_s):
                        replies = await _answer(child)
                except (TimeoutError, asyncio.IncompleteReadError, OSError, msgspec.DecodeError) as error:
                    words = await self._bury(child, error, len(some))
                    child = None
                    self._failed(some, words)
                except asyncio.CancelledError:
                    for waiting in some:
                        waiting.done.cancel()
                    raise
                else:
                    critical = [waiting.asked_at for waiting in some if waiting.rank == Level.CRITICAL.rank]
                    self._on_slice(critical, len(some) - len(critical), reserved, time.monotonic() - began)
                    for waiting, reply in zip(some, replies, strict=True):
                        if not waiting.done.done():
                            waiting.done.set_result(reply)
        finally:
            if child is not None:
                await self._kill(child)

    def _failed(self, some: list[_Waiting], words: str) -> None:
        """Tell who had a task alone that its process died with it; what was in company goes back to its place."""
        for waiting in some:
            if len(some) > 1:
                waiting.alone = True
                self._push(waiting)
            elif not waiting.done.done():
                waiting.done.set_exception(DecoderDied(words))

    async def _begin(self, child: asyncio.subprocess.Process | None, tasks: list[Task]) -> asyncio.subprocess.Process:
        """Return the process that has begun the tasks. One that died before it had them says nothing about the payloads."""
        tries = 0
        while True:
            child = await self._living(child)
            try:
                async with asyncio.timeout(BEGIN_LIMIT_S):
                    await _hand_over(child, tasks)
            except (TimeoutError, asyncio.IncompleteReadError, OSError) as error:
                await self._end(child, error)
            else:
                return child
            tries += 1
            if tries > 1:  # the first may just have been found dead
                self._on_death(f"a new pool process does not begin to work ({_how(child.returncode)}); trying again")
                await asyncio.sleep(RESPAWN_S)

    async def _living(self, child: asyncio.subprocess.Process | None) -> asyncio.subprocess.Process:
        """Return the process while it lives, else a new one: tried for ever, since without it nothing is decoded."""
        while child is None or child.returncode is not None:
            try:
                child = await self._spawn()
            except OSError as error:
                self._on_death(f"a pool process cannot be started ({error.strerror}); trying again")
                await asyncio.sleep(RESPAWN_S)
        return child

    async def _spawn(self) -> asyncio.subprocess.Process:
        # One thread a process: there are as many processes as cores are to be used.
        env = os.environ | {"POLARS_MAX_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
        child = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "gexdesk.engine.pool_child",
            str(self._memory_limit_mb),
            str(os.getpid()),
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=None,
            env=env,
            limit=PIPE_BYTES,
            start_new_session=True,  # ^C at the engine's terminal is for the engine, also while this one still starts
        )
        self._children.add(child)
        return child

    async def _bury(self, child: asyncio.subprocess.Process, error: Exception, tasks: int) -> str:
        await self._end(child, error)
        if tasks > 1:
            words = f"a pool process was lost with {tasks} small payloads; each is done again alone"
        elif isinstance(error, TimeoutError):
            words = f"the pool process was killed after {self._task_limit_s:g} s, the limit for one payload"
        else:
            words = f"the pool process that held it ended by itself ({_how(child.returncode)})"
        self._on_death(words)
        return words

    async def _end(self, child: asyncio.subprocess.Process, error: Exception) -> None:
        if not isinstance(error, TimeoutError):
            with contextlib.suppress(TimeoutError):  # it ends by itself: hear how, before a kill of ours blurs it
                async with asyncio.timeout(1.0):
                    await child.wait()
        await self._kill(child)

    async def _kill(self, child: asyncio.subprocess.Process) -> None:
        if child.returncode is None:
            with contextlib.suppress(ProcessLookupError):
                child.kill()
            await child.wait()
        self._children.discard(child)


def _words(waiting: _Waiting) -> str:
    task = waiting.task
    doing = "processes" if isinstance(task, ProcessTask) else "decides"
    return f"{doing} {task.ref.stored_bytes:,} bytes at {LEVELS[waiting.level]}"


def _how(returncode: int | None) -> str:
    if returncode is not None and returncode < 0:
        return f"signal {-returncode}"
    return f"exit {returncode}"


async def _hand_over(child: asyncio.subprocess.Process, tasks: list[Task]) -> None:
    if child.stdin is None or child.stdout is None:
        raise RuntimeError("a pool process is always started with pipes")
    body = ENCODER.encode(tasks)
    child.stdin.write(LENGTH.pack(len(body)) + body)
    await child.stdin.drain()
    await child.stdout.readexactly(len(BEGUN))


async def _answer(child: asyncio.subprocess.Process) -> tuple[Reply, ...]:
    if child.stdout is None:
        raise RuntimeError("a pool process is always started with pipes")
    (size,) = LENGTH.unpack(await child.stdout.readexactly(LENGTH.size))
    return await replies_of(await child.stdout.readexactly(size))
