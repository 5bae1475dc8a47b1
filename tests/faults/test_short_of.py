"""Short of memory, descriptors and the log's file, in the short form."""

from tests.faults import short_of


def test_the_engine_outlives_a_want_of_memory_descriptors_and_its_log() -> None:
    outcome = short_of.run(full=False)
    assert outcome.sound, outcome
