"""The section on fleets, as often as CI has time for."""

from tests.faults.fleet import run


def test_a_fleet_loses_nothing_stores_nothing_twice_and_keeps_the_order() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
