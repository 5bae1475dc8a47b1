"""Levers: let one operator act at a time, never too late, never without a reason."""

import asyncio
from collections.abc import Sequence

from msgspec.structs import replace

from gexdesk.engine.levers.base import Family
from gexdesk.engine.levers.record import Record
from gexdesk.engine.levers.undo import Undo
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.lever import Lever, LeverOutcome, Verb, together
from gexdesk.model.text import printable

REASON_LIMIT = 300


class Levers:
    """Hand each lever to the family that knows its verb. One at a time: two operators never interleave."""

    def __init__(self, families: Sequence[Family], undo: Undo, turn: asyncio.Lock, record: Record) -> None:
        self._families = {verb: family for family in families for verb in family.verbs}
        self._undo = undo
        self._turn = turn
        self._record = record

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``, and LeverRefused without a reason or past its time."""
        async with self._turn:
            self._record.in_time(lever)
            lever = replace(lever, reason=printable(lever.reason, REASON_LIMIT))
            if not lever.reason and not lever.dry_run and lever.verb.needs_reason:
                raise LeverRefused(f"{lever.verb} needs a reason; it goes to the audit")
            if lever.verb is Verb.UNDO:
                return await self._take_back(lever)
            family = self._family(lever)
            inverse = await self._undo.before(lever)
            outcome = await family.pull(lever)
            if outcome.done:
                self._undo.did(lever, inverse)
            return outcome

    def _family(self, lever: Lever) -> Family:
        if (family := self._families.get(lever.verb)) is None:
            raise LeverRefused(f"this engine has no lever {lever.verb}")
        return family

    async def _take_back(self, lever: Lever) -> LeverOutcome:
        """Pull what takes the operator's last act back; of one on several targets, tell which cannot be taken back."""
        inverses, refused = self._undo.inverses(lever)
        undoes = self._undo.last(lever.actor)
        if len(inverses) == 1 and not refused:
            outcome = await self._family(inverses[0]).pull(inverses[0])
            if outcome.done:
                self._undo.undid(lever.actor)
            return replace(outcome, undoes=undoes)
        done: list[tuple[str, LeverOutcome]] = []
        for inverse in inverses:
            try:
                done.append((inverse.target, await self._family(inverse).pull(inverse)))
            except (LeverRefused, UnknownTarget) as error:
                refused.append(f"{inverse.target}: {error.message}")
        if not done:
            raise LeverRefused("; ".join(refused))
        if not lever.dry_run:
            self._undo.undid(lever.actor)
        return replace(together(done, refused), undoes=undoes)
