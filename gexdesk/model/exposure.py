"""What a snapshot means in gamma, with the conventions it was computed under."""

from msgspec import Struct


class Conventions(Struct, frozen=True):
    """State what the numbers rest on; every stored snapshot carries it.

    Attributes:
        rate: Continuously compounded risk-free rate per year.
        dividend_yield: Continuous yield per year.
        multiplier: Underlying units a contract controls.
        time: How T is counted.
        sign: Whose side dealers are taken to be on.
        gamma_source: ``iv`` (recomputed), ``iv+mid`` (some IVs from mid prices, a warning says how many), ``vendor`` (as given),
            ``given_strikes`` (the vendor's per-strike exposure).
    """

    rate: float = 0.043
    dividend_yield: float = 0.013
    multiplier: float = 100.0
    time: str = "calendar minutes / 365 d"
    sign: str = "calls +1, puts -1"
    gamma_source: str = "iv"


class ConventionBook(Struct, frozen=True):
    """Hold the configured conventions: the usual ones, and those of symbols that have their own."""

    usual: Conventions = Conventions()
    symbols: dict[str, Conventions] = {}

    def of(self, symbol: str) -> Conventions:
        """Return the conventions of a symbol."""
        return self.symbols.get(symbol, self.usual)


class ZeroGamma(Struct, frozen=True, gc=False):
    """Locate the flip.

    Attributes:
        status: ``found``, ``none_in_range``, ``not_enough_data`` or ``vendor`` (as the vendor gave it).
        value: Root nearest spot in points; None unless found.
        roots: All roots, ascending.
    """

    status: str
    value: float | None = None
    roots: tuple[float, ...] = ()


class ExpiryGex(Struct, frozen=True):
    """Sum the live contracts of one expiration date over all roots, in USD per 1% move; None where unknown.

    Attributes:
        expiry: The date in New York, ISO 8601.
    """

    expiry: str
    net_gex: float | None
    gross_gex: float | None


class Exposure(Struct, frozen=True, gc=False):
    """Sum up one snapshot; GEX in USD per 1% move, None where it cannot be known.

    Attributes:
        contracts: Rows of the file before any filter; None where the format has no contracts.
        net_gex, gross_gex: From open interest where there is any, else from volume (a warning says so).
        net_gex_volume: The same with volume in place of open interest.
        vendor_net_gex: The vendor's own total, kept beside as a cross-check.
        zero_dte_share: Share of gross GEX that expires on the quotes' New York date.
        max_pain: Of the front expiry.
        coverage: Live contracts with usable IV and open interest, over live contracts with open interest.
        quality: 0 to 1: how far the numbers can be trusted.
        quality_reasons: What lowered it, one line each; empty where it is 1.
        dex: Delta exposure, USD: sum of delta * OI * M * S; a put's delta is negative, and no side is assumed.
        vex: Vanna exposure, USD per vol point, by the sign of ``conventions``.
        chex: Charm exposure, USD per calendar day, by the sign of ``conventions``.
        gex_by_expiry: By expiration date, ascending; only live contracts.
        top5_strikes, top5_share: The five strikes with the largest gross GEX, largest first, and their share of it.
        profile_spot, profile_net_gex: The curve of net GEX over hypothetical spots; empty where there is none.
    """

    format: str
    symbol: str
    as_of: float
    spot: float | None
    conventions: Conventions
    contracts: int | None = None
    expiries: int | None = None
    strikes: int = 0
    total_open_interest: float | None = None
    total_volume: float | None = None
    net_gex: float | None = None
    gross_gex: float | None = None
    net_gex_volume: float | None = None
    vendor_net_gex: float | None = None
    zero_gamma: ZeroGamma = ZeroGamma("not_enough_data")
    call_wall: float | None = None
    put_wall: float | None = None
    absolute_gamma_strike: float | None = None
    zero_dte_share: float | None = None
    max_pain: float | None = None
    put_call_oi: float | None = None
    put_call_volume: float | None = None
    coverage: float | None = None
    quality: float | None = None
    quality_reasons: tuple[str, ...] = ()
    dex: float | None = None
    vex: float | None = None
    chex: float | None = None
    gex_by_expiry: tuple[ExpiryGex, ...] = ()
    top5_strikes: tuple[float, ...] = ()
    top5_share: float | None = None
    warnings: tuple[str, ...] = ()
    profile_spot: tuple[float, ...] = ()
    profile_net_gex: tuple[float, ...] = ()
