"""What the sample morning quotes options on. Imports no numpy, so that whoever configures the desk may import it freely."""

from dataclasses import dataclass
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

NEW_YORK = ZoneInfo("America/New_York")


@dataclass(frozen=True, slots=True)
class Listing:
    """Name one expiry of one root.

    Attributes:
        root: OSI root, e.g. ``SPXW``.
        day: Expiration date in New York.
        width: Strikes lie within spot * (1 - 1.4 width) and spot * (1 + width).
        weight: Its share of open interest, relative to the other listings.
        morning: Settles at 09:30 New York instead of 16:00.
    """

    root: str
    day: date
    width: float
    weight: float
    morning: bool = False

    @property
    def expires_at(self) -> float:
        """Return UTC seconds since the epoch of the settlement."""
        clock = time(9, 30) if self.morning else time(16, 0)
        return datetime.combine(self.day, clock, NEW_YORK).timestamp()


@dataclass(frozen=True, slots=True)
class Underlying:
    """Describe what options are written on.

    Attributes:
        spot: Points at the open.
        volatility: At the money over 30 days, a fraction per year.
        step: Distance of the strikes near spot, in points; wider away from it.
        listings: Its expiries.
        open_interest, volume: Contracts of the whole chain; volume at the end of the story.
        index: Whether it is an index (Cboe writes ``_SPX`` and ``^SPX``).
        dividend_yield: Continuous, a fraction per year.
        full_name: As quote tables title it.
    """

    symbol: str
    spot: float
    volatility: float
    step: float
    listings: tuple[Listing, ...]
    open_interest: float
    volume: float
    index: bool = False
    dividend_yield: float = 0.005
    full_name: str = ""
