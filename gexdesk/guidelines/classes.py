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


class Reading(Struct, frozen=True, gc=False):
    """Hold what every decision rests on: numbers are float, NaN where not known or not finite; classes are ranks
    (float too, since comparing like with like is what the interpreter does fastest).

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
    change: float
    freshness: float
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
        # Every decision passes here: written out, since the calls would cost more than the comparisons.
        volume, open_interest, gamma_change = features.volume, features.open_interest, features.gamma_change
        data_age_s, source_reliability = features.data_age_s, features.source_reliability
        if volume is None or volume - volume != 0:
            volume = nan
        if open_interest is None or open_interest - open_interest != 0:
            open_interest = nan
        if gamma_change is None or gamma_change - gamma_change != 0:
            gamma_change = nan
        if data_age_s is None or data_age_s - data_age_s != 0:
            data_age_s = nan
        if source_reliability is None or source_reliability - source_reliability != 0:
            source_reliability = nan
        if volume > self.volume_high_over or open_interest > self.open_interest_high_over:
            impact = 2.0
        elif volume >= self.volume_medium_from or open_interest >= self.open_interest_medium_from:
            impact = 1.0
        else:
            impact = nan if isnan(volume) and isnan(open_interest) else 0.0
        change = 2.0 if gamma_change > self.change_large_over else 0.0 if gamma_change < self.change_medium_from else 1.0
        skewed = features.clock_skew or data_age_s < -SKEW_S
        if data_age_s < self.real_time_under_s:
            freshness = 1.0 if skewed else 2.0
        else:
            freshness = 1.0 if data_age_s < self.fresh_under_s else 0.0
        return Reading(
            volume, open_interest, gamma_change, data_age_s, source_reliability, impact, change, freshness, skewed
        )
