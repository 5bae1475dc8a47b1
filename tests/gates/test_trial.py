"""What counts as unknowable, by rule and never by seed; what is not is held back."""

from dataclasses import replace

import numpy as np
import pytest

from gexdesk.model.snapshot import Snapshot, StrikeTable
from tests.gates.faults import flipped_sign, scaled_interest, swapped_symbol
from tests.gates.generated_day import UNDERLYINGS, Moment, chain_days, given_days
from tests.gates.trial import Desk, unknowable

NAN = float("nan")
STRIKES = np.arange(95.0, 106.0)
"""The strikes of a small table."""

OPENED = 1_772_634_600.0
"""09:30 in New York on 4 March 2026."""


def table(at: float, nets: list[float], *, by_volume: bool = True, spot: float = 100.2, day: int = 1) -> Moment:
    """Return a table by strike; strikes beyond those named have no weight."""
    net = np.array([*nets, *[0.0] * (len(STRIKES) - len(nets))])
    nothing = np.full(len(STRIKES), NAN)
    columns = dict.fromkeys(StrikeTable.__slots__, nothing) | {"strike": STRIKES}
    columns |= {"net_gex": np.zeros(len(net)), "net_gex_volume": net} if by_volume else {"net_gex": net, "net_gex_volume": net}
    snapshot = Snapshot("gexbot", "TLT", at, at, spot, given=StrikeTable(**columns))
    return Moment("TLT", day, at, snapshot)


def turned(moment: Moment, factor: float) -> Snapshot:
    given = moment.snapshot.given
    assert given is not None
    given = replace(given, net_gex=given.net_gex * factor, net_gex_volume=given.net_gex_volume * factor)
    return replace(moment.snapshot, given=given)


FOUR = [3e6, -2e6, 4e6, -5e6]
LATER = OPENED + 7_200.0


def day(*moments: Moment) -> list[Moment]:
    return list(moments)


@pytest.mark.parametrize(
    ("name", "factor", "past", "moment", "why"),
    [
        ("flipped sign", -1.0, day(table(LATER, FOUR[:2])), table(LATER + 60, FOUR[:2]), "fewer than three strikes"),
        ("flipped sign", -1.0, day(table(LATER, FOUR)), table(LATER + 60, FOUR), ""),
        ("flipped sign", -1.0, day(table(LATER, FOUR)), table(LATER + 60, [3e6, 2e6, -4e6, -5e6]), "a third of the strikes turned"),
        ("flipped sign", -1.0, day(table(LATER, FOUR)), table(LATER + 960, FOUR), "time passed, and fewer than eight"),
        ("flipped sign", -1.0, day(table(LATER, FOUR, day=0)), table(LATER + 86_400, FOUR), "what is traded begins anew"),
        ("scaled open interest", 10.0, day(table(LATER, FOUR, day=0)), table(LATER + 86_400, FOUR), "what is traded begins anew"),
        ("scaled open interest", 10.0, day(table(OPENED + 60, FOUR)), table(OPENED + 120, FOUR), "only one table of the day"),
        ("scaled open interest", 10.0, day(table(OPENED + 60, FOUR), table(OPENED + 120, FOUR)), table(OPENED + 180, FOUR), ""),
        (
            "scaled open interest", 10.0, day(table(OPENED + 60, FOUR), table(OPENED + 120, FOUR)),
            table(OPENED + 180, [3e7, -2e6, 9e7, -6e6]), "trades alone took the strikes that far apart",
        ),
        (
            "scaled open interest", 10.0, day(table(LATER, FOUR, by_volume=False, day=0)),
            table(LATER + 86_400, [one * 0.5 for one in FOUR], by_volume=False), "over night a table may go by a factor of ten",
        ),
        (
            "scaled open interest", 100.0, day(table(LATER, FOUR, by_volume=False, day=0)),
            table(LATER + 86_400, [one * 0.5 for one in FOUR], by_volume=False), "",
        ),
    ],
)  # fmt: skip
def test_what_nothing_tells_from_good_data_is_unknowable_and_all_else_is_held(
    name: str, factor: float, past: list[Moment], moment: Moment, why: str
) -> None:
    spoilt = turned(moment, factor)
    assert unknowable(name, moment, past, spoilt).startswith(why)
    assert bool(unknowable(name, moment, past, spoilt)) is bool(why)
    if not why:
        desk = Desk(("TLT",))
        assert not any(desk.judge(one.snapshot)[0] for one in past)
        assert desk.judge(spoilt, moment.at)[0]
        assert not desk.judge(replace(moment.snapshot, as_of=moment.at + 1.0))[0], "what is right after it passes"


