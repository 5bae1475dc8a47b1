"""Lay more than 500 faults over generated days: each is held back, and not one good snapshot is."""

import pytest

from tests.gates.generated_day import chain_days, given_days
from tests.gates.trial import Days, generated, lay


@pytest.mark.parametrize(("days", "every_s", "at_least"), [(chain_days, 240.0, 240), (given_days, 180.0, 280)])
def test_every_fault_is_held_back_and_nothing_else(days: Days, every_s: float, at_least: int) -> None:
    found = lay(generated(days, every_s), seed=7)
    assert not found.wrongly, f"{len(found.wrongly)} good snapshots were held back: {found.wrongly[:8]}"
    assert not found.missed, f"{len(found.missed)} of {found.laid.total()} faults got through: {found.missed[:12]}"
    assert found.laid.total() >= at_least
