"""One end in the middle of the work; ``python -m tests.faults drain --full`` has seven."""

import pytest

from tests.faults.drain import run


@pytest.mark.timeout(180)
def test_an_engine_that_is_told_to_end_does_in_time_and_leaves_nothing_behind() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
