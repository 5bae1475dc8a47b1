"""One symbol's decoded chain or per-strike exposure at ``as_of``. Imports numpy: screens do not import this."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

F8 = NDArray[np.float64]
I4 = NDArray[np.int32]


@dataclass(frozen=True, slots=True)
class Chain:
    """Hold contracts as columns of equal length n, one row a contract, in file order.

    The key is (root, expiry, right, strike): an expiry and strike may stand under two roots.

    Attributes:
        roots: The distinct roots, e.g. ``("SPX", "SPXW")``.
        root: int32[n], index into ``roots``.
        expiry: int32[n], days since 1970-01-01 of the expiration date in New York.
        is_call: bool[n].
        strike: float64[n], points; never an integer (fractional strikes are common).
        bid, ask: float64[n], points; NaN where not given.
        iv: float64[n], a fraction per year; NaN where missing (a vendor's 0 is missing).
        gamma, delta: float64[n], the vendor's own; NaN where not given.
        open_interest, volume: float64[n], contracts; NaN where not given.
    """

    roots: tuple[str, ...]
    root: I4
    expiry: I4
    is_call: NDArray[np.bool_]
    strike: F8
    bid: F8
    ask: F8
    iv: F8
    gamma: F8
    delta: F8
    open_interest: F8
    volume: F8

    def __len__(self) -> int:
        """Return the number of contracts."""
        return len(self.strike)


@dataclass(frozen=True, slots=True)
class StrikeTable:
    """Hold one row a strike, ascending, float64[n] each; NaN where not known. GEX in USD per 1% move.

    A format without contracts (GEXBot, canonical) gives this as decoded; for a chain it is computed.

    Attributes:
        net_gex: From open interest.
        net_gex_volume: From volume.
        call_gex, put_gex: The two sides of ``net_gex``; the put side is negative under the default sign.
    """

    strike: F8
    call_open_interest: F8
    put_open_interest: F8
    call_volume: F8
    put_volume: F8
    call_gex: F8
    put_gex: F8
    net_gex: F8
    net_gex_volume: F8

    def __len__(self) -> int:
        """Return the number of strikes."""
        return len(self.strike)

    def to_bytes(self) -> bytes:
        """Return the columns one after another in the order they are named here, float64 in this machine's byte order."""
        return b"".join(np.asarray(getattr(self, name), dtype=np.float64).tobytes() for name in self.__slots__)


@dataclass(frozen=True, slots=True)
class Snapshot:
    """Hold what one document says about one symbol; exactly one of ``chain`` and ``given`` is there.

    Attributes:
        as_of: The vendor's stamp, shifted where the payload is a replay.
        quoted_at: The vendor's stamp as written; time to expiry counts from here.
        spot: Underlying price in points; None where the format does not carry it.
        delay_s: Known delay of the quotes by format (Cboe delayed quotes: 900); None where the format does not fix it.
        vendor_net_gex: The vendor's total in USD per 1%; None where it gives none.
        vendor_zero_gamma: The vendor's flip in points; None where it gives none (a 0 is missing).
        multiplier: Underlying units a contract controls, where the document says it; None takes the configured one.
        warnings: What the reader should know, one printable line each.
    """

    format: str
    symbol: str
    as_of: float
    quoted_at: float
    spot: float | None
    chain: Chain | None = None
    given: StrikeTable | None = None
    delay_s: float | None = None
    vendor_net_gex: float | None = None
    vendor_zero_gamma: float | None = None
    multiplier: float | None = None
    warnings: tuple[str, ...] = ()
