"""Other queues on the same server in the same run, beside ours in Redis: what strict priority costs there and here.

They are the extra ``peers``; a row says where one is not installed. Nothing is judged: the queue's own targets were set by this.
"""

import importlib.util
import json
import math
import subprocess
import sys

from tests.bench import Row, rate, row
from tests.bench._peer import COUNT
from tests.bench._valkey import blocking_zpopmin_per_s, server
from tests.bench.queue_redis import alone

NAMES = ("bullmq", "celery", "rq", "huey")
LIMIT_S = 60.0
ROUNDS = 3


def rows() -> list[Row]:
    """Measure all."""
    found: list[Row] = []
    for name in NAMES:
        found += _of(name) if importlib.util.find_spec(name) is not None else [_nothing(name, "not installed")]
    ours = []
    for _ in range(ROUNDS):
        with server() as port:
            ours.append((blocking_zpopmin_per_s(port, rounds=1), *alone(port)))
    return [*found, _median("gexdesk in Redis: enqueue, one by one", ours, 1), _median("gexdesk in Redis: end and claim", ours, 2)]


def _of(name: str) -> list[Row]:
    measured, inversions = [], 0
    for _ in range(ROUNDS):
        with server() as port:
            z = blocking_zpopmin_per_s(port, rounds=1)
            command = [sys.executable, "-m", "tests.bench._peer", name, str(port)]
            done = subprocess.run(command, capture_output=True, text=True, timeout=LIMIT_S, check=False)
        answers = [json.loads(line) for line in done.stdout.splitlines() if line.startswith('{"put_s"')]
        if not answers or answers[0]["done"] != COUNT:
            return [_nothing(name, f"did not do its {COUNT:,} jobs")]
        measured.append((z, COUNT / answers[0]["put_s"], COUNT / answers[0]["drain_s"]))
        inversions += answers[0]["inversions"]
    return [
        _median(f"{name}: enqueue, one by one", measured, 1),
        _median(f"{name}: drain, one worker, no-op jobs", measured, 2),
        row(f"{name}: inversions, preloaded, of {ROUNDS * COUNT:,}", inversions, ""),
    ]


def _median(name: str, measured: list[tuple[float, float, float]], which: int) -> Row:
    """Return the round of the median ratio: on a busy machine both are slow together."""
    chosen = sorted(measured, key=lambda one: one[which] / one[0])[ROUNDS // 2]
    return rate(name, chosen[which], "jobs/s", reference=chosen[0])


def _nothing(name: str, why: str) -> Row:
    return Row(name, math.nan, why, None, None, None, met=None)
