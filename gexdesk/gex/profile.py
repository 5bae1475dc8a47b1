"""Draw net GEX over hypothetical spots, and find where it changes sign.

Every contract keeps its IV and time while the spot moves (sticky strike). With x = ln(S'/S) a contract's d1 is linear,
``d1 = slope * x + at_spot``, so that the whole curve costs one exponential per contract and level.
"""

import math
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from gexdesk.gex.greeks import Priced
from gexdesk.model.exposure import ZeroGamma
from gexdesk.model.snapshot import F8

STEP = 0.00025
"""Finest distance between two spots of the grid, as a fraction of spot."""

_COARSE = np.arange(-600, 601, 10)
_NEAR_SPOT = np.arange(-40, 41)
_GRID = np.union1d(_COARSE, _NEAR_SPOT)

_RATIOS: F8 = np.asarray(1 + _GRID * STEP, dtype=np.float64)
_X: F8 = np.log(_RATIOS)
_X_SHORT = _X.astype(np.float32)

DRAWN = np.isin(_GRID, _COARSE)
"""bool[193]: the 121 evenly spaced spots of the grid, -15% to +15%, that make the curve on a screen. The others lie within 1%
of spot, where the flip matters most and where contracts about to settle make it change within a few points."""

_STEEP = 500.0
_BLOCK_BYTES = 256 * 1024
_SIGN_IS_SURE = 1e-3
_ERROR = 1e-6
_ROUNDING = 1e-13



@dataclass(frozen=True, slots=True)
class _Mesh:
    """Stand in for the grid where a curve is smooth: a polynomial through few points gives the others.

    A bell of width ``1 / slope`` has a Chebyshev series whose nth term falls like ``exp(-(n / (half * slope))^2 / 2)``, half the
    length of the range; the counts here leave less than float32's rounding (Trefethen, Approximation Theory and Practice, ch. 8).

    Attributes:
        steepest: Largest slope it is good for.
        x: float32[n], the Chebyshev points.
        to_grid: float64[n, 193], values at these points times this are the values on the grid.
    """

    steepest: float
    x: NDArray[np.float32]
    to_grid: F8


def _mesh(steepest: float, count: int) -> _Mesh:
    low, high = float(_X[0]), float(_X[-1])
    angle = (np.arange(count) + 0.5) * math.pi / count
    order = np.arange(count)
    on_grid = np.arccos(np.clip((2 * _X - low - high) / (high - low), -1, 1))
    share = np.where(order == 0, 1.0, 2.0) / count
    to_grid = np.cos(np.outer(angle, order)) * share @ np.cos(np.outer(order, on_grid))
    points = (low + high) / 2 + (high - low) / 2 * np.cos(angle)
    return _Mesh(steepest, points.astype(np.float32), to_grid)


_MESHES = (_mesh(33.0, 40), _mesh(110.0, 112))
_FEW = 1_000
"""Up to so many contracts the grid itself costs less than several meshes."""


@dataclass(frozen=True, slots=True)
class Curve:
    """Hold the contracts of a profile, float64[m] each, ready to be evaluated at any spot.

    Attributes:
        spot: Points.
        weight: ``s * contracts * M * 0.01 * exp(-qT) / (sqrt(2 pi) sigma sqrt(T))``; USD per 1% and point of spot.
        slope: ``1 / (sigma sqrt(T))``.
        at_spot: d1 at the present spot.
        heaviest: Sum of the weights' magnitudes: what gross over spot cannot exceed.
    """

    spot: float
    weight: F8
    slope: F8
    at_spot: F8
    heaviest: float

    def net_gex(self, spot: float) -> float:
        """Return net GEX in USD per 1% if the index stood at ``spot`` points, in float64.

        What is left of a sum that cancels to the last digits is 0: the sign of rounding is no sign.
        """
        d1 = self.slope * math.log(spot / self.spot)
        d1 += self.at_spot
        d1 *= d1
        d1 *= -0.5
        np.exp(d1, out=d1)
        net = float(d1 @ self.weight)
        if abs(net) <= _ROUNDING * self.heaviest and abs(net) <= _ROUNDING * float(d1 @ np.abs(self.weight)):
            return 0.0
        return spot * net


def curve(priced: Priced, signed_contracts: F8, multiplier: float) -> Curve:
    """Prepare a profile of m contracts that all have a positive strike, IV and time.

    Args:
        signed_contracts: float64[m], open interest or volume, negative for puts.
        multiplier: Underlying units a contract controls.
    """
    slope = 1.0 / priced.deviation
    scale = multiplier * 0.01 / math.sqrt(2 * math.pi)
    weight: F8 = scale * signed_contracts * priced.carry * slope
    heaviest = float(np.abs(weight).sum())
    return Curve(spot=priced.spot, weight=weight, slope=slope, at_spot=priced.d1, heaviest=heaviest)


