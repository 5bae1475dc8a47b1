"""The whole summary of a snapshot on numbers that can be worked by hand, and what holds for every chain."""

import math
from dataclasses import replace
from datetime import UTC, datetime

import msgspec
import numpy as np
import pytest
from gex_chains import EXPIRY, FLAT, NAN, QUARTER_BEFORE, Row, chain_of, gamma, given_of, snapshot_of, table_of
from hypothesis import given, settings
from hypothesis import strategies as st

from gexdesk.gex.series import series_of
from gexdesk.gex.summary import Measures, analyse, measure
from gexdesk.model.errors import SettingsError
from gexdesk.model.exposure import Conventions, ExpiryGex, Exposure, ZeroGamma
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import Snapshot

LADDER = [
    Row("C", 95.0, open_interest=5, volume=1),
    Row("P", 95.0, open_interest=40, volume=10),
    Row("C", 100.0, open_interest=30, volume=20),
    Row("P", 100.0, open_interest=25, volume=5),
    Row("C", 105.0, open_interest=20, volume=4),
    Row("P", 105.0, open_interest=10, volume=0),
]


def summed(snapshot: Snapshot, conventions: Conventions = FLAT) -> Exposure:
    return analyse(snapshot, conventions)[0]


def unit_at(strike: float) -> float:
    """GEX of one contract: gamma * 100 * 100^2 * 0.01."""
    return float(gamma(100.0, strike, 0.2, 0.25, 0.0, 0.0)) * 10_000


def test_every_number_of_a_ladder_worked_by_hand() -> None:
    exposure, table = analyse(snapshot_of(LADDER), FLAT)
    below, at, above = unit_at(95.0), unit_at(100.0), unit_at(105.0)
    assert (exposure.contracts, exposure.expiries, exposure.strikes) == (6, 1, 3)
    assert exposure.total_open_interest == 5 + 40 + 30 + 25 + 20 + 10
    assert exposure.total_volume == 1 + 10 + 20 + 5 + 4
    assert table.net_gex == pytest.approx([-35 * below, 5 * at, 10 * above], rel=1e-12)
    assert exposure.net_gex == pytest.approx(-35 * below + 5 * at + 10 * above, rel=1e-12)
    assert exposure.gross_gex == pytest.approx(45 * below + 55 * at + 30 * above, rel=1e-12)
    assert exposure.net_gex_volume == pytest.approx(-9 * below + 15 * at + 4 * above, rel=1e-12)
    # Net per strike: -35 at 95 and +10 at 105 are the extremes; un-netted, 55 at 100 is the largest.
    assert (exposure.put_wall, exposure.call_wall, exposure.absolute_gamma_strike) == (95.0, 105.0, 100.0)
    # Holders get at 95: 25*5 + 10*10 = 225; at 100: 5*5 + 10*5 = 75; at 105: 5*10 + 30*5 = 200.
    assert exposure.max_pain == 100.0
    assert exposure.put_call_oi == pytest.approx(75 / 55)
    assert exposure.put_call_volume == pytest.approx(15 / 25)
    assert exposure.zero_dte_share == 0.0
    assert (exposure.coverage, exposure.quality, exposure.warnings) == (1.0, 1.0, ())
    assert exposure.quality_reasons == ()
    assert exposure.gex_by_expiry == (ExpiryGex("2026-06-17", exposure.net_gex, exposure.gross_gex),)
    # Gross by strike: 55 at 100, 45 at 95, 30 at 105; they are all there is.
    assert (exposure.top5_strikes, exposure.top5_share) == ((100.0, 95.0, 105.0), pytest.approx(1.0))
    assert exposure.conventions == FLAT
    assert (exposure.format, exposure.symbol, exposure.spot) == ("cboe_json", "XYZ", 100.0)
    assert exposure.zero_gamma.status == "found"
    assert exposure.zero_gamma.value is not None
    # With sigma sqrt(T) = 0.1 throughout, the root solves -35 n(d95) + 5 n(d100) + 10 n(d105) = 0, d = 10 ln(S/K) + 0.05.
    d95, d100, d105 = (10 * math.log(exposure.zero_gamma.value / k) + 0.05 for k in (95, 100, 105))
    bell = [math.exp(-d * d / 2) for d in (d95, d100, d105)]
    assert -35 * bell[0] + 5 * bell[1] + 10 * bell[2] == pytest.approx(0.0, abs=1e-6)


