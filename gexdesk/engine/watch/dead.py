"""Payloads that end in the dead letters."""

from collections.abc import Iterator

from msgspec.structs import replace

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.open_letters import OpenLetters

TOLD_S = 60.0
"""What was refused before it became a job left no letter: it can only be told, for so long."""


class DeadLetters:
    """Find sources whose dead letters wait for somebody, or that were refused something within the last minute.

    The subject is the payloads' own symbol, else the source: what else the source carries has nothing to do with it.
    """

    def __init__(self, ledger: Ledger, letters: OpenLetters) -> None:
        self._ledger = ledger
        self._letters = letters
        self._known: dict[str, tuple[int, float]] = {}

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a source."""
        waiting = self._letters.by_source()
        for source, found in waiting.items():
            refused = _condition(source, found.count, found.newest.reason, found.newest.buried_at)
            do = "p on its incident shows the payload, x all: there T tries again, D lets go"
            yield replace(refused, subject=found.symbol or source, do_first=do, job_id=found.newest.job_id)
        for account in self._ledger.all():
            count, at = self._known.get(account.name, (0, 0.0))
            if account.unkept > count:
                count, at = account.unkept, now
                self._known[account.name] = count, at
            if count and now - at < TOLD_S and account.name not in waiting:
                yield _condition(account.name, count, account.last_refusal, at)


def _condition(source: str, count: int, reason: str, came_at: float) -> Condition:
    plural = "payload" if count == 1 else "payloads"
    return Condition(
        kind=Kind.DEAD_LETTERS, key=f"dead {source}", severity=1, subject=source,
        text=f"{source}: {count} {plural} refused: {reason}", do_first="look at it where it came from",
        source=source, came_at=came_at,
    )  # fmt: skip
