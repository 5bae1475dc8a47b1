"""Documents of the vendors' real layouts and sizes, written by the sample's generator."""

from datetime import date, datetime, timedelta

from gexdesk.sample.cboe import Listed, json_document
from gexdesk.sample.market import Chain
from gexdesk.sample.underlying import NEW_YORK, Listing, Underlying

QUOTED = datetime(2026, 3, 2, 11, 0, tzinfo=NEW_YORK).timestamp()
_OPENED = datetime(2026, 3, 2, 9, 30, tzinfo=NEW_YORK).timestamp()
_FIRST = date(2026, 3, 2)


def cboe_chain(contracts: int, seed: int = 7, spot_move: float = 0.0) -> bytes:
    """Return a delayed-quotes document with at least so many contracts, a mix of dailies, weeklies and monthlies.

    Args:
        contracts: 900 is a small name, 7,000 an index like RUT, 20,000 and more SPX.
        spot_move: A fraction; documents that differ in it differ in every exposure.
    """
    expiries = max(4, contracts // 520)
    listings = tuple(_listing(number) for number in range(expiries))
    small = _underlying(100.0, listings)
    step = 100.0 * len(Chain(small, seed)) / (contracts * 1.02)  # twice the step, half the strikes
    chain = Chain(_underlying(max(5.0, step) if contracts < 5_000 else step, listings), seed)
    while len(chain) < contracts:
        step *= 0.97
        chain = Chain(_underlying(step, listings), seed)
    quotes = chain.quotes(QUOTED, round(chain.underlying.spot * (1 + spot_move), 2), 0.4)
    return json_document(Listed(chain, seed, _OPENED), quotes, QUOTED)


def _listing(number: int) -> Listing:
    """Return the nth expiry: every weekday of two weeks, then Fridays, then months; each fourth Friday settles in the morning."""
    day = _FIRST + timedelta(days=number + 2 * (number // 5)) if number < 10 else _FIRST + timedelta(days=4 + 7 * (number - 8))
    morning = number >= 10 and number % 4 == 2
    return Listing("SPX" if morning else "SPXW", day, 0.12 + 0.012 * number, 1.0 + 3.0 / (1 + number), morning=morning)


def _underlying(step: float, listings: tuple[Listing, ...]) -> Underlying:
    return Underlying("SPX", 6_902.0, 0.135, step, listings, 18_000_000, 3_200_000, index=True, dividend_yield=0.013)