def test_the_curve_passes_through_the_net_at_spot() -> None:
    exposure = summed(snapshot_of(LADDER))
    assert len(exposure.profile_spot) == len(exposure.profile_net_gex) == 121
    assert exposure.profile_spot[60] == 100.0
    assert exposure.profile_net_gex[60] == pytest.approx(exposure.net_gex, rel=1e-5)


def test_triage_and_processing_agree() -> None:
    rows = [*LADDER, Row(iv=NAN, gamma=0.05), Row(iv=NAN), Row(expiry=EXPIRY - 92), Row(volume=NAN)]
    for snapshot in (
        snapshot_of(rows),
        snapshot_of(rows, spot=None),
        snapshot_of([]),
        snapshot_of([row._replace(open_interest=0.0) for row in rows]),
        given_of(table_of(strike=[95.0, 100.0], net_gex=[-3.0, 5.0], put_volume=[4, NAN])),
    ):
        exposure = summed(snapshot)
        assert measure(snapshot, FLAT) == Measures(*(getattr(exposure, name) for name in Measures.__struct_fields__))


def test_zero_dte_share_is_of_the_quote_s_new_york_date_worked_by_hand() -> None:
    # 16 June 2026, 23:59 UTC is still the 16th in New York; 01:00 UTC of the 17th too, and 04:00 UTC is the 17th.
    rows = [Row(open_interest=30), Row("P", open_interest=10, expiry=EXPIRY + 30)]
    late = datetime(2026, 6, 17, 1, 0, tzinfo=UTC).timestamp()
    assert summed(snapshot_of(rows, quoted_at=late)).zero_dte_share == 0.0
    midnight = datetime(2026, 6, 17, 4, 0, tzinfo=UTC).timestamp()
    # One at-the-money contract weighs n(d1) / sqrt(T): 16 h against 16 h + 30 days, d1 all but 0 for both.
    t, far = 16 / 8760, (16 + 720) / 8760
    near, later = 30 * gamma(100.0, 100.0, 0.2, t, 0, 0), 10 * gamma(100.0, 100.0, 0.2, far, 0, 0)
    assert summed(snapshot_of(rows, quoted_at=midnight)).zero_dte_share == pytest.approx(near / (near + later), rel=1e-9)


def test_a_replay_counts_time_from_the_quote_and_not_from_its_shifted_stamp() -> None:
    shifted = snapshot_of(LADDER, as_of=QUARTER_BEFORE + 200 * 86400)
    assert summed(shifted) == msgspec.structs.replace(summed(snapshot_of(LADDER)), as_of=shifted.as_of)


def test_what_expires_on_the_quote_s_date_expires_today_in_a_replay_too() -> None:
    noon = datetime(2026, 6, 17, 16, 0, tzinfo=UTC).timestamp()
    assert summed(snapshot_of(LADDER, quoted_at=noon, as_of=noon + 30 * 86400)).zero_dte_share == 1.0


