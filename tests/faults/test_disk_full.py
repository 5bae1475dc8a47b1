"""No room to write, in the short form."""

from tests.faults import disk_full


def test_the_engine_outlives_a_full_disk_and_loses_nothing() -> None:
    outcome = disk_full.run(full=False)
    assert outcome.sound, outcome
    assert outcome.documents > 50
