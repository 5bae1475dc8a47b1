"""Payloads that end in the dead letters."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Ledger

TOLD_S = 60.0


class DeadLetters:
    """Find sources whose dead letters grew within the last minute."""

    def __init__(self, ledger: Ledger) -> None:
        self._ledger = ledger
        self._known: dict[str, tuple[int, float]] = {}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a source."""
        for account in self._ledger.all():
            count, at = self._known.get(account.name, (0, 0.0))
            if account.dead > count:
                count, at = account.dead, now
                self._known[account.name] = count, at
            if count and now - at < TOLD_S:
                plural = "payload" if count == 1 else "payloads"
                yield Condition(
                    kind=Kind.DEAD_LETTERS, key=f"dead {account.name}", severity=1, subject=account.carries or account.name,
                    text=f"{account.name}: {count} {plural} refused: {account.last_refusal}",
                    do_first="p shows the payload; T tries it again, D lets it go",
                    source=account.name, job_id=account.last_dead_job,
                )  # fmt: skip