def test_expiries_are_summed_by_date_over_all_roots_and_settled_ones_are_left_out() -> None:
    rows = [
        Row(open_interest=30, root="SPX"), Row("P", open_interest=10, root="SPXW"), Row(open_interest=7, expiry=EXPIRY + 30),
        Row(open_interest=4, expiry=EXPIRY + 37, iv=NAN), Row(open_interest=9, expiry=EXPIRY - 92),
    ]  # fmt: skip
    near, far, blind = summed(snapshot_of(rows)).gex_by_expiry
    spx = 30 * float(gamma(100.0, 100.0, 0.2, 0.25 - 6.5 / 8760, 0, 0)) * 10_000
    spxw = 10 * unit_at(100.0)
    assert (near.expiry, far.expiry) == ("2026-06-17", "2026-07-17")
    assert (near.net_gex, near.gross_gex) == (pytest.approx(spx - spxw, rel=1e-9), pytest.approx(spx + spxw, rel=1e-9))
    later = 7 * float(gamma(100.0, 100.0, 0.2, 0.25 + 30 / 365, 0, 0)) * 10_000
    assert (far.net_gex, far.gross_gex) == (pytest.approx(later, rel=1e-9), pytest.approx(later, rel=1e-9))
    assert blind == ExpiryGex("2026-07-24", None, None)


def test_the_document_s_own_multiplier_goes_before_the_configured_one() -> None:
    mini = summed(replace(snapshot_of(LADDER), multiplier=10.0))
    whole = summed(snapshot_of(LADDER))
    assert whole.net_gex is not None
    assert mini.net_gex == pytest.approx(whole.net_gex / 10, rel=1e-12)
    assert mini.dex == pytest.approx(whole.dex / 10, rel=1e-12)
    assert mini.conventions == msgspec.structs.replace(FLAT, multiplier=10.0)
    assert mini.zero_gamma.roots == pytest.approx(whole.zero_gamma.roots, rel=1e-8)


def test_a_document_that_came_late_is_trusted_less_and_says_so() -> None:
    exposure, _ = analyse(snapshot_of(LADDER), FLAT, 1200.0)
    assert exposure.quality == pytest.approx(0.25)
    assert exposure.quality_reasons == exposure.warnings == ("late: it came 1,200 s after its stamp, beyond the known delay",)
    table = table_of(strike=[95.0], net_gex=[1.0])
    assert analyse(given_of(table), FLAT, 1200.0)[0].quality == pytest.approx(0.25)


def test_max_pain_leaves_out_the_root_that_settled_this_morning() -> None:
    morning = [Row(strike=90.0, open_interest=900, root="SPX"), Row("P", 90.0, open_interest=900, root="SPX")]
    rows = [*morning, *(row._replace(root="SPXW") for row in LADDER)]
    opening = settles_at("SPX", EXPIRY)
    assert summed(snapshot_of(rows, quoted_at=opening - 1)).max_pain == 90.0
    assert summed(snapshot_of(rows, quoted_at=opening)).max_pain == 100.0


def test_max_pain_is_of_the_first_expiry_that_lives() -> None:
    settled = [Row(strike=80.0, expiry=EXPIRY - 92), Row("P", 80.0, expiry=EXPIRY - 92)]
    later = [Row(strike=120.0, open_interest=900, expiry=EXPIRY + 7), Row("P", 120.0, open_interest=900, expiry=EXPIRY + 7)]
    assert summed(snapshot_of([*settled, *LADDER, *later])).max_pain == 100.0
    assert summed(snapshot_of([*LADDER, *later], quoted_at=settles_at("XYZ", EXPIRY) - 1)).max_pain == 100.0
    assert summed(snapshot_of([*LADDER, *later], quoted_at=settles_at("XYZ", EXPIRY))).max_pain == 120.0


