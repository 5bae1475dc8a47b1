"""Sources that fail, fall silent, send nothing usable, or have no standing level. One condition a source: the gravest."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.standing import Standing
from gexdesk.engine.watch.state import state_of
from gexdesk.stores.base import LiveCache

FAILING_S = 3.0
"""A request that fails once and works again is nobody's business."""


class Feeds:
    """Find what is wrong with sources."""

    def __init__(self, ledger: Ledger, standing: Standing, cache: LiveCache) -> None:
        self._ledger = ledger
        self._standing = standing
        self._cache = cache

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition a source."""
        serving = {value.symbol: value.source for value in self._cache.all()}
        for account in self._ledger.all():
            state = state_of(account, self._standing, now)
            if state == "unassigned":
                yield Condition(
                    kind=Kind.SOURCE_UNASSIGNED, key=f"unassigned {account.name}", severity=1,
                    subject=account.carries or account.name, source=account.name,
                    text=f"{account.name} has no standing level and is not processed",
                    do_first='give it level = "auto" in the configuration',
                )  # fmt: skip
            elif (found := self._of(account, state, now)) is not None:
                kind, text = found
                hit = _hit(account, serving)
                yield Condition(
                    kind=kind, key=f"feed {account.name}", severity=2 if hit is None or hit else 1,
                    subject=account.carries or account.name, text=text, do_first="the vendor; P pauses the source",
                    symbols=hit or (), source=account.name, vendor=account.vendor,
                )  # fmt: skip

    def _of(self, account: Account, state: str, now: float) -> tuple[Kind, str] | None:
        if state == "failing" and account.failing_since is None:
            return Kind.FEED_FAILING, f"{account.name} sends nothing usable: {account.last_refusal}"
        if state == "failing" and account.failing_since is not None and now - account.failing_since > FAILING_S:
            return Kind.FEED_FAILING, f"{account.name} fails: {account.last_error}"
        if state == "late" and account.due_s is not None:
            return Kind.FEED_SILENT, f"{account.name} silent for {account.quiet_s(now) or 0.0:.0f} s: due each {account.due_s:g} s"
        return None


def _hit(account: Account, serving: dict[str, str]) -> tuple[str, ...] | None:
    """Return the symbols whose readers a source's failure hits: those it serves, or would; None where nobody can tell."""
    if account.data_type == "historical":
        return ()
    carried = account.symbols or tuple(sorted(account.seen_symbols))
    return tuple(s for s in carried if serving.get(s, account.name) == account.name) if carried else None