def scan(contracts: Curve) -> tuple[F8, F8]:
    """Return the spots of the grid in points, ascending, and net GEX there in USD per 1%, float64[193] each.

    Values are right to 1e-5 of the curve's peak; signs are those of the float64 curve.
    """
    spots: F8 = contracts.spot * _RATIOS
    slope = contracts.slope
    both = np.zeros((2, len(_X)))
    above = 0.0
    for mesh in _MESHES if len(slope) > _FEW else ():
        rows = ((slope > above) & (slope <= mesh.steepest)).nonzero()[0]
        both += _bells(contracts, rows, mesh.x) @ mesh.to_grid
        above = mesh.steepest
    both += _bells(contracts, ((slope > above) & (slope <= _STEEP)).nonzero()[0], _X_SHORT)
    # float32 keeps 7 digits of d1, too few where a contract within hours of settlement multiplies them by its slope.
    both += _bells(contracts, (slope > _STEEP).nonzero()[0], _X)
    net, gross = both * spots
    for level in (np.abs(net) <= np.maximum(_SIGN_IS_SURE * gross, _ERROR * gross.max())).nonzero()[0]:
        net[level] = contracts.net_gex(float(spots[level]))
    return spots, net


def zero_gamma(contracts: Curve, spots: F8, net: F8) -> ZeroGamma:
    """Find every spot of the grid's range at which net GEX changes sign, and the one nearest spot.

    Each change of sign between neighbours of the grid is refined on the float64 curve to 1e-9 of spot. Two roots within one
    step of the grid (0.025% of spot within 1% of it, 0.25% beyond) cancel out and are not seen.

    Args:
        spots, net: As ``scan`` returned them for the same contracts.
    """
    if not np.any(contracts.weight):
        return ZeroGamma("not_enough_data")
    there = net.nonzero()[0]
    at, value = spots[there], net[there]
    changes = (np.signbit(value[:-1]) != np.signbit(value[1:])).nonzero()[0]
    tolerance = 1e-9 * contracts.spot
    roots = tuple(
        find_root(contracts.net_gex, float(at[i]), float(at[i + 1]), tolerance, ends=(float(value[i]), float(value[i + 1])))
        for i in changes
    )
    if not roots:
        return ZeroGamma("none_in_range")
    return ZeroGamma("found", min(roots, key=lambda root: abs(root - contracts.spot)), roots)


def find_root(
    function: Callable[[float], float], low: float, high: float, tolerance: float, *, ends: tuple[float, float] | None = None
) -> float:
    """Find a root between two points at which a continuous function has opposite signs.

    Chandrupatla's method (Advances in Engineering Software 28, 1997): inverse quadratic interpolation where it is safe,
    else bisection, so that the bracket always shrinks.

    Args:
        tolerance: Largest error of the result, in the argument's unit.
        ends: The function at both points, of opposite signs, where that is known; need not be exact.
    """
    a, b = high, low
    fb, fa = ends if ends is not None else (function(low), function(high))
    step = 0.5
    while True:
        x = a + step * (b - a)
        fx = function(x)
        if (fx > 0) == (fa > 0):
            c, fc = a, fa
        else:
            c, fc, b, fb = b, fb, a, fa
        a, fa = x, fx
        best, at_best = (a, fa) if abs(fa) < abs(fb) else (b, fb)
        margin = tolerance / abs(b - a) if b != a else 1.0
        if at_best == 0 or margin > 0.5:
            return best
        ratio, rise = (a - b) / (c - b), (fa - fb) / (fc - fb)
        if rise * rise < ratio and (1 - rise) ** 2 < 1 - ratio:
            step = fa / (fb - fa) * fc / (fb - fc) + (c - a) / (b - a) * fa / (fc - fa) * fb / (fc - fb)
        else:
            step = 0.5
        step = min(1 - margin, max(margin, step))


def _bells(contracts: Curve, rows: NDArray[np.intp], x: NDArray[np.floating]) -> F8:
    """Return net and gross of these contracts over spot at the points of ``x``, float64[2, len(x)].

    Computed in the precision of ``x``, block by block to stay in the processor's cache.
    """
    total = np.zeros((2, len(x)))
    if len(rows) == 0:
        return total
    half = math.sqrt(0.5)
    size = max(1, _BLOCK_BYTES // x.nbytes)
    room = np.empty((min(size, len(rows)), len(x)), dtype=x.dtype)
    # d1 is a line in x: as a product of matrices all of them are drawn at once.
    lines, points = np.empty((len(rows), 2), dtype=x.dtype), np.ones((2, len(x)), dtype=x.dtype)
    lines[:, 0], lines[:, 1], points[0] = contracts.slope[rows] * half, contracts.at_spot[rows] * half, x
    weights = contracts.weight[rows].astype(x.dtype)
    for start in range(0, len(rows), size):
        weight = weights[start : start + size]
        bell = np.matmul(lines[start : start + size], points, out=room[: len(weight)])
        np.multiply(bell, bell, out=bell)
        np.negative(bell, out=bell)
        np.exp(bell, out=bell)
        total[0] += weight @ bell
        total[1] += np.abs(weight, out=weight) @ bell
    return total
