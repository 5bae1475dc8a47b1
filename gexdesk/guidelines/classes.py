"""The named classes of impact, change and freshness, the thresholds between them, and features read through them."""

from math import isnan, nan

from msgspec import Struct

from gexdesk.model.features import Features

CLASSES: dict[str, tuple[str, ...]] = {
    "impact": ("low", "medium", "high"),
    "change": ("small", "medium", "large"),
    "freshness": ("stale", "fresh", "real_time"),
}
"""Names of each class from the least to the most pressing; the position is the class's rank."""

SKEW_S = 2.0
"""A stamp further than this in the future is clock skew."""


class Reading(Struct, frozen=True):
    """Hold what every decision rests on: numbers are float, NaN where not known or not finite; classes are ranks.

    Attributes:
        impact: NaN where neither volume nor open interest is known; with one of them, what that one proves.
        change: Of a first snapshot, whose change is not known: medium.
        freshness: Of skewed data fresh at best, of an unknown age stale.
        skewed: The stamp lies more than ``SKEW_S`` in the future.
    """

    volume: float
    open_interest: float
    gamma_change: float
    data_age_s: float
    source_reliability: float
    impact: float
    change: int
    freshness: int
    skewed: bool


class Classes(Struct, frozen=True):
    """Hold the thresholds, all above zero.

    Attributes:
        volume_high_over, open_interest_high_over: Contracts; more than either is high impact.
        volume_medium_from, open_interest_medium_from: Contracts; this or more of either is medium at least.
        change_large_over, change_medium_from: Fractions of the previous gross GEX.
        real_time_under_s, fresh_under_s: Ages in seconds.
    """

    volume_high_over: float
    open_interest_high_over: float
    volume_medium_from: float
    open_interest_medium_from: float
    change_large_over: float
    change_medium_from: float
    real_time_under_s: float
    fresh_under_s: float

    def read(self, features: Features) -> Reading:
        """Put features into classes."""
        volume, open_interest = known(features.volume), known(features.open_interest)
        gamma_change, data_age_s = known(features.gamma_change), known(features.data_age_s)
        skewed = features.clock_skew or data_age_s < -SKEW_S
        return Reading(
            volume,
            open_interest,
            gamma_change,
            data_age_s,
            known(features.source_reliability),
            self._impact(volume, open_interest),
            self._change(gamma_change),
            self._freshness(data_age_s, skewed),
            skewed,
        )

    def _impact(self, volume: float, open_interest: float) -> float:
        if volume > self.volume_high_over or open_interest > self.open_interest_high_over:
            return 2
        if volume >= self.volume_medium_from or open_interest >= self.open_interest_medium_from:
            return 1
        return nan if isnan(volume) and isnan(open_interest) else 0

    def _change(self, gamma_change: float) -> int:
        if gamma_change > self.change_large_over:
            return 2
        return 0 if gamma_change < self.change_medium_from else 1

    def _freshness(self, data_age_s: float, skewed: bool) -> int:
        if data_age_s < self.real_time_under_s:
            return 1 if skewed else 2
        return 1 if data_age_s < self.fresh_under_s else 0


def known(value: float | None) -> float:
    """Return a number as conditions see it: NaN where it is None or not finite."""
    return nan if value is None or value - value != 0 else value
