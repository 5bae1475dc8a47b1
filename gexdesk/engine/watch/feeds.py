"""Sources that fail, are left alone, fall silent, repeat themselves or have no standing level: at most one condition a source."""

from collections.abc import Iterator

from msgspec import Struct

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.standing import Standing
from gexdesk.engine.watch.state import state_of
from gexdesk.stores.base import LiveCache

FAILING_S = 3.0
"""A request that fails once and works again is nobody's business."""

REPEATS = 5
REPEATING_S = 60.0
REPEATING_INTERVALS = 4.0
"""A source repeats itself when so many payloads over so long, and over so many of its intervals, were the one before again."""


class _Fresh(Struct):
    """Remember when a source last gave something new, and how often it had repeated itself by then."""

    given: int
    at: float
    repeats: int


class Feeds:
    """Find what is wrong with sources."""

    def __init__(self, ledger: Ledger, standing: Standing, cache: LiveCache) -> None:
        self._ledger = ledger
        self._standing = standing
        self._cache = cache
        self._fresh: dict[str, _Fresh] = {}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition a source: what says most about it."""
        serving = {value.symbol: value.source for value in self._cache.all()}
        for account in self._ledger.all():
            found = self._of(account, now)
            if found is None:
                continue
            kind, text, do_first = found
            hit = _hit(account, serving)
            grave = kind is not Kind.SOURCE_UNASSIGNED and (hit is None or bool(hit))
            yield Condition(
                kind=kind, key=f"feed {account.name}", severity=2 if grave else 1, subject=account.carries or account.name,
                text=text, do_first=do_first, symbols=hit or (), source=account.name,
                vendor="" if kind is Kind.SOURCE_UNASSIGNED else account.vendor,
            )  # fmt: skip

    def _of(self, account: Account, now: float) -> tuple[Kind, str, str] | None:
        name = account.name
        if account.store_refuses(now):
            return None  # what it brings cannot be kept here: that is said of the disk
        repeated_s = self._repeated_s(account, now)
        match state_of(account, self._standing, now):
            case "unassigned":
                words = f"{name} has no standing level and is not processed"
                return Kind.SOURCE_UNASSIGNED, words, 'give it level = "auto" in the configuration'
            case "failing" if account.breaker != "closed":
                probe = f", probe in {max(0.0, account.probe_at - now):.0f} s" if account.probe_at is not None else ""
                words = f"{name} is left alone{probe}: {account.last_error}"
                return Kind.BREAKER_OPEN, words, "wait for the probe, then the vendor"
            case "failing" if account.failing_since is None:
                return Kind.FEED_FAILING, f"{name} sends nothing usable: {account.last_refusal}", "the vendor; P pauses the source"
            case "failing" if account.failing_since is not None and now - account.failing_since > FAILING_S:
                return Kind.FEED_FAILING, f"{name} fails: {account.last_error}", "the vendor; P pauses the source"
            case "late" if account.due_s is not None:
                words = f"{name} silent for {account.quiet_s(now) or 0.0:.0f} s: due each {account.due_s:g} s"
                return Kind.FEED_SILENT, words, "the vendor; P pauses the source"
            case "live" if repeated_s is not None:
                words = f"{name} has sent the same bytes for {repeated_s:.0f} s"
                return Kind.FEED_REPEATING, words, "compare with another source; the vendor"
        return None

    def _repeated_s(self, account: Account, now: float) -> float | None:
        """Return for how long a source has only repeated itself while its hours are on; None where that is not long enough."""
        given = account.received - account.repeats
        fresh = self._fresh.get(account.name)
        if fresh is None or given != fresh.given or account.quiet_s(now) is None:
            self._fresh[account.name] = _Fresh(given, now, account.repeats)
            return None
        repeated_s = now - fresh.at
        long_s = max(REPEATING_S, REPEATING_INTERVALS * (account.due_s or 0.0))
        return repeated_s if account.repeats - fresh.repeats >= REPEATS and repeated_s > long_s else None


def _hit(account: Account, serving: dict[str, str]) -> tuple[str, ...] | None:
    """Return the symbols whose readers a source's failure hits: those it serves, or would; None where nobody can tell."""
    if account.data_type == "historical":
        return ()
    carried = account.symbols or tuple(sorted(account.seen_symbols))
    return tuple(s for s in carried if serving.get(s, account.name) == account.name) if carried else None
