"""What operators do about incidents: take, snooze, mute, note, resolve, see, and report one by hand."""

import asyncio
from collections.abc import Callable

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.incident import Incident, Snooze
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.incidents.mutes import TARGET_KINDS, Mutes
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.levers.record import Record
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.text import printable, symbol_of
from gexdesk.model.view.incident import MuteView

SHORTEST_S, LONGEST_S = 1.0, 7 * 86_400.0
NOTE_LIMIT = 300

Step = Callable[[Incident], Incident]


class IncidentLevers:
    """Do it to one incident, or to the maintenance windows. Nobody has to explain that he looks, takes or writes down."""

    verbs = frozenset({Verb.TAKE, Verb.SNOOZE, Verb.MUTE, Verb.NOTE, Verb.RESOLVE, Verb.SEE, Verb.REPORT})

    def __init__(
        self, *, incidents: Incidents, mutes: Mutes, ledger: Ledger, record: Record, chronicle: Chronicle, clock: Clock
    ) -> None:
        self._incidents = incidents
        self._mutes = mutes
        self._ledger = ledger
        self._record = record
        self._chronicle = chronicle
        self._clock = clock

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Do it, or say what it would do; errors as in ``Family.pull``."""
        match lever.verb:
            case Verb.REPORT:
                return await self._report(lever)
            case Verb.MUTE:
                return await self._mute(lever)
            case _:
                return await self._act(lever)

    async def _act(self, lever: Lever) -> LeverOutcome:
        incident = await self._incidents.find(_number(lever))
        target = f"incident {incident.number}"
        if lever.verb is Verb.SEE and incident.seen:
            return LeverOutcome(True, f"{target} was seen already", incident.state, incident.state, 0, incident.revision)
        if lever.verb not in (Verb.SEE, Verb.NOTE):
            self._record.unchanged(lever, target, incident.revision)
        step = self._step(lever, incident)
        before, after = _words(incident), _words(step(incident))
        if lever.verb is Verb.NOTE:
            after = printable(lever.text, NOTE_LIMIT)
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", before, after, 0, incident.revision)
        async with self._record.of(lever, target, before, after):
            changed = await self._incidents.change(incident.number, step)
        words = f"{lever.actor} {lever.verb} #{incident.number}: {after}{f' ({lever.reason})' if lever.reason else ''}"
        if lever.verb is not Verb.SEE:
            self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, 0, changed.revision)

    def _step(self, lever: Lever, incident: Incident) -> Step:
        """Return what a lever makes of an incident. Raises LeverRefused where it makes nothing of this one."""
        now, who, name = self._clock.now(), lever.actor, f"incident {incident.number}"
        match lever.verb:
            case Verb.TAKE:
                if incident.closed_at is not None:
                    raise LeverRefused(f"{name} is {incident.state}: there is nothing to take")
                if incident.owner == who:
                    raise LeverRefused(f"{name} is yours already")
                was = f"from {incident.owner}" if incident.owner else ""
                return _changed(now, who, "take", was, owner=who)
            case Verb.SNOOZE:
                if incident.closed_at is not None:
                    raise LeverRefused(f"{name} is {incident.state}: there is nothing to snooze")
                if lever.for_s == 0:
                    if incident.snooze is None:
                        raise LeverRefused(f"{name} is not snoozed")
                    return _changed(now, who, "snooze", "ended", snooze=None)
                until = None if lever.for_s is None else now + _bounded(lever)
                span = "until it gets worse" if lever.for_s is None else f"for {lever.for_s:.0f} s"
                return _changed(now, who, "snooze", f"{span}: {lever.reason}", snooze=Snooze(until))
            case Verb.NOTE:
                text = printable(lever.text, NOTE_LIMIT)
                if not text:
                    raise LeverRefused("a note needs words")
                return lambda i: i.told(now, who, "note", text)
            case Verb.RESOLVE:
                if incident.closed_at is not None:
                    raise LeverRefused(f"{name} is {incident.state} already")
                return _changed(now, who, "resolve", lever.reason, closed_at=now, resolved=True, snooze=None)
            case _:
                return lambda i: replace(i, seen=True).told(now, who, "see")

    async def _report(self, lever: Lever) -> LeverOutcome:
        text = printable(lever.text, NOTE_LIMIT)
        if not text:
            raise LeverRefused("say in a line what is wrong")
        symbol = _symbol(lever.target) if lever.target else ""
        condition = Condition(
            kind=Kind.REPORTED, key="", severity=2 if symbol else 1, subject=symbol or "desk", text=text,
            do_first="see its notes; resolve it when it is over", symbols=(symbol,) if symbol else (),
        )  # fmt: skip
        if lever.dry_run:
            return LeverOutcome(False, "nothing sent", "", "taken", 0, 0)
        async with self._record.of(lever, symbol or "desk", "", text):
            incident = await self._incidents.report(condition, lever.actor)
        return LeverOutcome(True, f"{lever.actor} reported #{incident.number}: {text}", "", _words(incident), 0, incident.revision)

    async def _mute(self, lever: Lever) -> LeverOutcome:
        now = self._clock.now()
        target_kind, target = await self._muted(lever)
        name = f"{target_kind} {target}"
        found = self._mutes.find(target_kind, target, now)
        before = "paging" if found is None else f"muted by {found.author}"
        if lever.for_s is None:
            raise LeverRefused("a maintenance window needs an end: say for how long")
        if lever.for_s == 0 and found is None:
            raise LeverRefused(f"{name} is not muted")
        after = f"muted for {_bounded(lever):.0f} s" if lever.for_s else "paging"
        if lever.dry_run:
            helps = f"nobody is paged for {name}; it is shown as muted" if lever.for_s else f"{name} pages again"
            costs = f"whatever else goes wrong with {name} pages nobody either" if lever.for_s else ""
            return LeverOutcome(False, "nothing sent", before, after, 0, 1, helps, costs)
        async with self._record.of(lever, name, before, after):
            if lever.for_s:
                mute = MuteView(target_kind, target, lever.actor, lever.reason, now, now + lever.for_s)
                await asyncio.to_thread(self._mutes.begin, mute, now)
            else:
                await asyncio.to_thread(self._mutes.end, target_kind, target, now)
        words = f"{lever.actor} mute {name}: {after} ({lever.reason})"
        self._chronicle.tell("lever", words)
        return LeverOutcome(True, words, before, after, 0, 1)

    async def _muted(self, lever: Lever) -> tuple[str, str]:
        """Return what a window is for: the target by its kind and name."""
        kind, target = lever.target_kind, lever.target
        if kind == "incident":
            incident = await self._incidents.find(_number(lever))
            if len(incident.sources) > 1 and incident.vendor:
                kind, target = "vendor", incident.vendor
            elif len(incident.sources) > 1 and len(incident.symbols) == 1:
                kind, target = "symbol", incident.symbols[0]
            elif incident.sources:
                kind, target = "source", incident.sources[0]
            elif len(incident.symbols) == 1:
                kind, target = "symbol", incident.symbols[0]
            else:
                raise LeverRefused(f"incident {incident.number} is about no source and no symbol: snooze it")
        if kind not in TARGET_KINDS:
            raise LeverRefused(f"a {printable(kind, 20)} cannot be muted; {', '.join(TARGET_KINDS)} and incident can")
        if kind == "symbol":
            return kind, _symbol(target)
        known = [a.name if kind == "source" else a.vendor for a in self._ledger.all()]
        if target not in known and self._mutes.find(kind, target, self._clock.now()) is None:  # one that is on can be ended
            there = ", ".join(list(dict.fromkeys(filter(None, known)))[:8])
            raise UnknownTarget(f"no {kind} is named {printable(target, 40)!r}; there are {there}")
        return kind, target


def _changed(at: float, who: str, what: str, text: str, **fields: object) -> Step:
    """Return a step that changes fields, counts as a revision and as seen, and is told in the timeline."""
    return lambda i: replace(i, seen=True, revision=i.revision + 1, **fields).told(at, who, what, text)


def _number(lever: Lever) -> int:
    if lever.target_kind != "incident":
        raise LeverRefused(f"{lever.verb} acts on incidents, not on a {printable(lever.target_kind, 20)}")
    if not lever.target.isdecimal() or len(lever.target) > 9:
        raise UnknownTarget(f"{printable(lever.target, 20)!r} is no number of an incident")
    return int(lever.target)


def _bounded(lever: Lever) -> float:
    if lever.for_s is None or not SHORTEST_S <= lever.for_s <= LONGEST_S:
        raise LeverRefused(f"{SHORTEST_S:g} s to {LONGEST_S / 86_400:g} days can be asked for; not {lever.for_s} s")
    return lever.for_s


def _symbol(text: str) -> str:
    symbol = symbol_of(text)
    if symbol is None:
        raise UnknownTarget(f"{printable(text, 40)!r} is no symbol")
    return symbol


def _words(incident: Incident) -> str:
    return f"{incident.state} by {incident.owner}" if incident.owner else incident.state
