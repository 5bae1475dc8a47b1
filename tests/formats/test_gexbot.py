"""GEXBot classic: units, what a 0 means, and one snapshot a record."""

import json

import numpy as np
import pytest
from format_samples import gexbot, gexbot_low_tier

from gexdesk.formats.gexbot import GexbotClassic
from gexdesk.formats.ranges import MAX_STRIKES
from gexdesk.model.errors import MalformedPayload, OversizePayload
from gexdesk.model.snapshot import Snapshot, StrikeTable

BY_VOLUME = "the vendor's total is by volume: it gives none by open interest (subscription tier)"


def decode(body: bytes) -> Snapshot:
    (snapshot,) = GexbotClassic().decode(body)
    return snapshot


def table_of(snapshot: Snapshot) -> StrikeTable:
    assert snapshot.given is not None
    return snapshot.given


def test_a_record_of_the_full_tier() -> None:
    snapshot = decode(gexbot())
    assert (snapshot.symbol, snapshot.spot, snapshot.as_of) == ("SPX", 6001.25, 1772463600.0)
    assert snapshot.vendor_net_gex == 13.75e6
    assert snapshot.vendor_zero_gamma == 5990.5
    assert snapshot.warnings == ()
    table = table_of(snapshot)
    assert table.strike.tolist() == [5990.0, 6002.5, 6010.0]
    assert table.net_gex.tolist() == [-20e6, 3.25e6, 30.5e6]
    assert table.net_gex_volume.tolist() == [-1.5e6, 0.0, 4e6]
    for unknown in ("call_open_interest", "put_open_interest", "call_volume", "put_volume", "call_gex", "put_gex"):
        assert np.isnan(getattr(table, unknown)).all()


def test_zeros_of_a_lower_tier_are_missing() -> None:
    snapshot = decode(gexbot_low_tier())
    assert snapshot.vendor_zero_gamma is None
    assert snapshot.vendor_net_gex == 2.5e6
    assert snapshot.warnings == (BY_VOLUME,)
    assert np.isnan(table_of(snapshot).net_gex).all()
    assert table_of(snapshot).net_gex_volume.tolist() == [-1.5e6, 4e6]


def test_a_zero_at_some_strikes_is_a_number() -> None:
    strikes = [[5990, 1, 0, []], [6000, 2, -3, []]]
    assert table_of(decode(gexbot(strikes=strikes, sum_gex_oi=0))).net_gex.tolist() == [0.0, -3e6]
    flat = [[5990, 1, 0, []], [6000, 2, 0, []]]
    assert table_of(decode(gexbot(strikes=flat, sum_gex_oi=0.5))).net_gex.tolist() == [0.0, 0.0]


def test_nothing_traded_yet_is_a_true_zero() -> None:
    assert decode(gexbot_low_tier(sum_gex_vol=0)).vendor_net_gex == 0.0


def test_no_total_is_no_total() -> None:
    snapshot = decode(gexbot(sum_gex_oi=None, sum_gex_vol=None, zero_gamma=None))
    assert snapshot.vendor_net_gex is None
    assert snapshot.vendor_zero_gamma is None
    assert snapshot.warnings == ("the vendor gives no total",)


def test_strikes_come_out_ascending_with_their_numbers() -> None:
    table = table_of(decode(gexbot(strikes=[[6010, 3, 30, []], [5990.5, 1, 10, []], [6000, 2, None, []]])))
    assert table.strike.tolist() == [5990.5, 6000.0, 6010.0]
    assert table.net_gex_volume.tolist() == [1e6, 2e6, 3e6]
    assert table.net_gex[0] == 10e6
    assert np.isnan(table.net_gex[1])


def test_lines_and_histories_give_a_snapshot_a_record_repeats_included() -> None:
    records = [gexbot(timestamp=1772463600 + second, spot=6000 + second) for second in (0, 1, 1, 2)]
    lines = b"\n".join(records[:2]) + b"\r\n\n" + b"\n".join(records[2:]) + b"\n"
    history = b"[" + b",".join(records) + b"]"
    for body in (lines, history):
        snapshots = GexbotClassic().decode(body)
        assert [snapshot.as_of for snapshot in snapshots] == [1772463600, 1772463601, 1772463601, 1772463602]
        assert [snapshot.spot for snapshot in snapshots] == [6000, 6001, 6001, 6002]


def test_one_record_over_several_lines_is_one_record() -> None:
    assert decode(json.dumps(json.loads(gexbot()), indent=2).encode()).spot == 6001.25


@pytest.mark.parametrize(
    ("bad", "word"),
    [
        (gexbot(spot=0), "spot is 0"),
        (gexbot(spot=None), "spot is missing"),
        (gexbot(timestamp=1772463600000), "milliseconds"),
        (gexbot(zero_gamma=-1), "zero_gamma is -1"),
        (gexbot(sum_gex_oi=1e300), "sum_gex_oi is 1e"),
        (gexbot(strikes=[]), "strikes is empty"),
        (gexbot(strikes=[[0, 1, 1, []]]), r"strikes\[0\]: strike 0"),
        (gexbot(strikes=[[5990, 1, 1, []], [-5, 1, 1, []]]), r"strikes\[1\]: strike -5"),
        (gexbot(strikes=[[6000, 1, 1, []], [6000.0, 1, 1, []]]), r"strikes\[1\]: strike 6000 stands twice"),
        (gexbot(strikes=[[6000, 1, 1, []], [6010, 1]]), r"strikes\[1\]: .*length"),
        (gexbot(strikes=[[6000, 1, 1, []], [6010, "x", 1, []], [6020, True, 1, []]]), r"strikes\[1\]: .*2 such rows of 3"),
        (gexbot(strikes=[[6000, 1e300, 1, []]]), r"strikes\[0\]: gex_vol is 1e"),
        (gexbot()[:-2], "ends in the middle"),
    ],
    ids=lambda value: value if isinstance(value, str) else "record",
)
def test_a_bad_record_is_refused_with_its_line(bad: bytes, word: str) -> None:
    with pytest.raises(MalformedPayload, match=word):
        decode(bad)
    for body, where in ((gexbot() + b"\n" + bad, "line 2: "), (b"[" + gexbot() + b"," + bad + b"]", "record 2: ")):
        if bad.endswith(b"}") or where.startswith("line"):
            with pytest.raises(MalformedPayload, match=f"^{where}.*{word}"):
                GexbotClassic().decode(body)


def test_two_documents_on_one_line_are_refused() -> None:
    with pytest.raises(MalformedPayload, match="trailing characters"):
        decode(gexbot() + gexbot())


def test_more_strikes_than_any_market_lists_are_refused_before_they_go_anywhere() -> None:
    rows = [[number / 4 + 1, 0.0, 1.0, [0.0] * 5] for number in range(MAX_STRIKES + 1)]
    assert len(table_of(decode(gexbot(strikes=rows[:-1], sum_gex_oi=1.0))).strike) == MAX_STRIKES
    with pytest.raises(OversizePayload, match="the document has 50,001 strikes; allowed: at most 50,000"):
        decode(gexbot(strikes=rows, sum_gex_oi=1.0))