def test_missing_spot_leaves_what_needs_none() -> None:
    for spot in (None, 0.0, -1.0, float("nan"), float("inf")):
        exposure, table = analyse(snapshot_of(LADDER, spot=spot), FLAT)
        levels = ("call_wall", "put_wall", "absolute_gamma_strike", "zero_dte_share", "top5_share")
        unknown = ("spot", "net_gex", "gross_gex", "net_gex_volume", "dex", "vex", "chex", *levels)
        assert [getattr(exposure, name) for name in unknown] == [None] * 12
        assert exposure.gex_by_expiry == (ExpiryGex("2026-06-17", None, None),)
        assert exposure.zero_gamma == ZeroGamma("not_enough_data")
        assert exposure.profile_spot == exposure.profile_net_gex == ()
        assert (exposure.total_open_interest, exposure.max_pain, exposure.coverage) == (130, 100.0, 1.0)
        assert exposure.quality == 0.0
        assert exposure.warnings == ("spot missing: no gamma exposure can be computed",)
        assert np.isnan(table.net_gex).all()
        assert list(table.put_open_interest) == [40, 25, 10]


@pytest.mark.parametrize("open_interest", [0.0, NAN])
def test_without_open_interest_volume_takes_its_place_and_says_so(open_interest: float) -> None:
    rows = [row._replace(open_interest=open_interest) for row in LADDER]
    exposure, table = analyse(snapshot_of(rows), FLAT)
    below, at, above = unit_at(95.0), unit_at(100.0), unit_at(105.0)
    assert exposure.net_gex == exposure.net_gex_volume == pytest.approx(-9 * below + 15 * at + 4 * above, rel=1e-12)
    assert exposure.gross_gex == pytest.approx(11 * below + 25 * at + 4 * above, rel=1e-12)
    assert (exposure.put_wall, exposure.call_wall, exposure.absolute_gamma_strike) == (95.0, 100.0, 100.0)
    assert exposure.zero_gamma.status == "found"
    assert exposure.coverage is None
    assert exposure.total_open_interest == (None if np.isnan(open_interest) else 0.0)
    assert exposure.warnings == ("volume: no open interest in the chain, the exposure is computed from volume instead",)
    assert table.net_gex_volume == pytest.approx([-9 * below, 15 * at, 4 * above], rel=1e-12)
    assert (np.isnan(table.net_gex) if np.isnan(open_interest) else table.net_gex == 0).all()


def test_zero_is_zero_and_unknown_is_none() -> None:
    idle = [row._replace(open_interest=0.0, volume=0.0) for row in LADDER]
    exposure = summed(snapshot_of(idle))
    assert (exposure.net_gex, exposure.gross_gex, exposure.net_gex_volume) == (0.0, 0.0, 0.0)
    assert (exposure.total_open_interest, exposure.total_volume) == (0.0, 0.0)
    assert (exposure.put_call_oi, exposure.zero_dte_share, exposure.max_pain, exposure.call_wall) == (None, None, None, None)
    silent = [row._replace(open_interest=NAN, volume=NAN) for row in LADDER]
    exposure = summed(snapshot_of(silent))
    assert (exposure.net_gex, exposure.gross_gex, exposure.net_gex_volume) == (None, None, None)
    assert (exposure.total_open_interest, exposure.total_volume) == (None, None)
    blind = [row._replace(iv=NAN) for row in LADDER] + [Row(open_interest=0.0, volume=0.0)]
    exposure = summed(snapshot_of(blind))
    assert (exposure.net_gex, exposure.gross_gex, exposure.coverage) == (None, None, 0.0)
    assert exposure.zero_gamma == ZeroGamma("not_enough_data")


def test_a_chain_that_has_settled_throughout_is_unknown_and_not_zero() -> None:
    exposure = summed(snapshot_of(LADDER, quoted_at=settles_at("XYZ", EXPIRY)))
    assert (exposure.net_gex, exposure.gross_gex, exposure.max_pain, exposure.coverage) == (None, None, None, None)
    assert exposure.total_open_interest == 130
    assert exposure.warnings == ("expired: all 6 contracts have settled",)


def test_no_contracts_at_all() -> None:
    exposure, table = analyse(snapshot_of([]), FLAT)
    assert (exposure.contracts, exposure.expiries, exposure.strikes, len(table)) == (0, 0, 0, 0)
    assert (exposure.net_gex, exposure.total_open_interest, exposure.quality) == (None, None, 0.0)
    assert exposure.warnings == ("empty: the chain has no contracts",)


