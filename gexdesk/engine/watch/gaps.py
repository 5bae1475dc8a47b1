"""Messages that never came, by their sender's own count."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Ledger

TOLD_S = 60.0


class Gaps:
    """Find sources whose senders counted messages that never came, within the last minute."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, tuple[int, float]] = {}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a source."""
        for account in self._ledger.all():
            missed, at = self._known.get(account.name, (0, 0.0))
            if account.missed > missed:
                missed, at = account.missed, now
                self._known[account.name] = missed, at
            if missed and now - at < TOLD_S:
                plural = "message" if missed == 1 else "messages"
                yield Condition(
                    kind=Kind.SEQUENCE_GAP, key=f"gap {account.name}", severity=1, subject=account.carries or account.name,
                    text=f"{account.name}: {missed:,} {plural} never came; {account.last_missed}",
                    do_first="one is a hiccup; if it goes on: the network, the vendor", source=account.name,
                )  # fmt: skip
