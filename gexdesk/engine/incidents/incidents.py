"""The incidents of a desk: judged once a second, kept before they are told, paged at most once for each time they open."""

import asyncio
from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING

import msgspec
from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.incidents.book import Book, Happening
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.everywhere import akin, everywhere
from gexdesk.engine.incidents.incident import LINE_LIMIT, Incident
from gexdesk.engine.incidents.kind import OF_THE_FLEET
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.incidents.shelf import Shelf
from gexdesk.engine.levers.record import EVERYTHING
from gexdesk.engine.pager import Page, Pager
from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable
from gexdesk.model.view.incident import IncidentView
from gexdesk.stores.audit import AuditLine
from gexdesk.stores.base import IncidentRecord

if TYPE_CHECKING:
    from gexdesk.engine.fleet import Fleet

SHOWN_CLOSED_S = 60.0
"""A closed incident is shown until somebody saw it, and for so long after that: its story has to be read."""

UNSEEN_SHOWN = 30
GATHER_S = 2.0
"""Causes that join, and what other engines of a fleet find, too, have so long before somebody is paged for the first of them."""

_GRAVITY = ("opened", "reopened", "worse", "closed", "woken", "joined")


class Incidents:
    """Judge, keep, tell and page.

    Args:
        readers: Names the readers of symbols.
        fleet: Tells what needs somebody on the other engines; None for a desk of its own.
        note: Given the record of each incident as it changes.
    """

    def __init__(
        self, *, chronicle: Chronicle, clock: Clock, shelf: Shelf, mutes: Mutes, pager: Pager,
        readers: Callable[[Sequence[str]], tuple[str, ...]], note: Callable[[IncidentRecord], None],
        fleet: "Fleet | None" = None,
    ) -> None:  # fmt: skip
        self._chronicle = chronicle
        self._clock = clock
        self._shelf = shelf
        self._mutes = mutes
        self._pager = pager
        self._readers = readers
        self._note = note
        self._fleet = fleet
        self._book = Book()
        self._turn = asyncio.Lock()
        self._keeping_fails = False

    def open(self) -> None:
        """Read what an earlier engine left. Raises StoreError where the folder or the windows cannot be read."""
        self._mutes.open()
        found, last_number, damaged = self._shelf.open()
        now = self._clock.now()
        self._book.load(found, last_number, now)
        for name in damaged:
            self._chronicle.tell("incident", f"incidents/{name} cannot be read: that incident is left out", grave=True)

    def record_anew(self) -> None:
        """Record what an earlier engine left: it may have been killed between keeping an incident and writing its record."""
        for incident in self._book.all():
            self._note(record_of(incident))

    async def look(self, conditions: Sequence[Condition]) -> None:
        """Take what is wrong at this moment: open, join, refresh, close; keep what changed, then tell it, then page."""
        async with self._turn:
            now = self._clock.now()
            happened = self._book.look(conditions, now)
            pages = self._pages(happened, now)
            await self._keep_changed()
        for happening in _gravest(happened):
            self._tell(happening.what, self._book.get(happening.incident.number) or happening.incident)
        for page in pages:
            self._pager.send(page)

    def get(self, number: int) -> Incident | None:
        """Return an incident that matters now."""
        return self._book.get(number)

    def all(self) -> list[Incident]:
        """Return every incident that matters now."""
        return self._book.all()

    async def find(self, number: int) -> Incident:
        """Return any incident, old ones too. Raises UnknownTarget, StoreError."""
        held = self._book.get(number)
        return held if held is not None else await asyncio.to_thread(self._shelf.read, number)

    async def change(self, number: int, step: Callable[[Incident], Incident]) -> Incident:
        """Let an operator's act make the next state of an incident; durable when it returns.

        Raises:
            UnknownTarget: There is no such incident.
            StoreError: It could not be kept; nothing was changed.
        """
        async with self._turn:
            before = await self.find(number)
            after = step(before)
            await asyncio.to_thread(self._shelf.keep, after)
            self._book.change(after)
            self._book.changed.discard(number)
            self._note(record_of(after))
            return after

    async def acted(self, act: AuditLine, about: tuple[str, ...]) -> None:
        """Put an act into the timeline of every open incident that its target, or what it is about, has a part in."""
        kind, _, name = act.target.partition(" ")
        names = {name if kind in ("symbol", "job") else act.target, *about}
        async with self._turn:
            for incident in self._book.all():
                if incident.closed_at is None and (act.target == EVERYTHING or names & incident.names):
                    self._book.change(incident.acted(act.at, act.actor, act.act, act.target, _words(act)))

    async def report(self, condition: Condition, who: str) -> Incident:
        """Open one that an operator reports; durable when it returns. Raises StoreError."""
        async with self._turn:
            incident = self._book.report(condition, who, self._clock.now())
            try:
                await asyncio.to_thread(self._shelf.keep, incident)
            except StoreError:
                self._book.drop(incident)
                raise
            self._book.changed.discard(incident.number)
            self._note(record_of(incident))
        self._tell("opened", incident)
        return incident

    def views(self) -> tuple[IncidentView, ...]:
        """Return what screens show, of a fleet this engine's incidents first."""
        return everywhere(self.own_views(), self._fleet.incidents() if self._fleet is not None else ())

    def own_views(self) -> tuple[IncidentView, ...]:
        """Return this engine's: open ones gravest and oldest first, then the closed that are new, or new to somebody."""
        now = self._clock.now()
        incidents = self._book.all()
        still = sorted((i for i in incidents if i.closed_at is None), key=lambda i: (-i.severity, i.number))
        over = [i for i in incidents if i.closed_at is not None and (not i.seen or now - i.touched_at < SHOWN_CLOSED_S)]
        return tuple(self.view_of(incident) for incident in [*still, *over[-UNSEEN_SHOWN:]])

    def view_of(self, incident: Incident) -> IncidentView:
        """Return an incident as screens have it."""
        sources = incident.sources
        return IncidentView(
            number=incident.number,
            severity=incident.severity,
            subject=incident.subject,
            text=incident.text,
            opened_at=incident.opened_at,
            closed_at=incident.closed_at,
            do_first=incident.do_first,
            kind=incident.kind,
            owner=incident.owner,
            state=incident.state,
            seen=incident.seen,
            readers=self._readers(incident.symbols),
            snoozed_until=incident.snooze.until if incident.snooze is not None else None,
            muted=self._mutes.cover(incident, self._clock.now()),
            revision=incident.revision,
            joined=max(1, len(incident.members)),
            source=sources[0] if len(sources) == 1 else "",
            job_id=incident.lead.job_id,
            like=incident.lead.like,
        )

    async def prune(self) -> None:
        """Remove what is older than anybody asks for. Raises StoreError."""
        await asyncio.to_thread(self._shelf.prune)

    def _tell(self, what: str, incident: Incident) -> None:
        words = {"opened": incident.text, "closed": "closed itself"}.get(what, f"{what}: {incident.text}")
        grave = what in ("opened", "reopened", "worse")
        readers = self._readers(incident.symbols) if grave else ()
        if readers:
            words += f"; hits {', '.join(readers)}"
        self._chronicle.tell("incident", f"#{incident.number} {incident.subject}: {words}", grave=grave)

    def _pages(self, happened: Sequence[Happening], now: float) -> list[Page]:
        """Decide whom to page for what, and mark it before it is kept, so that a kill cannot make it twice."""
        pages = []
        for incident in self._book.all():
            if incident.state != "open" or incident.severity <= incident.paged_severity or self._mutes.cover(incident, now):
                continue
            shared = incident.lead.like or (self._fleet is not None and incident.kind in OF_THE_FLEET)
            if (shared and now - incident.began_at < GATHER_S) or self._paged_elsewhere(incident):
                continue
            what = "worse" if incident.paged_severity else "opened"
            if self._pager.wants(what, incident.severity):
                paged = replace(incident, paged_severity=incident.severity).told(now, "desk", "paged", what)
                self._book.change(paged)
                pages.append(Page(what, self.view_of(paged)))
        for happening in happened:
            if happening.what == "closed" and happening.incident.paged_severity and self._pager.wants("closed", 2):
                pages.append(Page("closed", self.view_of(happening.incident)))
        return pages

    def _paged_elsewhere(self, incident: Incident) -> bool:
        """Say whether another engine has as grave a part of the same, and pages for it; when it is gone, this one does."""
        if self._fleet is None:
            return False
        own, leads = self.view_of(incident), self._fleet.before
        others = self._fleet.incidents()
        parts = [other for other in others if akin(own, other) and other.closed_at is None and not other.muted]
        return any(part.severity >= own.severity and not leads(part.engine) for part in parts)

    async def _keep_changed(self) -> None:
        for number in sorted(self._book.changed):
            incident = self._book.get(number)
            if incident is None:
                continue
            try:
                await asyncio.to_thread(self._shelf.keep, incident)
            except StoreError as error:
                if not self._keeping_fails:
                    self._chronicle.tell("incident", f"{error.message}; it is held in memory, trying again", grave=True)
                self._keeping_fails = True
                return  # the others would fail alike; a second later they are tried again
            self._keeping_fails = False
            self._book.changed.discard(number)
            self._note(record_of(incident))


def _words(act: AuditLine) -> str:
    change = f"{act.before} -> {act.after}" if act.before else act.after
    return printable(f"{act.target}: {change}{f' ({act.reason})' if act.reason else ''}", LINE_LIMIT)


def _gravest(happened: Sequence[Happening]) -> list[Happening]:
    """Return one happening an incident: forty causes that come in one second are one line of the log."""
    first: dict[int, Happening] = {}
    for happening in sorted(happened, key=lambda h: _GRAVITY.index(h.what)):
        first.setdefault(happening.incident.number, happening)
    return sorted(first.values(), key=lambda h: h.incident.number)


def record_of(incident: Incident) -> IncidentRecord:
    """Return an incident as the metadata has it."""
    return IncidentRecord(
        number=incident.number,
        kind=incident.kind,
        severity=incident.severity,
        subject=incident.subject,
        text=incident.text,
        opened_at=incident.opened_at,
        closed_at=incident.closed_at,
        owner=incident.owner,
        timeline=msgspec.json.encode(incident.timeline).decode(),
    )
