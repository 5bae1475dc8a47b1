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


def is_adjusted(root: str) -> bool:
    """Say whether an OSI root is that of adjusted, mini or flexible contracts (``AAPL1``, ``SPX7``, ``2SPX``).

    The clearing house appends or prepends a digit; such a contract need not deliver 100 units. Standard roots are letters.
    """
    return any(c.isdigit() for c in root)


def other_roots_warning(roots: Sequence[str], symbol: str) -> tuple[str, ...]:
    """Warn of standard roots that are not the symbol's own, e.g. ``XSP`` in a chain of SPX.

    Args:
        roots: The distinct roots of a chain; adjusted ones are ``chain.build``'s to warn of.
        symbol: The chain's symbol; a mark in it is no difference (``BRK.B`` owns ``BRKB``).

    Returns:
        One printable line, or nothing.
    """
    own = "".join(c for c in symbol if c.isalnum())
    others = [root for root in roots if underlying_of(root) != own and not is_adjusted(root)]
    if not others:
        return ()
    shown = ", ".join(others[:5]) + (" ..." if len(others) > 5 else "")
    return (f"the chain of {symbol} holds contracts of other roots: {shown}",)
