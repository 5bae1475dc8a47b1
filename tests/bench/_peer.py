"""Measure one other queue in a process of its own: ``python -m tests.bench._peer NAME PORT``, against the server of the bench.

Each enqueues one by one and drains with one worker in this process, as its own documentation shows; the job notes its priority.
"""

import asyncio
import json
import random
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from typing import Any

COUNT = 1_000
LEVELS = (0, 1, 2, 3)
"""0 goes first."""

done: list[int] = []


def note(level: int) -> None:
    """Be the job: nothing but a note of its level."""
    done.append(level)


def levels() -> list[int]:
    """Return the levels of the jobs, at random but the same each time."""
    chance = random.Random(7)
    return [chance.choice(LEVELS) for _ in range(COUNT)]


def rq(port: int) -> tuple[float, float]:
    """Return the seconds of enqueueing and draining; a level is a queue there."""
    from redis import Redis
    from rq import Queue, SimpleWorker

    connection = Redis(port=port)
    queues = [Queue(f"rq-{level}", connection=connection) for level in LEVELS]
    put = _timed(lambda: [queues[level].enqueue(note, level) for level in levels()])
    worker = SimpleWorker(queues, connection=connection)
    return put, _timed(lambda: worker.work(burst=True, logging_level="ERROR"))


def huey(port: int) -> tuple[float, float]:
    """Return the seconds of enqueueing and draining."""
    from huey import PriorityRedisHuey

    queue = PriorityRedisHuey("huey", port=port, results=False)
    task = queue.task()(note)
    put = _timed(lambda: [task(level, priority=len(LEVELS) - level) for level in levels()])

    def drain() -> None:
        while (one := queue.dequeue()) is not None:
            queue.execute(one)

    return put, _timed(drain)


def celery(port: int) -> tuple[float, float]:
    """Return the seconds of enqueueing and draining, acknowledged late and without prefetching."""
    from celery import Celery
    from celery.worker import state

    app = Celery(broker=f"redis://127.0.0.1:{port}/0")
    app.conf.update(
        task_acks_late=True, worker_prefetch_multiplier=1, task_ignore_result=True, worker_hijack_root_logger=False,
        worker_redirect_stdouts=False,
        broker_transport_options={"priority_steps": list(LEVELS), "queue_order_strategy": "priority"},
    )  # fmt: skip
    ended = 0.0

    @app.task(name="note")  # type: ignore[untyped-decorator]
    def task(level: int) -> None:
        nonlocal ended
        note(level)
        if len(done) == COUNT:
            ended, state.should_stop = time.perf_counter(), 0

    put = _timed(lambda: [task.apply_async((level,), priority=level) for level in levels()])
    began = time.perf_counter()
    worker = app.Worker(pool="solo", loglevel="CRITICAL", without_gossip=True, without_mingle=True, without_heartbeat=True)
    with suppress(SystemExit):  # which is how it stops
        worker.start()
    return put, ended - began


def bullmq(port: int) -> tuple[float, float]:
    """Return the seconds of enqueueing and draining."""
    return asyncio.run(_bullmq(port))


async def _bullmq(port: int) -> tuple[float, float]:
    from bullmq import Queue, Worker

    options: dict[str, Any] = {"connection": {"host": "127.0.0.1", "port": port}}
    queue, all_done = Queue("bullmq", options), asyncio.Event()
    began = time.perf_counter()
    for level in levels():
        await queue.add("note", {"level": level}, {"priority": level + 1})
    put = time.perf_counter() - began

    async def process(job: Any, _token: str) -> None:
        note(job.data["level"])
        if len(done) == COUNT:
            all_done.set()

    began = time.perf_counter()
    worker = Worker("bullmq", process, options)
    await all_done.wait()
    drain = time.perf_counter() - began
    await worker.close()
    await queue.close()
    return put, drain


def _timed(act: Callable[[], object]) -> float:
    began = time.perf_counter()
    act()
    return time.perf_counter() - began


if __name__ == "__main__":
    # Workers import the job by its module's name, and must note into the same list.
    sys.modules["tests.bench._peer"] = sys.modules["__main__"]
    note.__module__ = "tests.bench._peer"
    put_s, drain_s = {"rq": rq, "huey": huey, "celery": celery, "bullmq": bullmq}[sys.argv[1]](int(sys.argv[2]))
    inversions = sum(level > min(done[at:]) for at, level in enumerate(done))
    sys.stdout.write("\n" + json.dumps({"put_s": put_s, "drain_s": drain_s, "done": len(done), "inversions": inversions}) + "\n")
