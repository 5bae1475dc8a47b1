"""Hold every kind of queue against a naive one, in any order of calls, on a virtual clock.

``run(full=True)`` tries 20,000 lives of 50 calls each; CI's share is in ``tests/queues``. Where one fails, its calls are
printed, and ``SEED`` gives them again.
"""

from typing import NamedTuple

from hypothesis import HealthCheck, Phase, seed, settings
from hypothesis.stateful import run_state_machine_as_test

from tests.contracts.queue_model import QueueMachine
from tests.queues.test_embedded_model import EmbeddedMachine
from tests.queues.test_redis_model import RedisMachine
from tests.queues.valkey_server import ValkeyServer

MACHINES: dict[str, type[QueueMachine]] = {"embedded": EmbeddedMachine, "redis": RedisMachine}
LIVES = 200
FULL_LIVES = 20_000
STEPS = 50
SEED = 20_261_123
"""The first; every 500 lives take the next one."""

_BATCH = 500


class Outcome(NamedTuple):
    """Count what was tried.

    Attributes:
        broken: Kind, seed and error of a queue that did otherwise.
    """

    kinds: tuple[str, ...]
    lives: int
    steps: int
    seeds: tuple[int, int]
    broken: tuple[str, ...]

    @property
    def sound(self) -> bool:
        """Say whether every queue agreed with the naive one."""
        return not self.broken


def run(full: bool) -> Outcome:
    """Try each kind of queue."""
    lives = FULL_LIVES if full else LIVES
    seeds = range(SEED, SEED + max(1, lives // _BATCH))
    RedisMachine.server = ValkeyServer()
    try:
        broken = [words for kind, machine in MACHINES.items() if (words := _try(kind, machine, seeds, min(lives, _BATCH)))]
    finally:
        RedisMachine.server.close()
    return Outcome(tuple(MACHINES), lives, lives * STEPS, (seeds[0], seeds[-1]), tuple(broken))


def _try(kind: str, machine: type[QueueMachine], seeds: range, lives: int) -> str:
    for number in seeds:
        chosen = settings(
            max_examples=lives, stateful_step_count=STEPS, deadline=None, database=None,
            print_blob=True, suppress_health_check=list(HealthCheck), phases=(Phase.generate, Phase.shrink),
        )  # fmt: skip
        try:
            run_state_machine_as_test(seed(number)(type(machine.__name__, (machine,), {})), settings=chosen)
        except Exception as error:
            return f"{kind}, seed {number}: {type(error).__name__}: {error}"
    return ""
