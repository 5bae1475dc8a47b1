"""Damaged files of the state folder, in the short form."""

from tests.faults import damaged


def test_an_engine_starts_on_damaged_files_or_says_which_and_loses_nothing_unsaid() -> None:
    outcome = damaged.run(full=False)
    assert outcome.sound, outcome
    assert outcome.named > 0, "hardly anything was damaged: is it damaged at all?"
    assert outcome.refused > 0
