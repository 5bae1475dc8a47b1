"""The flood of the interface, in its short form; how soon CRITICAL is there meanwhile is judged by the long one."""

from tests.faults import api_flood


def test_a_flood_of_the_interface_is_refused_and_costs_no_critical_document() -> None:
    outcome = api_flood.run(full=False)
    assert outcome.critical > 5, outcome
    assert outcome.lost == 0, outcome
    assert outcome.max_s < 30, outcome
    assert outcome.calm_after, outcome
    assert {400, 401, 429} <= set(outcome.answers) <= api_flood.REFUSALS, outcome
