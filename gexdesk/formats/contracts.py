"""Hold the key of contracts, whatever a vendor spells it like."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

import numpy as np
from numpy.typing import NDArray

from gexdesk.model.snapshot import F8, I4

_EPOCH = date(1970, 1, 1).toordinal()


@dataclass(frozen=True, slots=True)
class Contracts:
    """Hold the key of n contracts in the columns of ``model.snapshot.Chain``."""

    roots: tuple[str, ...]
    root: I4
    expiry: I4
    is_call: NDArray[np.bool_]
    strike: F8

    @classmethod
    def of(cls, roots: Sequence[str], expiry: Sequence[int], is_call: Sequence[bool], strike: F8) -> "Contracts":
        """Gather n contracts whose parts are known one by one.

        Args:
            roots: One a contract.
            expiry: Days since 1970-01-01.
        """
        rank = {root: i for i, root in enumerate(dict.fromkeys(roots))}
        return cls(
            roots=tuple(rank),
            root=np.array([rank[root] for root in roots], dtype=np.int32),
            expiry=np.array(expiry, dtype=np.int32),
            is_call=np.array(is_call, dtype=np.bool_),
            strike=strike,
        )


def day_number(day: date) -> int:
    """Return days since 1970-01-01."""
    return day.toordinal() - _EPOCH


def days_since_epoch(year: NDArray[np.int64], month: NDArray[np.int64], day: NDArray[np.int64]) -> NDArray[np.int64]:
    """Count int64[n] days since 1970-01-01 of Gregorian dates.

    Source: Howard Hinnant, "chrono-compatible low-level date algorithms", ``days_from_civil``.
    """
    shifted = year - (month <= 2)
    era = shifted // 400
    year_of_era = shifted - era * 400
    day_of_year = (153 * ((month + 9) % 12) + 2) // 5 + day - 1
    days: NDArray[np.int64] = era * 146097 + year_of_era * 365 + year_of_era // 4 - year_of_era // 100 + day_of_year - 719468
    return days
