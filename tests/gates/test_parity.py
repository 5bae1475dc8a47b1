"""A spot that is off its own quotes for good: what an operator released stays released, and a forward is no spot at all."""

from dataclasses import replace

import pytest

from tests.gates.generated_day import UNDERLYINGS, Moment, chain_days
from tests.gates.trial import Desk

OFF = 1.04


def moments(count: int) -> list[Moment]:
    return [moment for moment, _ in zip(chain_days(UNDERLYINGS[0], 60.0), range(count), strict=False)]


def test_what_an_operator_released_is_not_held_again_for_the_same_offset() -> None:
    desk, (first, *others) = Desk(), moments(6)
    snapshot = replace(first.snapshot, spot=round((first.snapshot.spot or 0.0) * OFF, 2))
    held, words = desk.judge(snapshot, first.at)
    assert held
    assert "the chain's quotes imply" in words
    desk.gates.accept(desk.gates._past["feed", "SPX"].run[-1])
    for moment in others:
        spot = moment.snapshot.spot or 0.0
        held, words = desk.judge(replace(moment.snapshot, spot=round(spot * OFF, 2)), moment.at)
        assert not held, words
    held, words = desk.judge(replace(others[-1].snapshot, spot=round(spot * (OFF + 0.026), 2)), others[-1].at + 1)
    assert held, "another offset is another fault"


@pytest.mark.parametrize(("root", "held"), [("SPXW", True), ("VIX", False), ("VIXW", False)])
def test_options_on_a_forward_say_nothing_of_the_spot(root: str, held: bool) -> None:
    desk, [moment] = Desk(), moments(1)
    assert moment.snapshot.chain is not None
    chain = replace(moment.snapshot.chain, roots=(root,))
    found, words = desk.judge(replace(moment.snapshot, chain=chain, spot=round((moment.snapshot.spot or 0.0) * OFF, 2)))
    assert found is held, words