def test_a_spot_over_night_is_unknowable_as_far_as_one_may_gap() -> None:
    past, moment = day(table(LATER, FOUR, day=0)), table(LATER + 86_400, FOUR)
    assert unknowable("wrong spot", moment, past, replace(moment.snapshot, spot=100.2 * 1.12))
    assert not unknowable("wrong spot", moment, past, replace(moment.snapshot, spot=100.2 * 1.2))
    assert not unknowable("wrong spot", moment, day(table(LATER + 86_340, FOUR)), replace(moment.snapshot, spot=100.2 * 1.12))
    hours_ago = day(table(LATER + 86_400 - 14_400, FOUR))
    assert unknowable("wrong spot", moment, hours_ago, replace(moment.snapshot, spot=100.2 * 1.05)), "twelve per cent in four hours"
    assert not unknowable("wrong spot", moment, hours_ago, replace(moment.snapshot, spot=100.2 * 1.13))


def test_of_a_chain_everything_is_knowable() -> None:
    first, second = (moment for moment, _ in zip(chain_days(UNDERLYINGS[5], 600.0), range(2), strict=False))
    for name in ("wrong spot", "scaled open interest", "flipped sign", "swapped symbol"):
        assert unknowable(name, second, [replace(first, day=-1)], second.snapshot) == ""


def test_near_the_close_one_strike_outweighs_all_and_neither_sign_nor_unit_is_wrong_for_it() -> None:
    """The gamma of what expires grows without bound at the strikes next to the spot, which crosses them."""
    past = table(LATER, [3e6, -2e6, 4e6, -5e6, 2e6, 9e6], by_volume=False)
    close = OPENED + 6.4 * 3600
    crossing = [table(close + 60 * turn, [3e6, -2e6, 4e6, -5e6, 2e6, net], by_volume=False, spot=100.2 - 0.3 * (turn % 2))
                for turn, net in enumerate([9e7, 8e6, 7e7, 1e7, 2e6])]  # fmt: skip
    desk = Desk(("TLT",))
    for moment in (past, *crossing):
        held, words = desk.judge(moment.snapshot)
        assert not held, words
    assert desk.judge(turned(crossing[-1], -1.0), close + 400)[0]
    assert desk.judge(turned(crossing[-1], 0.1), close + 401)[0]


def test_the_first_table_of_a_day_with_the_wrong_sign_holds_back_what_follows_for_five_snapshots_at_most() -> None:
    desk = Desk(("TLT",))
    assert not desk.judge(table(LATER, FOUR, day=0).snapshot)[0]
    first = table(OPENED + 86_400 + 60, FOUR)
    assert not desk.judge(turned(first, -1.0), first.at)[0], "nothing says so"
    held = [desk.judge(table(first.at + 10.0 * turn, [one * (1 + turn / 100) for one in FOUR]).snapshot)[0] for turn in range(1, 8)]
    assert held == [True] * 4 + [False] * 3


def test_the_same_faults_are_laid_by_the_same_seed_and_differ_from_the_good_one() -> None:
    moments = [moment for moment, _ in zip(given_days(UNDERLYINGS[3], 600.0), range(3), strict=False)]
    others = [moment for moment, _ in zip(given_days(UNDERLYINGS[4], 600.0), range(3), strict=False)]
    for fault in (flipped_sign, scaled_interest, swapped_symbol):
        left, right = (fault(moments[2], moments[:2], others, np.random.default_rng(3)) for _ in range(2))
        assert isinstance(left, Snapshot)
        assert isinstance(right, Snapshot)
        assert left.given is not None
        assert right.given is not None
        assert np.array_equal(left.given.net_gex, right.given.net_gex)
        assert moments[2].snapshot.given is not None
        assert not np.array_equal(left.given.net_gex, moments[2].snapshot.given.net_gex)
