"""The screen taken away three ways, briefly; ``python -m tests.faults screen_away --full`` takes it away for minutes."""

import pytest

from tests.faults.screen_away import run


@pytest.mark.timeout(240)
def test_an_engine_does_not_notice_that_its_screen_is_gone() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
