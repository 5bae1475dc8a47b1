"""Know since when a symbol's feed has had something to say."""

from typing import Literal

from gexdesk.model.market import Hours, open_since

Session = Hours | Literal["index"]
"""As ``Hours``; ``index`` goes on for a quarter of an hour after the close, as options on indices do."""

INDEX_AFTER_S = 900.0
INDICES = frozenset({"SPX", "XSP", "NDX", "XND", "RUT", "MRUT", "VIX", "DJX", "OEX", "XEO"})


def on_since(now: float, session: Session, delay_s: float = 0.0) -> float | None:
    """Return since when it has been on, UTC seconds, 0 where it always is; None while it is not.

    Args:
        delay_s: Known delay of the quotes: a delayed feed opens and ends so much later.
    """
    at = now - delay_s
    if session != "index":
        opened_at = open_since(at, session)
    else:
        opened_at = open_since(at, "regular")
        if opened_at is None:
            opened_at = open_since(at - INDEX_AFTER_S, "regular")
    return None if opened_at is None else opened_at + delay_s if opened_at else 0.0


def session_of(symbol: str, configured: Session | None, source_hours: Hours) -> Session:
    """Return when one source of a symbol has something to say: as configured, else as the source, else as the symbol trades."""
    if configured is not None:
        return configured
    return "index" if source_hours == "regular" and symbol in INDICES else source_hours
