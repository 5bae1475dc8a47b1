"""Take the shift over: audited, with the sum of what is taken over."""

import asyncio

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.hand_over import HandOver
from gexdesk.engine.incidents.incident import Incident
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.levers.record import Record
from gexdesk.engine.shift import Shift
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused
from gexdesk.model.lever import Lever, LeverOutcome, Verb


class ShiftLevers:
    """Put whoever asks on duty. The incidents of who had the shift become theirs, and what nobody saw counts as seen."""

    verbs = frozenset({Verb.HAND_OVER})

    def __init__(
        self, *, hand_over: HandOver, shift: Shift, incidents: Incidents, record: Record, chronicle: Chronicle, clock: Clock
    ) -> None:
        self._hand_over = hand_over
        self._shift = shift
        self._incidents = incidents
        self._record = record
        self._chronicle = chronicle
        self._clock = clock

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``."""
        was, summary = self._shift.on_duty.operator, self._hand_over.sum().summary
        if was == lever.actor:
            raise LeverRefused("the shift is yours already")
        before = was or "nobody"
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, lever.actor, 0, 1, summary)
        async with self._record.of(lever, "shift", before, f"{lever.actor}: {summary}"):
            await asyncio.to_thread(self._shift.take, lever.actor, self._clock.now())
            for incident in self._incidents.all():
                if not incident.seen or (was and incident.owner == was and incident.closed_at is None):
                    await self._incidents.change(incident.number, lambda i: self._taken_over(i, was, lever.actor))
        words = f"{lever.actor} takes the shift over from {before}: {summary}"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, lever.actor, 0, 1, summary)

    def _taken_over(self, incident: Incident, was: str, to: str) -> Incident:
        mine = bool(was) and incident.owner == was and incident.closed_at is None
        fresh = replace(incident, seen=True, owner=to if mine else incident.owner, revision=incident.revision + mine)
        return fresh.told(self._clock.now(), to, "hand_over", f"from {was}" if mine else "seen")
