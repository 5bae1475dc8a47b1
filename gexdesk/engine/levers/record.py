"""Put every act of an operator on record before it is done, and know who touched a target last."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress

from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, LeverRefused
from gexdesk.model.lever import Lever
from gexdesk.model.text import printable
from gexdesk.stores.audit import Audit, AuditLine

EVERYTHING = "everything"
"""The target of the kill switch."""

Listener = Callable[[AuditLine, tuple[str, ...]], Awaitable[None]]
"""Is told of an act as the audit has it, and of the sources and symbols it is about beside its target."""


class Record:
    """Write to the audit, and hold the revisions that two operators meet at.

    Attributes:
        latest: Who acted last; empty before the first act.
    """

    def __init__(self, audit: Audit, clock: Clock) -> None:
        self._audit = audit
        self._clock = clock
        self._last_by: dict[str, tuple[str, float]] = {}
        self._acts: Counter[str] = Counter()
        self._targets: dict[str, str] = {}
        self._listeners: list[Listener] = []
        self.latest = ""

    def tell(self, listener: Listener) -> None:
        """Have every act told, once it is in the audit."""
        self._listeners.append(listener)

    def unchanged(self, lever: Lever, target: str, revision: int) -> None:
        """Raise LeverRefused where somebody changed the target since the lever's operator looked at it."""
        if lever.seen_revision is not None and lever.seen_revision != revision:
            who, ago_s = self.last_by(target)
            raise LeverRefused(f"{target} was changed by {who} {ago_s:.0f} s ago; nothing was sent, look again", revision=revision)

    def in_time(self, lever: Lever) -> None:
        """Raise LeverRefused where a lever's sender has stopped waiting."""
        if lever.not_after is not None and self._clock.now() > lever.not_after:
            raise LeverRefused(f"{lever.verb} came when its sender had stopped waiting; nothing was done, try again")

    @asynccontextmanager
    async def of(
        self, lever: Lever, target: str, before: str, after: str, *, about: tuple[str, ...] = ()
    ) -> AsyncIterator[None]:
        """Write an act to the audit before it is done, and again where it then fails: nothing is done unlogged.

        Raises:
            LeverRefused: Its sender has stopped waiting meanwhile, and was told that nothing was done: nothing is.
        """
        self.in_time(lever)
        act, reason = str(lever.verb), printable(lever.reason)
        await self.add(actor=lever.actor, act=act, target=target, reason=reason, before=before, after=after, about=about)
        try:
            yield
        except Exception as error:
            why = printable(str(error))
            await self.add(
                actor=lever.actor, act=f"{act} failed", target=target, reason=why, before=after, after=before, about=about
            )
            raise

    async def add(
        self, *, actor: str, act: str, target: str, reason: str, before: str, after: str, follows: bool = False,
        about: tuple[str, ...] = (),
    ) -> None:  # fmt: skip
        """Append one entry; synced when it returns. Raises StoreError.

        Args:
            follows: It follows from another act: whoever looked at the target, or would undo that act, may go on.
            about: As in ``Listener``.
        """
        at = self._clock.now()
        line = await asyncio.to_thread(
            self._audit.append, actor=actor, act=act, target=target, reason=reason, before=before, after=after, at=at
        )
        self.latest = actor
        self._targets[actor] = target
        if not follows:
            self.heard(target, actor, at)
        for listener in self._listeners:
            await listener(line, about)

    def heard(self, target: str, actor: str, at: float) -> None:
        """Note that somebody acted on a target, here or through another engine, which has it in its own audit."""
        self._last_by[target] = (actor, at)
        self._acts[target] += 1

    def acts(self, target: str) -> int:
        """Return how often a target was acted on since the engine started, by whomever."""
        return self._acts[target]

    def last_target(self, actor: str) -> str:
        """Return what somebody acted on last; empty before the first act."""
        return self._targets.get(actor, "")

    def last_by(self, target: str) -> tuple[str, float]:
        """Return who acted on a target last, and how many seconds ago."""
        who, at = self._last_by.get(target, ("somebody", self._clock.now()))
        return who, self._clock.now() - at


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
