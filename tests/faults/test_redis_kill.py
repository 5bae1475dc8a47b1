"""The section on Redis, as often as CI has time for."""

from tests.faults.redis_kill import run


def test_no_job_is_lost_or_done_twice_whoever_is_killed() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