def test_vendor_gamma_fills_gaps_and_is_counted() -> None:
    rows = [*LADDER, Row(iv=NAN, gamma=0.05), Row(iv=NAN, gamma=0.05, open_interest=0), Row(iv=NAN, gamma=0.0)]
    exposure = summed(snapshot_of(rows, warnings=("spot: taken from the header",)))
    # 0.05 * 10 * 100 * 10,000 * 0.01 = 5,000 on top of the ladder; the one without open interest and the 0 add nothing.
    assert exposure.net_gex == pytest.approx(summed(snapshot_of(LADDER)).net_gex + 5000, rel=1e-12)
    assert exposure.conventions.gamma_source == "iv"
    assert exposure.coverage == pytest.approx(6 / 8)
    assert exposure.warnings[:2] == (
        "spot: taken from the header",
        "vendor gamma: 1 open contracts without IV take the vendor's, and are not in the profile",
    )
    only = summed(snapshot_of([Row(iv=NAN, gamma=0.05), Row("P", iv=NAN, gamma=0.04)]))
    assert only.net_gex == pytest.approx(1000)
    assert only.conventions.gamma_source == "vendor"
    assert only.zero_gamma == ZeroGamma("not_enough_data")


def test_vendor_convention_is_kept_in_the_snapshot() -> None:
    vendor = msgspec.structs.replace(FLAT, gamma_source="vendor")
    exposure = summed(snapshot_of([Row(gamma=0.05), Row("P", gamma=0.04)]), vendor)
    assert exposure.net_gex == pytest.approx(1000)
    assert exposure.conventions == vendor
    assert exposure.warnings == ()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("time", "business days / 252"),
        ("sign", "calls -1, puts +1"),
        ("gamma_source", "given_strikes"),
        ("rate", NAN),
        ("dividend_yield", float("inf")),
        ("multiplier", 0.0),
    ],
)
def test_conventions_it_does_not_compute_by_are_refused(name: str, value: object) -> None:
    wrong = msgspec.structs.replace(FLAT, **{name: value})
    for compute in (measure, analyse):
        with pytest.raises(SettingsError, match=rf"^conventions\.{name} is "):
            compute(snapshot_of(LADDER), wrong)


def test_given_strikes_are_used_as_they_are() -> None:
    table = table_of(
        strike=[95.0, 100.0, 102.5],
        net_gex=[-7.0, 2.0, 4.0],
        net_gex_volume=[1.0, NAN, -3.0],
        call_open_interest=[10, 20, NAN],
        put_open_interest=[30, NAN, NAN],
        call_volume=[4, 4, 0],
        put_volume=[1, 1, 0],
    )
    exposure, returned = analyse(given_of(table, zero_gamma=99.25, net_gex=-1.5), Conventions())
    assert returned is table
    assert (exposure.net_gex, exposure.gross_gex, exposure.net_gex_volume) == (-1.0, 13.0, -2.0)
    assert (exposure.call_wall, exposure.put_wall, exposure.absolute_gamma_strike) == (102.5, 95.0, None)
    assert exposure.zero_gamma == ZeroGamma("vendor", 99.25, (99.25,))
    assert exposure.vendor_net_gex == -1.5
    assert (exposure.total_open_interest, exposure.total_volume) == (60, 10)
    assert (exposure.put_call_oi, exposure.put_call_volume) == (1.0, 0.25)
    assert (exposure.strikes, exposure.contracts, exposure.expiries) == (3, None, None)
    assert (exposure.zero_dte_share, exposure.max_pain, exposure.coverage) == (None, None, None)
    # Apart from the vendor's -1.5 by 0.5 of 13.
    assert exposure.quality == pytest.approx(1 - 0.5 / 13)
    assert exposure.warnings == exposure.quality_reasons == ("vendor's total: -2 per 1%, ours is -1",)
    assert (exposure.top5_strikes, exposure.top5_share) == ((95.0, 102.5, 100.0), 1.0)
    assert (exposure.dex, exposure.vex, exposure.chex, exposure.gex_by_expiry) == (None, None, None, ())
    assert exposure.conventions == Conventions(gamma_source="given_strikes")


