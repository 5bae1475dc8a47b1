"""Each thing that feeds do, once; ``python -m tests.faults feeds --full`` does them again and again."""

from tests.faults.feeds import run


def test_what_feeds_do_is_flagged_in_time_and_only_while_it_is_so() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
