"""Put every act of an operator on record before it is done, and know who touched a target last."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, LeverRefused
from gexdesk.model.lever import Lever
from gexdesk.model.text import printable
from gexdesk.stores.audit import Audit


class Record:
    """Write to the audit, and hold the revisions that two operators meet at."""

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._last_by: dict[str, tuple[str, float]] = {}

    def unchanged(self, lever: Lever, target: str, revision: int) -> None:
        """Raise LeverRefused where somebody changed the target since the lever's operator looked at it."""
        if lever.seen_revision is not None and lever.seen_revision != revision:
            who, at = self._last_by.get(target, ("somebody", self._clock.now()))
            raise LeverRefused(
                f"{target} was changed by {who} {self._clock.now() - at:.0f} s ago; nothing was sent, look again", revision=revision
            )

    @asynccontextmanager
    async def of(self, lever: Lever, target: str, before: str, after: str) -> AsyncIterator[None]:
        """Write an act to the audit before it is done, and again where it then fails: nothing is done unlogged."""
        act, reason = str(lever.verb), printable(lever.reason)
        await self.add(actor=lever.actor, act=act, target=target, reason=reason, before=before, after=after)
        try:
            yield
        except Exception as error:
            why = printable(str(error))
            await self.add(actor=lever.actor, act=f"{act} failed", target=target, reason=why, before=after, after=before)
            raise

    async def add(self, *, actor: str, act: str, target: str, reason: str, before: str, after: str) -> None:
        """Append one entry; synced when it returns. Raises StoreError."""
        at = self._clock.now()
        await asyncio.to_thread(
            self._audit.append, actor=actor, act=act, target=target, reason=reason, before=before, after=after, at=at
        )
        self._last_by[target] = (actor, at)


@asynccontextmanager
async def undone(undo: Callable[[], Awaitable[object]]) -> AsyncIterator[None]:
    """Take the first half of an act back where the second fails."""
    try:
        yield
    except Exception:
        with suppress(GexdeskError):  # the same disk may refuse this, too: the audit has the failure
            await undo()
        raise


def jobs(count: int) -> str:
    """Name a number of jobs."""
    return "1 queued job" if count == 1 else f"{count:,} queued jobs"