def test_given_sides_make_gross_and_absolute_gamma() -> None:
    table = table_of(strike=[95.0, 100.0], net_gex=[-1.0, 3.0], call_gex=[9.0, 3.0], put_gex=[-10.0, NAN])
    exposure = summed(given_of(table))
    assert (exposure.gross_gex, exposure.absolute_gamma_strike, exposure.call_wall) == (22.0, 95.0, 100.0)


@pytest.mark.parametrize("nothing", [NAN, 0.0])
def test_given_by_volume_only(nothing: float) -> None:
    table = table_of(strike=[95.0, 100.0, 105.0], net_gex=[nothing] * 3, net_gex_volume=[-7.0, 2.0, NAN])
    exposure = summed(given_of(table))
    assert (exposure.net_gex, exposure.gross_gex, exposure.net_gex_volume) == (-5.0, 9.0, -5.0)
    assert (exposure.call_wall, exposure.put_wall) == (100.0, 95.0)
    assert exposure.zero_gamma == ZeroGamma("not_enough_data")
    assert exposure.quality == pytest.approx(2 / 3)
    assert exposure.warnings == (
        "volume: no exposure by open interest in the document, the one by volume is taken instead",
        "coverage 67%: 1 of 3 strikes come without an exposure",
    )


def test_given_nothing_is_unknown_and_given_zeros_are_zero() -> None:
    nothing = summed(given_of(table_of(strike=[95.0])))
    assert (nothing.net_gex, nothing.gross_gex, nothing.total_volume, nothing.quality) == (None, None, None, 0.0)
    assert nothing.warnings == ("exposure missing: the document gives none by strike",)
    zeros = summed(given_of(table_of(strike=[95.0], net_gex=[0.0], net_gex_volume=[0.0])))
    assert (zeros.net_gex, zeros.gross_gex, zeros.call_wall, zeros.warnings) == (0.0, 0.0, None, ())


def test_sums_are_those_of_a_plain_loop() -> None:
    rng = np.random.default_rng(5)
    rows = [
        Row(
            right=str(rng.choice(["C", "P"])),
            strike=float(rng.integers(400, 900)) * 10 + float(rng.choice([0.0, 2.5])),
            open_interest=float(rng.integers(0, 5000)),
            volume=float(rng.integers(0, 800)),
            iv=float(rng.choice([NAN, *rng.uniform(0.08, 3, 9)])),
            gamma=float(rng.choice([0.0, 0.0004])),
            root=str(rng.choice(["SPX", "SPXW"])),
            expiry=EXPIRY + int(rng.choice([-100, -92, 0, 30, 400])),
        )
        for _ in range(2000)
    ]
    usual, chain = Conventions(), chain_of(rows)
    exposure = summed(snapshot_of(rows, spot=6123.4), usual)
    net = gross = 0.0
    for row in rows:
        t = (settles_at(row.root, row.expiry) - QUARTER_BEFORE) / (365 * 86400)
        if t <= 0:
            continue
        value = float(gamma(6123.4, row.strike, row.iv, t, usual.rate, usual.dividend_yield))
        value = (row.gamma or 0.0) if np.isnan(value) else value
        gex = (1 if row.right == "C" else -1) * value * row.open_interest * 100 * 6123.4**2 * 0.01
        net, gross = net + gex, gross + abs(gex)
    assert (series_of(chain, QUARTER_BEFORE).years <= 0).any()
    assert exposure.net_gex == pytest.approx(net, rel=1e-9)
    assert exposure.gross_gex == pytest.approx(gross, rel=1e-9)
    assert (exposure.contracts, exposure.expiries) == (2000, 5)


