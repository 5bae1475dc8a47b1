"""Deribit: coin premiums become points, one contract is one coin, and the day ends at 08:00 UTC."""

import math
from datetime import UTC, date, datetime

import pytest
from format_samples import DERIBIT_SUMMARIES, QUOTED_MS, deribit, deribit_summary

from gexdesk.formats.deribit import Deribit
from gexdesk.gex.summary import analyse
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.exposure import Conventions
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import Snapshot


def decode(summaries: object = DERIBIT_SUMMARIES, **fields: object) -> Snapshot:
    (snapshot,) = Deribit().decode(deribit(summaries, **fields))
    return snapshot


def plain(column: object) -> list[float | None]:
    return [None if math.isnan(value) else value for value in column]  # type: ignore[attr-defined]


def test_the_options_become_a_chain_in_points_and_coins() -> None:
    snapshot = decode()
    assert (snapshot.symbol, snapshot.spot, snapshot.multiplier) == ("BTC", 94000.0, 1.0)
    assert snapshot.as_of == QUOTED_MS / 1000
    assert snapshot.warnings == ("1 of 3 options are priced on a synthetic forward (SYN.), not on a traded future",)
    chain = snapshot.chain
    assert chain is not None
    assert chain.roots == ("BTC@DERIBIT",)
    assert chain.strike.tolist() == [100_000.0, 100_000.0, 94_500.0]
    assert chain.is_call.tolist() == [True, False, False]
    assert [date.fromordinal(day + date(1970, 1, 1).toordinal()) for day in chain.expiry.tolist()] == [
        date(2026, 3, 27), date(2026, 3, 27), date(2026, 3, 6)
    ]  # fmt: skip
    assert plain(chain.bid) == pytest.approx([1900.0, None, 1884.0])
    assert plain(chain.ask) == pytest.approx([1995.0, 1995.0, 1978.2])
    assert plain(chain.iv) == [0.525, 0.525, None]
    assert chain.open_interest.tolist() == [310.5, 0.0, 310.5]
    assert chain.volume.tolist() == [12.5, 12.5, 12.5]


def test_an_option_of_one_coin_weighs_one_coin_and_ends_at_eight() -> None:
    snapshot = decode([deribit_summary()])
    exposure, _ = analyse(snapshot, Conventions(rate=0.0, dividend_yield=0.0))
    assert exposure.conventions.multiplier == 1.0
    years = (datetime(2026, 3, 27, 8, tzinfo=UTC).timestamp() - QUOTED_MS / 1000) / (365 * 86_400)
    deviation = 0.525 * math.sqrt(years)
    d1 = math.log(94_000 / 100_000) / deviation + deviation / 2
    gamma = math.exp(-d1 * d1 / 2) / math.sqrt(2 * math.pi) / (94_000 * deviation)
    assert exposure.net_gex == pytest.approx(gamma * 310.5 * 94_000**2 * 0.01, rel=1e-9)
    day = (date(2026, 3, 27) - date(1970, 1, 1)).days
    assert settles_at("BTC@DERIBIT", day) != settles_at("BTC", day)


def test_the_answers_own_time_stands_in_where_no_option_has_one() -> None:
    bare = deribit_summary(creation_timestamp=None)
    assert decode([bare]).as_of == 1772463600.123456
    with pytest.raises(MalformedPayload, match="no contract has a time"):
        decode([bare], usOut=None)


def test_without_an_index_the_spot_is_unknown_and_told() -> None:
    snapshot = decode([deribit_summary(estimated_delivery_price=None)])
    assert snapshot.spot is None
    assert snapshot.warnings == ("estimated_delivery_price is missing on every option: the index is not known",)


def test_without_a_forward_a_coin_premium_is_unknown() -> None:
    chain = decode([deribit_summary(underlying_price=None)]).chain
    assert chain is not None
    assert math.isnan(chain.bid[0])


@pytest.mark.parametrize(
    ("summaries", "word"),
    [
        ([], "no option"),
        ([{"instrument_name": "BTC-PERPETUAL"}], "no option"),
        ([deribit_summary("BTC_USDC-27MAR26-100000-C")], "linear option"),
        ([deribit_summary("BTC-27MAR26-100000X-C")], "no option's name"),
        ([deribit_summary("BTC-31FEB26-100000-C")], "no date of the calendar"),
        ([deribit_summary("BTC-1ABC26-100000-C")], "no date of the calendar"),
        ([deribit_summary("BTC-27MAR26-0-C")], "a strike above 0"),
        ([deribit_summary(), deribit_summary("ETH-27MAR26-4000-C")], r"result\[1\].*is of ETH, the first of BTC"),
        ([deribit_summary(), deribit_summary(mark_iv="52")], r"result\[1\].*str"),
        ([deribit_summary(underlying_price=0)], "underlying_price 0"),
        ([deribit_summary(estimated_delivery_price=-1)], "estimated_delivery_price is -1"),
        ([deribit_summary(open_interest=-1)], "open interest is -1"),
        ([deribit_summary(), deribit_summary(bid_price=0.5)], "stands twice with different numbers"),
        ([deribit_summary(creation_timestamp=1772463600)], "outside 1990 to 2100"),
    ],
)
def test_what_is_missing_or_wrong_is_named(summaries: object, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(summaries)
