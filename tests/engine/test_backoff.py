"""What fails for a while is tried again ever later, not all at once, and CRITICAL in time for its promise."""

from msgspec.structs import replace

from gexdesk.engine.work import ATTEMPTS_ALLOWED, BACKOFF_S, CRITICAL_BACKOFF_S, _again
from gexdesk.model.job import Job, Place
from gexdesk.model.level import DEFAULT_PROMISE_S, Level

JOB = Job("1", "s", "SPX", Level.LOW, 0.1, 1, 0.0, 0.0, None)


def waits(job: Job, attempt: int) -> list[float]:
    return [_again(replace(job, attempt=attempt), "x").after_s for _ in range(300)]


def test_waits_grow_and_are_spread_over_half_of_them() -> None:
    for attempt, longest_s in enumerate(BACKOFF_S, start=1):
        found = waits(JOB, attempt)
        assert longest_s / 2 <= min(found) < 0.6 * longest_s
        assert 0.9 * longest_s < max(found) <= longest_s
        assert len(set(found)) > 100
    assert len(BACKOFF_S) == len(CRITICAL_BACKOFF_S) == ATTEMPTS_ALLOWED - 1


def test_critical_has_all_its_tries_within_half_its_promise() -> None:
    critical = replace(JOB, level=Level.CRITICAL)
    assert sum(max(waits(critical, attempt)) for attempt in (1, 2, 3)) < DEFAULT_PROMISE_S[Level.CRITICAL] / 2  # type: ignore[operator]
    escalated = replace(critical, place=Place.ESCALATED)  # its promise is HIGH's
    assert min(waits(escalated, 3)) > CRITICAL_BACKOFF_S[-1]
