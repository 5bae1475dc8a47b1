"""Group a chain's contracts by root and expiration date: what shares a settlement."""

from dataclasses import dataclass
from datetime import date, timedelta

import numpy as np
from numpy.typing import NDArray

from gexdesk.model.market import settles_at
from gexdesk.model.snapshot import F8, Chain

Index = NDArray[np.intp]

MINUTES_PER_YEAR = 365.0 * 24 * 60
_CELLS_PER_ROW = 8
_CELLS = 65_536


@dataclass(frozen=True, slots=True)
class Series:
    """Hold the g distinct (expiry, root) of a chain, ascending, and which of them each contract is.

    Attributes:
        root: int64[g], index into ``Chain.roots``.
        expiry: int64[g], days since 1970-01-01.
        of: int64[n].
        years: float64[g], calendar minutes from the quote to the settlement over those of 365 days; zero or negative where
            the series has settled. AM-settled roots end 6.5 hours before PM-settled ones of the same date.
    """

    root: NDArray[np.int64]
    expiry: NDArray[np.int64]
    of: Index
    years: F8

    def __len__(self) -> int:
        """Return the number of series."""
        return len(self.expiry)

    def days(self) -> tuple[NDArray[np.int64], Index]:
        """Return the distinct expiration dates, ascending, and which of them each series has."""
        if len(self) == 0:
            return self.expiry, np.zeros(0, dtype=np.intp)
        new = np.ones(len(self), dtype=np.bool_)
        np.not_equal(self.expiry[1:], self.expiry[:-1], out=new[1:])
        return self.expiry[new], np.cumsum(new) - 1


def series_of(chain: Chain, quoted_at: float) -> Series:
    """Group a chain as quoted at a moment (the vendor's stamp, UTC seconds).

    Raises:
        ValueError, OverflowError: An expiry outside the years 1 to 9999.
    """
    roots = max(1, len(chain.roots))
    code, of = distinct(chain.expiry.astype(np.int64) * roots + chain.root)
    expiry, root = np.divmod(code, roots)
    ends = [settles_at(chain.roots[r], day) for r, day in zip(root.tolist(), expiry.tolist(), strict=True)]
    return Series(root, expiry, of, (np.array(ends, dtype=np.float64) - quoted_at) / 60.0 / MINUTES_PER_YEAR)


def distinct(values: NDArray[np.int64]) -> tuple[NDArray[np.int64], Index]:
    """Return the distinct values, ascending, and the place of each value among them.

    What lies close together, as days and codes do, is counted instead of sorted.
    """
    low, span = (int(values.min()), int(np.ptp(values)) + 1) if len(values) else (0, 0)
    if span > _CELLS + _CELLS_PER_ROW * len(values):
        found, of = np.unique(values, return_inverse=True)
        return found, of
    there = np.zeros(span, dtype=np.bool_)
    there[values - low] = True
    keys = there.nonzero()[0]
    place = np.cumsum(there) - 1
    return keys + low, place[values - low]


def iso_date(day: int) -> str:
    """Return a day since 1970-01-01 as ISO 8601."""
    return (date(1970, 1, 1) + timedelta(days=day)).isoformat()
