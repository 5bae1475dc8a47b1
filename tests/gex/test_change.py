"""How much net GEX moved, against the previous gross."""

import math

import pytest

from gexdesk.gex.change import gamma_change


def test_change_worked_by_hand() -> None:
    assert gamma_change(-3e9, 1e9, 40e9) == pytest.approx(0.1)  # |-3 - 1| / 40
    assert gamma_change(1e9, -3e9, 40e9) == pytest.approx(0.1)
    assert gamma_change(5.0, 5.0, 8.0) == 0.0


@pytest.mark.parametrize("place", range(3))
@pytest.mark.parametrize("bad", [None, math.nan, math.inf])
def test_what_is_unknown_makes_the_change_unknown(place: int, bad: float | None) -> None:
    values: list[float | None] = [1.0, 2.0, 4.0]
    values[place] = bad
    assert gamma_change(*values) is None


@pytest.mark.parametrize("gross", [0.0, -1.0])
def test_from_nothing_there_is_no_fraction(gross: float) -> None:
    assert gamma_change(1.0, 0.0, gross) is None