def numbers(exposure: Exposure) -> dict[str, object]:
    """All numbers of an exposure, with roots and curve flattened."""
    values: dict[str, object] = {name: getattr(exposure, name) for name in exposure.__struct_fields__}
    flip = values.pop("zero_gamma")
    assert isinstance(flip, ZeroGamma)
    days = values.pop("gex_by_expiry")
    assert isinstance(days, tuple)
    values |= {"expiries": [day.expiry for day in days], "by_expiry": [day.gross_gex or -1.0 for day in days]}
    values |= {"status": flip.status, "flip": flip.value, "roots": list(flip.roots)}
    curve = values.pop("profile_net_gex")
    assert isinstance(curve, tuple)
    peak = max(map(abs, curve), default=1.0) or 1.0
    return {**values, "curve": [value / peak for value in curve]}


@st.composite
def ladders(draw: st.DrawFn) -> list[Row]:
    def count() -> st.SearchStrategy[float]:
        return st.one_of(st.just(NAN), st.just(0.0), st.integers(1, 10_000).map(float))

    return draw(
        st.lists(
            st.builds(
                Row,
                right=st.sampled_from("CP"),
                strike=st.integers(320, 480).map(lambda quarter: quarter / 4),
                open_interest=count(),
                volume=count(),
                iv=st.one_of(st.just(NAN), st.floats(0.05, 3.0)),
                root=st.sampled_from(["XYZ", "XYW"]),
                expiry=st.sampled_from([EXPIRY - 100, EXPIRY - 91, EXPIRY, EXPIRY + 30]),
                gamma=st.sampled_from([NAN, 0.0, 0.01]),
            ),
            max_size=25,
        )
    )


@settings(max_examples=150, deadline=None)
@given(ladders(), st.randoms(use_true_random=False))
def test_the_order_of_rows_does_not_matter(rows: list[Row], random: object) -> None:
    before = numbers(summed(snapshot_of(rows)))
    random.shuffle(rows)  # type: ignore[attr-defined]
    after = numbers(summed(snapshot_of(rows)))
    assert after.pop("curve") == pytest.approx(before.pop("curve"), abs=1e-5)
    for name, value in before.items():
        signed = name in ("net_gex", "net_gex_volume", "dex", "vex", "chex")
        scale = 1e-10 * (before["gross_gex"] or 0.0) if signed else 0.0
        is_number = isinstance(value, float) or (isinstance(value, list) and name != "expiries")
        assert after[name] == (pytest.approx(value, rel=1e-9, abs=max(scale, 1e-12)) if is_number else value), name


@settings(max_examples=150, deadline=None)
@given(ladders())
def test_gross_is_at_least_net_and_shares_stay_shares(rows: list[Row]) -> None:
    exposure, table = analyse(snapshot_of(rows), FLAT)
    assert (exposure.net_gex is None) == (exposure.gross_gex is None)
    if exposure.net_gex is not None and exposure.gross_gex is not None:
        assert exposure.gross_gex >= abs(exposure.net_gex) * (1 - 1e-12)
    for share in (exposure.zero_dte_share, exposure.coverage, exposure.quality):
        assert share is None or 0 <= share <= 1 + 1e-12
    for wall in (exposure.call_wall, exposure.put_wall, exposure.absolute_gamma_strike):
        assert wall is None or wall in table.strike
    assert (np.diff(table.strike) > 0).all()


