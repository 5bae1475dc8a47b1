"""Which underlyings the sample morning quotes. Public tickers; every number is invented."""

from datetime import date

from gexdesk.sample.underlying import Listing, Underlying

MONDAY = date(2026, 3, 2)
TUESDAY = date(2026, 3, 3)
WEDNESDAY = date(2026, 3, 4)
FRIDAY = date(2026, 3, 6)
SECOND_FRIDAY = date(2026, 3, 13)
MONTHLY = date(2026, 3, 20)
APRIL = date(2026, 4, 17)

SPX = Underlying(
    "SPX", 6_902.0, 0.135, 5.0,
    (
        Listing("SPXW", MONDAY, 0.030, 7.0),
        Listing("SPXW", TUESDAY, 0.035, 1.2),
        Listing("SPXW", WEDNESDAY, 0.04, 0.8),
        Listing("SPXW", FRIDAY, 0.05, 1.2),
        Listing("SPXW", SECOND_FRIDAY, 0.07, 0.8),
        # The same day and strikes stand under both roots; only the weekly one trades until the close.
        Listing("SPX", MONTHLY, 0.10, 1.6, morning=True),
        Listing("SPXW", MONTHLY, 0.10, 0.8),
        Listing("SPX", APRIL, 0.14, 1.0, morning=True),
    ),
    1_400_000, 620_000, index=True, dividend_yield=0.013, full_name="S&P 500 INDEX",
)  # fmt: skip

NDX = Underlying(
    "NDX", 25_060.0, 0.185, 25.0,
    (
        Listing("NDXP", MONDAY, 0.05, 4.0),
        Listing("NDXP", TUESDAY, 0.06, 1.0),
        Listing("NDXP", FRIDAY, 0.09, 1.0),
        Listing("NDXP", SECOND_FRIDAY, 0.12, 0.8),
        Listing("NDX", MONTHLY, 0.35, 2.0, morning=True),
        Listing("NDXP", MONTHLY, 0.35, 0.8),
        Listing("NDX", APRIL, 0.45, 1.0, morning=True),
        Listing("NDXP", APRIL, 0.40, 0.6),
        Listing("NDX", date(2026, 6, 18), 0.50, 1.2, morning=True),
    ),
    84_000, 31_000, index=True, dividend_yield=0.007, full_name="NASDAQ-100 INDEX",
)  # fmt: skip

QQQ = Underlying(
    "QQQ", 609.4, 0.19, 0.5,
    (Listing("QQQ", MONDAY, 0.03, 4.0), Listing("QQQ", TUESDAY, 0.04, 1.0), Listing("QQQ", FRIDAY, 0.06, 1.4),
     Listing("QQQ", MONTHLY, 0.09, 2.0)),
    2_300_000, 980_000, full_name="INVESCO QQQ TRUST",
)  # fmt: skip

SPY = Underlying(
    "SPY", 688.6, 0.135, 1.0,
    (Listing("SPY", MONDAY, 0.05, 5.0), Listing("SPY", FRIDAY, 0.07, 1.5), Listing("SPY", MONTHLY, 0.10, 2.0)),
    3_100_000, 1_450_000, dividend_yield=0.012, full_name="SPDR S&P 500 ETF Trust",
)  # fmt: skip

XSP = Underlying(
    "XSP", 690.2, 0.135, 1.0,
    (Listing("XSP", MONDAY, 0.05, 3.0), Listing("XSP", FRIDAY, 0.08, 1.0), Listing("XSP", MONTHLY, 0.16, 2.0)),
    142_000, 38_000, index=True, dividend_yield=0.013, full_name="S&P 500 Mini-SPX Options Index",
)  # fmt: skip

RUT = Underlying(
    "RUT", 2_644.0, 0.20, 10.0,
    (Listing("RUTW", MONDAY, 0.10, 1.0),), 64_000, 9_600, index=True, dividend_yield=0.012, full_name="RUSSELL 2000 INDEX",
)  # fmt: skip

VIX = Underlying(
    "VIX", 18.4, 0.95, 0.5,
    (Listing("VIXW", date(2026, 3, 18), 0.55, 1.0, morning=True),), 690_000, 84_000, index=True, dividend_yield=0.0,
    full_name="CBOE VOLATILITY INDEX",
)  # fmt: skip


def _name(symbol: str, spot: float, volatility: float, step: float, *, held: float, traded: float, width: float) -> Underlying:
    listings = (Listing(symbol, FRIDAY, width, 1.2), Listing(symbol, MONTHLY, width * 1.3, 1.0))
    return Underlying(symbol, spot, volatility, step, listings, open_interest=held, volume=traded, full_name=symbol)


NAMES = (
    _name("AAPL", 264.2, 0.27, 2.5, held=81_000, traded=29_000, width=0.22),
    _name("NVDA", 181.3, 0.41, 1.0, held=430_000, traded=210_000, width=0.20),
    _name("TSLA", 402.8, 0.52, 2.5, held=262_000, traded=131_000, width=0.22),
    _name("AMD", 203.7, 0.49, 2.5, held=19_000, traded=7_800, width=0.25),
)
"""Impact high (NVDA, TSLA), medium (AAPL) and low (AMD) under the default guidelines."""

_BIG = "AMZN 211 META 652 MSFT 402 GOOGL 308 PLTR 139 COIN 181 MSTR 131 NFLX 96"
_MIDDLE = "INTC 45 BAC 50 JPM 301 XOM 149 BA 231 DIS 105 UBER 74 SHOP 122 CRM 191 ORCL 146 MU 410 QCOM 143 AVGO 322 WMT 126"
_SMALL = (
    "ABNB 134 ADBE 259 AXP 311 CAT 742 CVX 186 F 14 GE 341 GM 78 HD 377 IBM 241 KO 81 MCD 338 NKE 63 PEP 168 PFE 27 SBUX 98 T 28 "
    "V 318"
)


def _forty() -> tuple[Underlying, ...]:
    rows = []
    for text, held, traded, width in ((_BIG, 164_000, 71_000, 0.34), (_MIDDLE, 47_000, 14_500, 0.24), (_SMALL, 9_400, 2_900, 0.16)):
        words = text.split()
        for number, (symbol, price) in enumerate(zip(words[::2], map(float, words[1::2]), strict=True)):
            scale = 1 + 0.05 * (number % 7)
            volatility = 0.30 + 0.03 * (number % 6)
            step = _step(price)
            wide = max(width, 14 * step / price)  # cheap names are listed further out
            rows.append(_name(symbol, price, volatility, step, held=held * scale, traded=traded * scale, width=wide))
    # A burst is a market's doing: it does not come sorted by size.
    return tuple(rows[(index * 17) % len(rows)] for index in range(len(rows)))


def _step(price: float) -> float:
    """Return the distance of strikes that exchanges list at such a price, in points."""
    return next(step for above, step in ((400, 5.0), (180, 2.5), (60, 1.0), (0, 0.5)) if price >= above)


FORTY = _forty()
"""The small single names of the burst: 8 of high, 14 of medium and 18 of low impact."""
