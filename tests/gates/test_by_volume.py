"""A table of what was traded: beside a chain of what is held, and beside its own past of the first hour, when it grows."""

import json
from datetime import datetime

import numpy as np
import pytest

from gexdesk.formats.detect import decode
from gexdesk.gates.agree import Tolerances, compare, disagreements
from gexdesk.gates.facts import Evidence, Facts
from gexdesk.model.market import NEW_YORK
from tests.gates.trial import Desk
from tests.moments.market import SPY


def facts(source: str, *, by_volume: bool, spot: float = 100.0, net: float = 1e9, wall: float = 101.0) -> Facts:
    return Facts(
        symbol="AMZN", source=source, as_of=0.0, received_at=0.0, session=0, spot=spot, net_gex=net, gross_gex=4e9, call_wall=wall,
        put_wall=95.0, flip=99.0, evidence=Evidence(inputs=1, given=by_volume, by_volume=by_volume),
    )  # fmt: skip


def names(left: Facts, right: Facts) -> list[str]:
    return [row.name for row in disagreements(compare(left, right, Tolerances(), age_left_s=0.0, age_right_s=0.0))]


def test_exposure_by_volume_denies_no_exposure_by_open_interest() -> None:
    held = facts("chain", by_volume=False)
    assert names(held, facts("table", by_volume=True, net=-2e9, wall=110.0)) == []
    assert names(held, facts("other", by_volume=False, net=-2e9, wall=110.0)) == ["net_gex", "call_wall"]


def test_their_spots_do() -> None:
    assert names(facts("chain", by_volume=False), facts("table", by_volume=True, spot=101.0)) == ["spot"]


OPENED_AT = datetime(2026, 3, 3, 9, 30, tzinfo=NEW_YORK).timestamp()


class Traded:
    """Trade a table of strikes from the open on: each five minutes add to some strikes, and to each otherwise."""

    def __init__(self) -> None:
        self._rng = np.random.default_rng(5)
        self._desk = Desk()
        self._net = np.zeros(len(SPY.strikes))
        self._at = OPENED_AT + 300.0
        self._side = np.sign(np.arange(len(self._net)) - len(self._net) / 2 + 0.5)

    def go_on(self) -> None:
        """Let five minutes go by."""
        self._at += 300.0
        self._net += self._side * self._rng.gamma(0.5, 1.0, len(self._net))

    def sent(self, factor: float = 1.0, spot: float | None = None) -> tuple[bool, str]:
        """Send what was traded so far, times a factor; return whether it is held back, and what was found."""
        self._at += 1.0
        document = json.loads(SPY.gexbot(self._at, spot=spot))
        strikes = zip(document["strikes"], self._net.tolist(), strict=True)
        document["strikes"] = [[row[0], round(net * factor, 4), 0, [0] * 5] for row, net in strikes]
        document |= {"sum_gex_vol": round(float(self._net.sum()) * factor, 4), "sum_gex_oi": 0, "zero_gamma": 0}
        return self._desk.judge(decode(json.dumps(document).encode(), None)[1][0])


def traded(periods: int) -> Traded:
    table = Traded()
    for _ in range(periods):
        table.go_on()
        assert not table.sent()[0]
    return table


@pytest.mark.parametrize("factor", [10.0, 100.0, 0.1, 0.01])
def test_a_wrong_unit_is_one_factor_for_all_strikes_and_held_back_in_the_first_hour_too(factor: float) -> None:
    table = traded(5)
    table.go_on()
    held, words = table.sent(factor)
    assert held
    assert "the last" in words
    assert not table.sent()[0]


def test_growth_of_the_first_minutes_is_no_wrong_unit() -> None:
    table = Traded()
    table.go_on()
    table._net *= 0.02  # next to nothing was traded so far
    assert not table.sent()[0]
    for _ in range(3):
        table.go_on()
        assert not table.sent()[0]


def test_what_got_through_at_the_open_holds_back_nothing_that_is_right_after_it() -> None:
    table = Traded()
    assert not table.sent()[0]
    table.go_on()
    assert not table.sent(100.0)[0], "the first numbers of a day: nothing says that they are wrong"
    assert not table.sent()[0]
    table.go_on()
    assert not table.sent()[0]


def test_what_turned_round_after_hours_without_a_word_holds_back_nothing_that_is_right_after_it() -> None:
    table = traded(6)
    table._at += 3 * 3600.0
    table.go_on()
    table.sent(-1.0)
    assert not table.sent()[0]
    table.go_on()
    assert not table.sent()[0]
    assert table.sent(-1.0)[0], "a moment later it is known for what it is"
