"""The desk's own snapshot JSON: fields, stamps with their zone, totals."""

from datetime import UTC, datetime

import numpy as np
import pytest
from format_samples import canonical, strike

from gexdesk.formats.canonical import Canonical
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Snapshot, StrikeTable


def decode(body: bytes) -> Snapshot:
    (snapshot,) = Canonical().decode(body)
    return snapshot


def table_of(snapshot: Snapshot) -> StrikeTable:
    assert snapshot.given is not None
    return snapshot.given


def test_a_record_becomes_a_table_by_ascending_strike() -> None:
    snapshot = decode(canonical())
    assert (snapshot.symbol, snapshot.spot, snapshot.delay_s) == ("SPX", 6001.25, None)
    assert (snapshot.vendor_net_gex, snapshot.vendor_zero_gamma, snapshot.warnings) == (None, None, ())
    table = table_of(snapshot)
    assert table.strike.tolist() == [6002.5, 6010.0]
    assert table.net_gex[0] == 1.5e8
    assert np.isnan(table.net_gex[1])
    assert table.call_open_interest.tolist() == [100.0, 7.0]
    assert table.put_open_interest.tolist() == [50.0, 8.0]
    assert table.call_volume.tolist() == [10.0, 9.0]
    for unknown in ("put_volume", "call_gex", "put_gex", "net_gex_volume"):
        assert np.isnan(getattr(table, unknown)).all()


@pytest.mark.parametrize("metadata", [None, {}, {"spot": None}, {"desk": "north"}])
def test_no_spot_is_unknown(metadata: object) -> None:
    assert decode(canonical(metadata=metadata)).spot is None


@pytest.mark.parametrize(
    ("day", "time", "utc"),
    [
        ("2026-03-02", "15:00:00Z", "2026-03-02T15:00:00"),
        ("2026-03-02", "15:00Z", "2026-03-02T15:00:00"),
        ("2026-03-02", "10:00:00-05:00", "2026-03-02T15:00:00"),
        ("2026-03-02", "22:00:00-05:00", "2026-03-03T03:00:00"),
        (None, "2026-03-02T10:00:00.250-05:00", "2026-03-02T15:00:00.250000"),
        ("2026-03-02", "2026-03-03T01:00:00Z", "2026-03-03T01:00:00"),
    ],
)
def test_a_stamp_with_its_offset_is_a_moment(day: str | None, time: str, utc: str) -> None:
    at = datetime.fromtimestamp(decode(canonical(snapshot_date=day, snapshot_time=time)).as_of, UTC)
    assert at.replace(tzinfo=None).isoformat() == utc


@pytest.mark.parametrize(
    ("day", "time", "word"),
    [
        ("2026-03-02", "15:00:00", "with Z or"),
        (None, "2026-03-02T15:00:00", "with Z or"),
        (None, "15:00:00Z", "snapshot_date is missing"),
        ("2026-02-30", "15:00:00Z", "day"),
        ("2016-12-31", "23:59:60Z", "second"),
        ("2026-03-02", "24:00:00Z", "hour"),
        ("2026-03-02", "15:00:00+24:00", "snapshot_time"),
        ("2026-03-02", "02:30:00 America/New_York", "with Z or"),
        ("03/02/2026", "15:00:00Z", "YYYY-MM-DD"),
        ("20260302", "15:00:00Z", "YYYY-MM-DD"),
        ("2026-03-02", "2026-03-05T01:00:00Z", "a day apart"),
        ("\u0662\u0660\u0662\u0666-03-02", "15:00:00Z", "YYYY-MM-DD"),
    ],
)
def test_a_stamp_that_leaves_a_doubt_is_refused(day: str | None, time: str, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(canonical(snapshot_date=day, snapshot_time=time))


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"strike_price": 0}, "strike 0"),
        ({"strike_price": -1}, "strike -1"),
        ({"strike_price": 1e9}, "strike 1000000000"),
        ({"strike_price": None}, "got `null`"),
        ({"strike_price": 6010}, "stands twice"),
        ({"call_open_interest": -1}, "call_open_interest is -1"),
        ({"put_open_interest": None}, "got `null`"),
        ({"call_volume": -1}, "call_volume is -1"),
        ({"put_volume": 1e12}, "put_volume is 1000000000000"),
        ({"call_bid": -0.01}, "call_bid is -0.01"),
        ({"call_ask": -1}, "call_ask is -1"),
        ({"put_bid": -1}, "put_bid is -1"),
        ({"put_ask": -1}, "put_ask is -1"),
        ({"gamma": 1e300}, "gamma is 1e"),
        ({"gamma": "1.5"}, "got `str`"),
    ],
)
def test_a_bad_strike_is_refused_by_its_place(fields: dict[str, object], word: str) -> None:
    with pytest.raises(MalformedPayload, match=r"strikes\[1\]") as refused:
        decode(canonical(strikes=[strike(6010.0), strike(6020.0) | fields, strike(6030.0)]))
    assert word in refused.value.message


@pytest.mark.parametrize("needed", ["market_symbol", "snapshot_time", "strikes"])
def test_what_is_needed_is_named(needed: str) -> None:
    with pytest.raises(MalformedPayload, match=needed):
        decode(canonical().replace(f'"{needed}"'.encode(), b'"other"'))


def test_totals_that_do_not_add_up_are_warned_of() -> None:
    assert decode(canonical(total_open_interest=165)).warnings == ()
    assert decode(canonical(total_open_interest=166)).warnings == ("total_open_interest is 166, but the strikes add up to 165",)
    assert decode(canonical(total_volume=999)).warnings == (), "put volumes are not known"


def test_lines_give_a_snapshot_each_and_an_array_is_refused() -> None:
    two = canonical() + b"\n" + canonical(market_symbol="vix") + b"\n"
    assert [snapshot.symbol for snapshot in Canonical().decode(two)] == ["SPX", "VIX"]
    with pytest.raises(MalformedPayload, match="line 2: "):
        Canonical().decode(canonical() + b"\n" + canonical(market_symbol="/"))
    with pytest.raises(MalformedPayload, match="this is no canonical document: not a JSON object"):
        Canonical().decode(b"[" + canonical() + b"]")
