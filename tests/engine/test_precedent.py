"""What a snapshot is judged against."""

from gexdesk.engine.ledger import Account
from gexdesk.engine.precedent import Precedents
from gexdesk.engine.tasks import Head
from gexdesk.model.features import Features
from gexdesk.model.payload import Asked
from gexdesk.stores.base import SymbolMinute

NOW = 1_772_463_600.0
"""Monday 2 March 2026, 10:00 in New York."""


def account() -> Account:
    return Account("gexbot-spx", "http", ("SPX",), "gexbot", "auto", None, 1.0, "real_time")


def head(as_of: float, net_gex: float, *, spot: float | None = 6000.0, volume: float | None = None) -> Head:
    return Head(
        symbol="SPX", as_of=as_of, delay_s=0.0, contracts=None, spot=spot, zero_dte_share=0.4, open_interest=None, volume=volume,
        net_gex=net_gex, gross_gex=10e9, coverage=None,
    )  # fmt: skip


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


def seen(precedents: Precedents, as_of: float, net_gex: float, **fields: float | None) -> Features:
    return precedents.features(account(), head(as_of, net_gex, **fields), as_of)


def test_the_spot_and_what_expires_today_come_along() -> None:
    precedents = Precedents()
    assert seen(precedents, NOW, 1e9).spot_move is None
    later = seen(precedents, NOW + 1, 1e9, spot=5940.0)
    assert later.spot_move is not None
    assert round(later.spot_move, 9) == -0.01
    assert later.zero_dte_share == 0.4
    assert seen(precedents, NOW + 2, 1e9, spot=None).spot_move is None
    assert seen(precedents, NOW + 86_400, 1e9).spot_move is None  # yesterday's is no previous one


def test_what_a_request_said_comes_along() -> None:
    asked = Asked("req-1", "snapshot", 500, "high", "critical")
    found = Precedents().features(account(), head(NOW, 1e9), NOW, asked)
    said = (found.data_type, found.expected_records, found.data_quality, found.priority_hint)
    assert said == ("snapshot", 500, "high", "critical")
    found = Precedents().features(account(), head(NOW, 1e9), NOW, Asked("req-2"))
    assert (found.data_type, found.expected_records, found.data_quality, found.priority_hint) == ("real_time", None, None, None)


def test_the_change_over_five_minutes_is_against_five_minutes_ago_and_no_older_than_ten() -> None:
    precedents = Precedents()
    for second in range(0, 331, 10):
        found = seen(precedents, NOW + second, 1e9 + second * 1e7)
        assert found.gamma_change_5m == (None if second < 300 else 0.3), second
        assert found.gamma_change == (None if second == 0 else 0.01)
    assert seen(precedents, NOW + 330 + 601, 9e9).gamma_change_5m is None
    assert seen(precedents, NOW + 86_400, 1e9).gamma_change_5m is None


def test_the_same_numbers_with_new_stamps_age_and_another_number_ends_it() -> None:
    precedents = Precedents()
    assert [seen(precedents, NOW + 60 * minute, 1e9).minutes_since_changed for minute in range(4)] == [None, 1.0, 2.0, 3.0]
    assert seen(precedents, NOW + 240, 1e9, spot=6000.5).minutes_since_changed == 0.0
    assert seen(precedents, NOW + 300, 1e9, spot=6000.5).minutes_since_changed == 1.0
    assert seen(precedents, NOW + 290, 2e9).minutes_since_changed is None  # a late one says nothing


def test_a_percentile_is_a_rank_among_the_minutes_before_and_not_known_among_few() -> None:
    precedents = Precedents()
    ranks = [seen(precedents, NOW + 60 * n, 1e9, volume=float(n)).volume_percentile for n in range(31)]
    assert ranks == [None] * 30 + [100.0]
    assert seen(precedents, NOW + 60 * 31, 1e9, volume=15.0).volume_percentile == 50.0  # 15 below and one equal of 31
    assert seen(precedents, NOW + 60 * 31 + 1, 1e9, volume=15.0).volume_percentile == 50.0  # its own minute does not count
    assert seen(precedents, NOW + 60 * 31 + 2, 1e9, volume=-1.0).volume_percentile == 0.0
    # The last value of a minute stands for it: 15.0 was replaced by -1.0, which is now below.
    assert seen(precedents, NOW + 60 * 32, 1e9, volume=0.0).volume_percentile == 100 * 1.5 / 32
    assert seen(precedents, NOW + 60 * 33, 1e9).volume_percentile is None


def test_a_restarted_desk_knows_its_symbols_history() -> None:
    precedents = Precedents()
    past = [SymbolMinute("SPX", "cboe", NOW - 6_000 + 60 * n, float(n), 5.0 * n, None) for n in range(40)]
    moves = [SymbolMinute("SPX", "gexbot-spx", NOW - 6_000 + 60 * n, None, None, n / 100) for n in range(40)]
    precedents.history.begin([*past, *moves])
    assert seen(precedents, NOW, 1e9, volume=20.0).volume_percentile == 100 * 20.5 / 40
    assert seen(precedents, NOW + 1, 2e9).change_percentile == 100 * 10.5 / 40
