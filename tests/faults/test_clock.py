"""The clock set three times and drifting once; ``python -m tests.faults clock --full`` sets it twelve times."""

from tests.faults.clock import run


def test_a_clock_that_is_set_costs_no_lease_no_document_and_no_promise() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
