"""Two seconds of edits; ``python -m tests.faults rule_storm --full`` has a minute."""

from tests.faults.rule_storm import run


def test_every_document_is_classified_by_a_version_that_is_kept_however_often_the_rules_are_edited() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
