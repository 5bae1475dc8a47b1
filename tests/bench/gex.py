"""From a vendor's bytes to every number on the screen, against a bare parse of the same bytes; and how right the numbers are."""

import math

import numpy as np
import orjson
import QuantLib
from scipy.optimize import brentq

from gexdesk.formats.detect import decode
from gexdesk.gex.analysis import basis
from gexdesk.gex.exposure import weigh
from gexdesk.gex.profile import curve, scan, zero_gamma
from gexdesk.gex.summary import analyse
from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import Chain, Snapshot
from tests.bench import Row, row, side_by_side
from tests.bench._documents import cboe_chain

USUAL = Conventions()
SIZES = ((22_000, 0.5, 15), (7_000, 0.75, 30), (900, 1.3, 100))
"""Contracts of a chain, highest allowed share of a bare parse, rounds."""


def rows() -> list[Row]:
    """Measure all."""
    found = []
    for contracts, target, rounds in SIZES:
        found += _speed(cboe_chain(contracts), target, rounds)
    return [*found, *_truth(decode(cboe_chain(SIZES[0][0]))[1][0])]


def _everything(body: bytes) -> Exposure:
    """Decode, sum by strike and in all, draw the profile, refine the flip, and the rest that a screen shows."""
    return analyse(decode(body, "cboe_json")[1][0], USUAL)[0]


def _speed(body: bytes, target: float, rounds: int) -> list[Row]:
    snapshot = decode(body, "cboe_json")[1][0]
    exposure = _everything(body)
    assert exposure.zero_gamma.status == "found"
    assert len(exposure.profile_spot) >= 60
    assert exposure.dex is not None
    whole, parse = side_by_side(lambda: _everything(body), lambda: orjson.loads(body), rounds)
    decoding, computing = side_by_side(lambda: decode(body, "cboe_json"), lambda: analyse(snapshot, USUAL), rounds)
    name = f"{exposure.contracts:,} contracts"
    return [
        row(f"{name}: bytes to everything, by orjson.loads", whole * 1e3, "ms", reference=parse * 1e3, target=target),
        row(f"{name}: of that, decoding", decoding * 1e3, "ms", reference=parse * 1e3),
        row(f"{name}: of that, computing all analytics", computing * 1e3, "ms", reference=parse * 1e3),
    ]


def _truth(snapshot: Snapshot) -> list[Row]:
    chain, spot = snapshot.chain, snapshot.spot
    assert chain is not None
    assert spot is not None
    weighed = weigh(chain, spot, snapshot.quoted_at, USUAL)
    contracts, _, _ = basis(weighed)
    open_rows = np.flatnonzero(weighed.usable_iv & weighed.live & (contracts > 0))
    assert weighed.priced is not None
    priced = weighed.priced.take(open_rows)
    signed = np.where(chain.is_call[open_rows], contracts[open_rows], -contracts[open_rows])

    years = np.array([_years(chain, i, snapshot.quoted_at) for i in open_rows.tolist()])
    sample = range(0, len(open_rows), 7)
    gammas = priced.gamma()
    oracle = [_quantlib_gamma(spot, chain.strike[open_rows[i]], chain.iv[open_rows[i]], years[i]) for i in sample]
    gamma_error = max(abs(gammas[i] / truth - 1) for i, truth in zip(sample, oracle, strict=True) if truth > 1e-200)

    def plain(at: float) -> float:
        d1 = np.log(at / chain.strike[open_rows]) + (USUAL.rate - USUAL.dividend_yield + chain.iv[open_rows] ** 2 / 2) * years
        deviation = chain.iv[open_rows] * np.sqrt(years)
        bell = np.exp(-((d1 / deviation) ** 2) / 2 - USUAL.dividend_yield * years) / (math.sqrt(2 * math.pi) * at * deviation)
        return math.fsum(bell * signed * (USUAL.multiplier * at * at * 0.01))

    exposure = analyse(snapshot, USUAL)[0]
    drawn = curve(priced, signed, USUAL.multiplier)
    spots, net = scan(drawn)
    truth = np.array([plain(at) for at in spots])
    flip = zero_gamma(drawn, spots, net)
    roots = [brentq(plain, spots[i], spots[i + 1], xtol=1e-10) for i in np.flatnonzero(np.sign(truth[:-1]) != np.sign(truth[1:]))]
    assert exposure.net_gex is not None
    off = float(np.abs(net - truth).max() / np.abs(truth).max())
    assert len(roots) == len(flip.roots) > 0
    return [
        row("gamma against QuantLib, largest relative error", gamma_error, "", target=1e-10),
        row("net GEX against an exact sum, relative error", abs(exposure.net_gex / plain(spot) - 1), "", target=1e-9),
        row("profile, largest error as a share of its peak", off, "", target=1e-5),
        row("every flip against scipy's brentq, largest error", max(abs(a - b) for a, b in zip(roots, flip.roots, strict=True)),
            "points", target=0.01),
    ]  # fmt: skip


def _years(chain: Chain, i: int, quoted_at: float) -> float:
    return (settles_at(chain.roots[chain.root[i]], int(chain.expiry[i])) - quoted_at) / (365 * 86_400)


def _quantlib_gamma(spot: float, strike: float, iv: float, years: float) -> float:
    forward = spot * math.exp((USUAL.rate - USUAL.dividend_yield) * years)
    payoff = QuantLib.PlainVanillaPayoff(QuantLib.Option.Call, float(strike))
    return float(QuantLib.BlackCalculator(payoff, forward, float(iv) * math.sqrt(years), math.exp(-USUAL.rate * years)).gamma(spot))
