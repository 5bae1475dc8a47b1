"""Take the shift over: audited, with the sum of what is taken over."""

import asyncio

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.hand_over import HandOver
from gexdesk.engine.incidents.incident import Incident
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.levers.record import Record
from gexdesk.engine.shift import OnDuty, Shift
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
            on_duty = OnDuty(lever.actor, self._clock.now())
            await self._pass_on(await asyncio.to_thread(self._shift.take, on_duty), on_duty)
        words = f"{lever.actor} takes the shift over from {before}: {summary}"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, lever.actor, 0, 1, summary)

    async def follow(self, on_duty: OnDuty) -> None:
        """Put on duty who took the shift through another engine, and pass on what lies here. Raises StoreError."""
        await self._pass_on(await asyncio.to_thread(self._shift.follow, on_duty), on_duty)

    async def _pass_on(self, former: OnDuty, on_duty: OnDuty) -> None:
        """Pass on what there was when the shift was taken: what came afterwards nobody has seen yet. Raises StoreError."""
        for incident in self._incidents.all():
            if any(_falls_to(incident, former.operator, on_duty)):
                await self._incidents.change(incident.number, lambda i: self._taken_over(i, former.operator, on_duty))

    def _taken_over(self, incident: Incident, was: str, on_duty: OnDuty) -> Incident:
        mine, unseen = _falls_to(incident, was, on_duty)
        if not (mine or unseen):
            return incident  # somebody acted on it just now
        to = on_duty.operator
        fresh = replace(
            incident, seen=incident.seen or unseen, owner=to if mine else incident.owner, revision=incident.revision + mine
        )
        return fresh.told(self._clock.now(), to, "hand_over", f"from {was}" if mine else "seen")


def _falls_to(incident: Incident, was: str, on_duty: OnDuty) -> tuple[bool, bool]:
    """Say whether an incident becomes theirs who are on duty now, and whether it counts as seen by it."""
    mine = bool(was) and incident.owner == was != on_duty.operator and incident.closed_at is None
    return mine, not incident.seen and on_duty.since is not None and incident.rose_at <= on_duty.since
