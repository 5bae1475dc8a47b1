"""The bound on CRITICAL is above what CRITICAL promises: nothing is late for it, and nothing is proven any more."""

from collections.abc import Callable, Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.level import Level
from gexdesk.model.view.engine import BoundView

HELD_S = 5.0
"""It has to be above for so long: what a desk measures of its first payloads is no finding yet."""

_DO_FIRST = {
    "receive": "look at the disk of the state folder: what else writes there; P pauses what can wait",
    "commit": "look at the disk of the state folder: what else writes there; P pauses what can wait",
    "publish": "look at the host and at its Redis: publishing takes too long; P pauses what can wait",
    "death": "look at the host: what takes so long there; a worker that dies costs its lease and all of it again",
    "failover": "look at Redis: for so long it may be away before its queue is given up",
}
"""By the term that makes most of the bound."""

_SLOTS = "P pauses what floods; O sets a level below CRITICAL for a time; look at the host: it may be short of processors"


class BoundBroken:
    """Find a bound that is above its promise."""

    def __init__(self, bound: Callable[[], BoundView]) -> None:
        self._bound = bound
        self._since: float | None = None

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition while it is above."""
        bound = self._bound()
        if bound.worst_s is not None and bound.worst_s <= bound.promise_s:
            self._since = None
            return
        if self._since is None or now < self._since:
            self._since = now
        if now - self._since <= HELD_S:
            return
        worst = "nothing bounds it" if bound.worst_s is None else f"{bound.worst_s:.0f} s at the worst"
        yield Condition(
            kind=Kind.PROMISE_AT_RISK, key="bound CRITICAL", severity=1, subject=str(Level.CRITICAL), group=str(Level.CRITICAL),
            text=f"its {bound.promise_s:g} s are not proven: {worst}; {bound.why}", do_first=_DO_FIRST.get(bound.term, _SLOTS),
        )  # fmt: skip
