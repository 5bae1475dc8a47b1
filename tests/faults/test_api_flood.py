"""The flood of the interface, in its short form."""

from tests.faults import api_flood


def test_a_flood_of_the_interface_is_refused_and_critical_does_not_notice() -> None:
    outcome = api_flood.run(full=False)
    assert outcome.sound, outcome
    assert {400, 401, 429} <= set(outcome.answers), outcome
