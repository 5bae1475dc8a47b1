"""The journal and the tables held by another process, in the short form."""

from tests.faults import locked


def test_a_held_journal_costs_nothing_that_was_acknowledged_and_no_critical_document_its_promise() -> None:
    outcome = locked.run(full=False)
    assert outcome.sound, outcome
