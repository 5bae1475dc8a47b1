"""Forty rounds; ``python -m tests.faults two_operators --full`` has three thousand."""

from tests.faults.two_operators import run


def test_of_four_operators_one_acts_and_the_others_are_told_who() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
