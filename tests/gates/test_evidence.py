"""What a pool process measures of a chain for the checks: the same however its expirations lie, and less where that says enough."""

from dataclasses import replace

import numpy as np
import pytest

from gexdesk.gates import evidence as measured
from gexdesk.gates.evidence import digest, evidence
from gexdesk.model.snapshot import Chain, Snapshot
from tests.gates.generated_day import CONVENTIONS, UNDERLYINGS, chain_days

RATES = (CONVENTIONS.rate, CONVENTIONS.dividend_yield)


@pytest.fixture
def snapshot() -> Snapshot:
    return next(chain_days(UNDERLYINGS[0], 600.0)).snapshot


def of(snapshot: Snapshot) -> Chain:
    assert snapshot.chain is not None
    return snapshot.chain


def test_expirations_are_counted_or_sorted_and_say_the_same(snapshot: Snapshot, monkeypatch: pytest.MonkeyPatch) -> None:
    chain = of(snapshot)
    root = (np.arange(len(chain)) % 2).astype(np.int32)
    for one in (snapshot, replace(snapshot, chain=replace(chain, roots=("SPX", "SPXW"), root=root))):
        counted = evidence(one, *RATES)
        with monkeypatch.context() as patched:
            patched.setattr(measured, "_CELLS", 0)
            patched.setattr(measured, "_CELLS_A_ROW", 0)
            assert evidence(one, *RATES) == counted
        assert [day for day, _, _ in counted.expiries] == sorted(set(chain.expiry.tolist()))
        assert sum(contracts for _, contracts, _ in counted.expiries) == len(chain)
        assert sum(held for _, _, held in counted.expiries) == chain.open_interest.sum()


def test_an_expiration_in_the_year_9999_costs_no_memory(snapshot: Snapshot) -> None:
    chain, names = of(snapshot), tuple(f"R{number}" for number in range(len(of(snapshot))))
    expiry = chain.expiry.copy()
    expiry[-1] = 2_932_896
    apart = replace(chain, expiry=expiry, roots=names, root=np.arange(len(chain), dtype=np.int32))
    found = evidence(replace(snapshot, chain=apart), *RATES)
    assert found.expiries[-1] == (2_932_896, 1, float(chain.open_interest[-1]))


def test_later_expirations_are_asked_only_where_the_first_denies_the_spot() -> None:
    snapshot = next(chain_days(UNDERLYINGS[3], 600.0)).snapshot
    chain, spot = of(snapshot), snapshot.spot or 0.0
    _, first, *_ = np.unique(chain.expiry).tolist()  # of what expires today too few are quoted on both sides
    later = chain.expiry > first
    off = np.where(chain.is_call, 2.0, 0.0) * later
    moved = replace(snapshot, chain=replace(chain, bid=chain.bid + off * (chain.bid > 0), ask=chain.ask + off))
    near = evidence(moved, *RATES).implied_spot
    assert near == pytest.approx(spot, rel=0.001), "the first one agrees: the others are not asked"
    far = evidence(replace(moved, spot=spot * 0.99), *RATES).implied_spot
    assert far == pytest.approx(spot + 2.0, rel=0.001), "it does not: the middle of all their pairs decides"


def test_sides_that_are_swapped_are_told_by_the_slope(snapshot: Snapshot) -> None:
    chain = of(snapshot)
    both = (chain, replace(chain, is_call=~chain.is_call))
    right, wrong = (evidence(replace(snapshot, chain=one), *RATES).parity_slope for one in both)
    assert right == pytest.approx(-1.0, abs=0.05)
    assert wrong == pytest.approx(1.0, abs=0.05)


@pytest.mark.parametrize("rows", [95, 900, 5_000])
def test_a_digest_tells_any_number_and_any_place(rows: int) -> None:
    rng = np.random.default_rng(rows)
    left, right = rng.normal(size=rows), np.full(rows, np.nan)
    same = digest([left, right], 100.0)
    assert same == digest([left.copy(), right.copy()], 100.0)
    changed, exchanged = left.copy(), left.copy()
    changed[-1] = np.nextafter(changed[-1], 9.0)
    exchanged[[3, 7]] = exchanged[[7, 3]]
    others = [
        digest([changed, right], 100.0), digest([exchanged, right], 100.0), digest([right, left], 100.0),
        digest([left, right], 100.01), digest([left, right], None),
    ]  # fmt: skip
    assert len({same, *others}) == 6
