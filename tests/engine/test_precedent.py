"""What a snapshot is judged against."""

from gexdesk.engine.ledger import Account
from gexdesk.engine.precedent import Precedents
from gexdesk.engine.tasks import Head

NOW = 1_772_463_600.0
"""Monday 2 March 2026, 10:00 in New York."""


def account() -> Account:
    return Account("gexbot-spx", "http", ("SPX",), "gexbot", "auto", None, 1.0, "real_time")


def head(as_of: float, net_gex: float) -> Head:
    return Head("SPX", as_of, 0.0, None, None, None, net_gex, 10e9, None)


def test_the_change_is_against_the_previous_snapshot_of_the_source() -> None:
    precedents = Precedents()
    assert precedents.features(account(), head(NOW - 2, 1e9), NOW).gamma_change is None
    assert precedents.features(account(), head(NOW - 1, 3e9), NOW).gamma_change == 0.2


def test_a_stamp_from_the_future_is_skewed_and_spoils_no_later_judgement() -> None:
    precedents = Precedents()
    assert precedents.features(account(), head(4_102_000_000.0, 1e9), NOW).clock_skew
    later = precedents.features(account(), head(NOW + 1, 3e9), NOW + 1)
    assert not later.clock_skew
    assert later.gamma_change == 0.2
