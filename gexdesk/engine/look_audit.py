"""Look at the audit: who did what, and whether the chain holds."""

import asyncio

from gexdesk.model.clock import Clock
from gexdesk.model.look.record import AuditLook, AuditSeen
from gexdesk.model.record_view import ActView
from gexdesk.stores.audit import Audit, AuditLine, verify

LIMIT = 5_000


class AuditLooks:
    """Answer ``AuditLook``; what the last check of the chain found stays said until the next one."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._checked: tuple[float, int, str] | None = None
        self._turn = asyncio.Lock()

    async def audit(self, question: AuditLook) -> AuditSeen:
        """Return the last acts. Raises StoreError."""
        if question.check:
            async with self._turn:
                await asyncio.to_thread(self._check)
        lines = await asyncio.to_thread(self._audit.read, min(max(question.limit, 1), LIMIT))
        at, count, broken = self._checked or (None, 0, "")
        return AuditSeen(tuple(map(_act, lines)), at, count, broken)

    def _check(self) -> None:
        found = verify(self._audit.path)
        now = self._clock.now()
        self._checked = (now, found, "") if isinstance(found, int) else (now, found.line - 1, f"line {found.line}: {found.why}")


def _act(line: AuditLine) -> ActView:
    return ActView(line.sequence, line.at, line.actor, line.act, line.target, line.reason, line.before, line.after)
