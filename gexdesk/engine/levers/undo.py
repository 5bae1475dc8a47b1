"""Undo: take the last thing an operator did back, unless somebody touched its target since."""

from collections.abc import Awaitable, Callable, Mapping

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.levers.record import Record
from gexdesk.model.errors import LeverRefused
from gexdesk.model.lever import Lever, Verb

NOTHING_TO_UNDO = frozenset({Verb.SEE, Verb.NOTE})

Inverse = Callable[[Lever], Awaitable[Lever | None]]
"""Return the lever that would bring back what is now, before another one is pulled; None where none can."""


class _Done(Struct, frozen=True):
    """Hold one act: the lever that takes it back, what it was aimed at, and how often that had been acted on by then."""

    verb: Verb
    inverse: Lever | None
    target: str
    acts: int
    together: str

    @property
    def words(self) -> str:
        """Say what was done."""
        return f"{self.verb} {self.target}"


class Undo:
    """Remember each operator's last act since the engine started; one on several targets whole.

    Args:
        inverses: By verb; an act of any other verb cannot be taken back.
    """

    def __init__(self, inverses: Mapping[Verb, Inverse], record: Record) -> None:
        self._inverses = dict(inverses)
        self._record = record
        self._last: dict[str, list[_Done]] = {}

    async def before(self, lever: Lever) -> Lever | None:
        """Return what would take a lever back, before it is pulled; None where nothing can, or nothing has to."""
        find = self._inverses.get(lever.verb)
        return await find(lever) if find is not None and not lever.dry_run else None

    def did(self, lever: Lever, inverse: Lever | None) -> None:
        """Note that a lever was pulled; one that only looks or writes down leaves the one before it to be taken back."""
        if lever.verb in NOTHING_TO_UNDO:
            return
        target = self._record.last_target(lever.actor)
        done = _Done(lever.verb, inverse, target, self._record.acts(target), lever.together)
        last = self._last.get(lever.actor, [])
        same = bool(lever.together) and bool(last) and last[-1].together == lever.together
        self._last[lever.actor] = [*(last if same else ()), done]

    def inverses(self, lever: Lever) -> tuple[list[Lever], list[str]]:
        """Return the levers that take the operator's last act back, the last one first, and why some cannot be.

        Raises:
            LeverRefused: There is none, or nothing of it can be taken back.
        """
        found: list[Lever] = []
        refused: list[str] = []
        for done in reversed(self._last.get(lever.actor, [])):
            try:
                found.append(self._inverse(done, lever))
            except LeverRefused as error:
                refused.append(error.message)
        if not found:
            left = "nothing of yours is left to take back: your last act can be, once, until the engine restarts"
            raise LeverRefused("; ".join(refused) or left)
        return found, refused

    def last(self, actor: str) -> str:
        """Say what an operator's undo takes back, e.g. ``pause of spx-chain``; empty where there is nothing."""
        done = self._last.get(actor, [])
        return f"{done[0].verb} of {', '.join(each.target for each in done)}" if done else ""

    def _inverse(self, done: _Done, lever: Lever) -> Lever:
        if done.inverse is None:
            raise LeverRefused(f"{done.words} cannot be taken back")
        if self._record.acts(done.target) != done.acts:
            who, ago_s = self._record.last_by(done.target)
            raise LeverRefused(f"{done.words} cannot be taken back: {done.target} was changed by {who} {ago_s:.0f} s ago")
        return replace(
            done.inverse, actor=lever.actor, reason=f"undo of {done.words}: {lever.reason}", dry_run=lever.dry_run,
            forced=lever.forced, not_after=lever.not_after,
        )  # fmt: skip

    def undid(self, actor: str) -> None:
        """Forget an act that was taken back: it is not taken back twice, and not done again by a second undo."""
        self._last.pop(actor, None)
