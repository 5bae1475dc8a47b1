"""Half of the calendar's days, where hours begin and end; ``python -m tests.faults calendar_days --full`` looks all the time."""

from tests.faults.calendar_days import run


def test_no_feed_that_keeps_its_hours_is_called_silent_and_every_other_is() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