@settings(max_examples=100, deadline=None)
@given(ladders(), st.sampled_from([2.0, 0.5, 1000.0]))
def test_scaling_open_interest_scales_exposure_and_moves_no_level(rows: list[Row], factor: float) -> None:
    rows = [row._replace(volume=0.0) for row in rows]
    before = summed(snapshot_of(rows))
    after = summed(snapshot_of([row._replace(open_interest=row.open_interest * factor) for row in rows]))
    for name in ("net_gex", "gross_gex"):
        value = getattr(before, name)
        assert getattr(after, name) == (None if value is None else pytest.approx(value * factor, rel=1e-12, abs=1e-300))
    for name in ("call_wall", "put_wall", "absolute_gamma_strike", "zero_dte_share", "coverage", "quality", "warnings"):
        value = getattr(before, name)
        assert getattr(after, name) == (pytest.approx(value, rel=1e-9) if isinstance(value, float) else value), name
    assert after.zero_gamma.roots == pytest.approx(before.zero_gamma.roots, rel=1e-8)


@settings(max_examples=100, deadline=None)
@given(ladders())
def test_swapping_calls_and_puts_turns_the_sign(rows: list[Row]) -> None:
    rows = [row._replace(bid=NAN, ask=NAN) for row in rows]  # the same price implies another IV on the other side
    before, table = analyse(snapshot_of(rows), FLAT)
    after, turned = analyse(snapshot_of([row._replace(right="P" if row.right == "C" else "C") for row in rows]), FLAT)
    assert after.gross_gex == before.gross_gex
    for name in ("net_gex", "net_gex_volume"):
        value = getattr(before, name)
        assert getattr(after, name) == (None if value is None else -value)
    np.testing.assert_array_equal(turned.net_gex, -table.net_gex)
    np.testing.assert_array_equal(turned.call_gex, -table.put_gex)
    assert (after.call_wall, after.put_wall) == (before.put_wall, before.call_wall)
    assert after.absolute_gamma_strike == before.absolute_gamma_strike
    assert after.zero_gamma.roots == pytest.approx(before.zero_gamma.roots, rel=1e-8)
    assert (after.vex is None) == (before.vex is None)
    if before.vex is not None:
        assert after.vex == pytest.approx(-before.vex, rel=1e-12)


@settings(max_examples=100, deadline=None)
@given(ladders(), ladders())
def test_chains_without_a_common_contract_add(some: list[Row], others: list[Row]) -> None:
    def usable(row: Row) -> Row:
        held = row.open_interest if row.open_interest >= 1 else 1.0
        return row._replace(open_interest=held, iv=0.2 if math.isnan(row.iv) else row.iv)

    some, others = [usable(row) for row in some], [usable(row)._replace(root=f"{row.root}Q") for row in others]
    parts, whole = [summed(snapshot_of(rows)) for rows in (some, others)], summed(snapshot_of([*some, *others]))
    for name in ("net_gex", "gross_gex", "dex", "vex", "chex", "total_open_interest", "contracts"):
        values = [value for part in parts if (value := getattr(part, name)) is not None]
        scale = sum(part.gross_gex or 0.0 for part in parts)
        expected = pytest.approx(sum(values), rel=1e-9, abs=1e-9 * scale) if values else None
        assert getattr(whole, name) == expected, name
    days: dict[str, float] = {}
    for part in parts:
        for day in part.gex_by_expiry:
            days[day.expiry] = days.get(day.expiry, 0.0) + (day.gross_gex or 0.0)
    assert {day.expiry: day.gross_gex for day in whole.gex_by_expiry} == pytest.approx(days, rel=1e-9)


def test_nothing_of_the_snapshot_is_changed() -> None:
    snapshot = snapshot_of([*LADDER, Row(iv=NAN, gamma=0.05), Row(expiry=EXPIRY - 92)])
    assert snapshot.chain is not None
    columns = {name: getattr(snapshot.chain, name) for name in ("strike", "iv", "gamma", "open_interest", "volume")}
    copies = {name: column.copy() for name, column in columns.items()}
    frozen = replace(snapshot.chain)
    for column in columns.values():
        column.setflags(write=False)  # as columns mapped from Arrow are
    analyse(replace(snapshot, chain=frozen), FLAT)
    for name, column in columns.items():
        np.testing.assert_array_equal(column, copies[name])
