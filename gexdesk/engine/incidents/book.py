"""Judge what is wrong now against what was wrong before: open, join, close, open again. Pure: it neither writes nor tells."""

from collections.abc import Iterable, Sequence

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.incident import Incident, Member

JOIN_S = 60.0
"""Causes of one group that come within this of each other are one incident."""

REOPEN_S = 600.0
"""A cause that comes back within this opens its old incident again."""

PAGE_AGAIN_S = 60.0
"""A cause that was gone for so long pages again when it comes back: what flaps faster is one trouble, and one page."""

CLOSED_HELD = 100
"""Closed incidents that are held at most, those included that nobody saw."""

MEMBERS_HELD = 200
"""Causes that an incident names at most: beyond that, those that have gone are let go of, the first to come first."""

SAME_S = 0.001
"""Times that lie closer are one: the stores keep them to the microsecond."""

RESTART_S = 30.0
"""After a start, the causes of what an earlier engine left open have this long to be found again."""


class Happening(Struct, frozen=True):
    """Name one thing that befell an incident: ``opened``, ``joined``, ``worse``, ``closed``, ``reopened`` or ``woken``."""

    what: str
    incident: Incident


class Book:
    """Hold the incidents that matter now: open ones, closed ones that may open again or that nobody saw.

    Attributes:
        changed: Numbers of those that have to be kept; whoever keeps them clears it.
    """

    def __init__(self) -> None:
        self._incidents: dict[int, Incident] = {}
        self._homes: dict[str, int] = {}
        self._last_number = 0
        self._inherited: set[int] = set()
        self._grace_until = 0.0
        self.changed: set[int] = set()

    def load(self, incidents: Iterable[Incident], last_number: int, now: float) -> None:
        """Take what an earlier engine left, as far as it still matters."""
        self._last_number = last_number
        self._grace_until = now + RESTART_S
        for incident in sorted(incidents, key=lambda i: (i.closed_at is None, i.number)):
            if incident.closed_at is None or not incident.seen or now - incident.over_at <= REOPEN_S:
                self._put(incident)
                self._house(incident)
                self._inherited.add(incident.number)
        self.changed.clear()

    def get(self, number: int) -> Incident | None:
        """Return an incident that matters now."""
        return self._incidents.get(number)

    def all(self) -> list[Incident]:
        """Return every incident that matters now, by number."""
        return [self._incidents[number] for number in sorted(self._incidents)]

    def change(self, incident: Incident) -> None:
        """Replace an incident by its next state."""
        self._put(incident)

    def report(self, condition: Condition, who: str, now: float) -> Incident:
        """Open one that an operator reports; it stays until it is resolved."""
        incident = Incident(number=self._next(), opened_at=now, joined_at=now, reported=condition, seen=True, owner=who)
        incident = incident.told(now, who, "opened", condition.text)
        self._put(incident)
        return incident

    def drop(self, incident: Incident) -> None:
        """Take back one that could not be kept."""
        self._incidents.pop(incident.number, None)
        self.changed.discard(incident.number)

    def look(self, conditions: Sequence[Condition], now: float) -> list[Happening]:
        """Take what is wrong at this moment, and return what befell the incidents by it."""
        happened: list[Happening] = []
        there = {condition.key: condition for condition in conditions}
        for condition in there.values():
            happened += self._meet(condition, now)
        for incident in self.all():
            happened += self._wake(incident, now)
            happened += self._age(self._incidents[incident.number], there.keys(), now)
        self._forget(now)
        return happened

    def _meet(self, condition: Condition, now: float) -> list[Happening]:
        home = self._incidents.get(self._homes.get(condition.key, 0))
        if home is not None and (home.closed_at is None or (home.resolved and not home.gone_for(home.kind.close_after_s, now))):
            return self._refresh(home, condition, now)
        gathering = self._gathering(condition, now)
        if gathering is not None:
            return self._join(gathering, condition, now)
        if home is not None and now - home.over_at <= REOPEN_S:
            return self._reopen(home, condition, now, "came back")
        incident = Incident(
            number=self._next(), opened_at=now, joined_at=now, members={condition.key: Member(condition, now, now)}
        )
        self._house(incident)
        return self._say("opened", incident.told(now, "desk", "opened", condition.text))

    def _refresh(self, incident: Incident, condition: Condition, now: float) -> list[Happening]:
        # Of what an earlier engine left, whether it went meanwhile is not known: when it came tells.
        may_be_anew = incident.number in self._inherited or incident.gone_at is not None
        self._inherited.discard(incident.number)
        known = incident.members[condition.key]
        if incident.closed_at is None and may_be_anew and condition.came_at - known.condition.came_at >= PAGE_AGAIN_S:
            return self._reopen(incident, condition, now, "came again")
        severity, kind = incident.severity, incident.kind
        member = Member(condition, known.first_at, now)
        fresh = replace(incident, members=incident.members | {condition.key: member}, gone_at=None)
        if not known.present and len(fresh.members) > 1:
            fresh = fresh.told_together(now, "back", condition.subject)
            self.changed.add(fresh.number)
        worse = fresh.severity > severity and incident.gone_at is None
        if fresh.closed_at is not None:
            if worse:
                return self._reopen(fresh, condition, now, "got worse")
            if condition.came_at > known.condition.came_at + SAME_S:
                return self._reopen(fresh, condition, now, "came again")
            self._incidents[fresh.number] = fresh
            return []
        if worse:
            return self._woken(fresh.told(now, "desk", "worse", condition.text), now, "worse")
        if fresh.kind is not kind:
            fresh = fresh.told(now, "desk", "changed", condition.text)
            self.changed.add(fresh.number)
        self._incidents[fresh.number] = fresh
        return []

    def _join(self, incident: Incident, condition: Condition, now: float) -> list[Happening]:
        worse = condition.severity > incident.severity
        members = incident.members | {condition.key: Member(condition, now, now)}
        gone = [key for key, member in members.items() if not member.present]
        for key in gone[: max(0, len(members) - MEMBERS_HELD)]:
            del members[key]
            self._homes.pop(key, None)
        joined = replace(incident, members=members, joined_at=now, gone_at=None).told_together(now, "joined", condition.subject)
        self._house(joined)
        return self._woken(joined, now, "worse" if worse else "joined")

    def _woken(self, incident: Incident, now: float, what: str) -> list[Happening]:
        """Say what befell an incident; one that was snoozed wakes up by it, and what is worse nobody has seen yet."""
        if what == "worse":
            incident = replace(incident, seen=False)
        if incident.snooze is not None:
            incident = replace(incident, snooze=None, revision=incident.revision + 1)
            incident = incident.told(now, "desk", "woken", f"its snooze ended: {what}")
        return self._say(what, incident)

    def _reopen(self, incident: Incident, condition: Condition, now: float, why: str) -> list[Happening]:
        known = incident.members.get(condition.key)
        member = Member(condition, known.first_at if known is not None else now, now)
        members = {key: replace(m, present=False) if m.last_at < now else m for key, m in incident.members.items()}
        apart_s = 0.0 if incident.closed_at is None else now - incident.closed_at
        if known is not None:  # what is told for a minute was gone before its telling ended
            apart_s = max(apart_s, condition.came_at - known.condition.came_at)
        if incident.resolved or apart_s >= PAGE_AGAIN_S:
            # Whoever had it took it for over, and may be asleep by now.
            incident = replace(incident, paged_severity=0, owner=incident.owner if incident.closed_at is None else "")
        again = replace(
            incident, members=members | {condition.key: member}, closed_at=None, gone_at=None, resolved=False, seen=False,
            joined_at=now, revision=incident.revision + 1,
        )  # fmt: skip
        return self._say("reopened", again.told(now, "desk", "reopened", f"{why}: {condition.text}"))

    def _gathering(self, condition: Condition, now: float) -> Incident | None:
        """Return the open incident of its like that a condition belongs to, the newest first."""
        if not condition.like:
            return None
        for incident in reversed(self.all()):
            if incident.closed_at is None and incident.lead.like == condition.like:
                several = sum(member.present for member in incident.members.values()) > 1
                if several or now - incident.joined_at <= JOIN_S:
                    return incident
        return None

    def _wake(self, incident: Incident, now: float) -> list[Happening]:
        """End a snooze whose time has come."""
        if incident.snooze is None or incident.snooze.until is None or incident.snooze.until > now:
            return []
        awake = replace(incident, snooze=None, revision=incident.revision + 1)
        return self._say("woken", awake.told(now, "desk", "woken", "its time came"))

    def _age(self, incident: Incident, there: Iterable[str], now: float) -> list[Happening]:
        """Note which causes have gone, and close what has none left for long enough."""
        if incident.number in self._inherited and now < self._grace_until:
            return []
        for key, member in incident.members.items():
            if member.present and key not in there:
                incident = replace(incident, members=incident.members | {key: replace(member, present=False)})
                if len(incident.members) > 1:
                    incident = incident.told_together(now, "gone", member.condition.subject)
                    self.changed.add(incident.number)
        if incident.members and not any(member.present for member in incident.members.values()):
            incident = replace(incident, gone_at=now if incident.gone_at is None else incident.gone_at)
        self._incidents[incident.number] = incident
        if incident.closed_at is not None or not incident.gone_for(incident.kind.close_after_s, now):
            return []
        closed = replace(incident, closed_at=now, snooze=None, revision=incident.revision + 1)
        return self._say("closed", closed.told(now, "desk", "closed", "its cause has gone"))

    def _forget(self, now: float) -> None:
        """Let go of what is over, was seen, and can no more open again; it stays where it is kept."""
        over = [i for i in self.all() if i.closed_at is not None and i.number not in self.changed and not i.cause_stays]
        spare = len(over) - CLOSED_HELD
        for place, incident in enumerate(over):
            if place < spare or (incident.seen and now - max(incident.over_at, incident.touched_at) > REOPEN_S):
                del self._incidents[incident.number]
                for key in incident.members:
                    if self._homes.get(key) == incident.number:
                        del self._homes[key]

    def _say(self, what: str, incident: Incident) -> list[Happening]:
        self._put(incident)
        return [Happening(what, incident)]

    def _put(self, incident: Incident) -> None:
        self._incidents[incident.number] = incident
        self.changed.add(incident.number)

    def _house(self, incident: Incident) -> None:
        """Let the causes of an incident come home to it from now on, and to none that had them before."""
        self._homes |= dict.fromkeys(incident.members, incident.number)

    def _next(self) -> int:
        self._last_number += 1
        return self._last_number
