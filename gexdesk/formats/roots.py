"""Which underlying an option root belongs to. The only place that knows a vendor's weekly roots."""

from collections.abc import Sequence

UNDERLYING_OF_ROOT = {
    "SPXW": "SPX",
    "SPXPM": "SPX",
    "SPXQ": "SPX",
    "NDXP": "NDX",
    "RUTW": "RUT",
    "VIXW": "VIX",
}
"""Roots whose name is not their underlying's: weeklies, PM-settled and quarter-end series of cash indices."""


def underlying_of(root: str) -> str:
    """Return the underlying's symbol of an option root: ``SPXW`` -> ``SPX``, ``QQQ`` -> ``QQQ``."""
    return UNDERLYING_OF_ROOT.get(root, root)


def other_roots_warning(roots: Sequence[str], symbol: str) -> tuple[str, ...]:
    """Warn of roots that are not the symbol's own, e.g. ``AAPL1`` (adjusted, not 100 shares) in a chain of AAPL.

    Args:
        roots: The distinct roots of a chain.
        symbol: The chain's symbol; a mark in it is no difference (``BRK.B`` owns ``BRKB``).

    Returns:
        One printable line, or nothing.
    """
    own = "".join(c for c in symbol if c.isalnum())
    others = [root for root in roots if underlying_of(root) != own]
    if not others:
        return ()
    shown = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
    return (f"the chain of {symbol} holds contracts of other roots: {shown}",)
