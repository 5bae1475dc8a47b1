"""The queue's faults, in the short form; ``python -m tests.faults --full`` has the long one."""

from tests.faults import queue_steps, queue_zombies
from tests.faults.queue_victim import ACTS


def test_a_process_killed_at_any_step_loses_nothing_and_does_nothing_twice() -> None:
    outcome = queue_steps.run(full=False)
    assert outcome.sound, outcome
    assert outcome.kills == dict.fromkeys(ACTS, queue_steps.KILLS)
    assert min(outcome.steps.values()) >= 2


def test_a_worker_stopped_past_its_lease_is_refused() -> None:
    outcome = queue_zombies.run(full=False)
    assert outcome.sound, outcome
