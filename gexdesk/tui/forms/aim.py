"""What a lever is aimed at, as its operator saw it at the keypress: fixed from then on."""

import re
from dataclasses import dataclass, replace

from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.look.queue import JobView
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.source import SourceView
from gexdesk.model.view.symbol import SymbolView
from gexdesk.tui import figures

LEVEL_VERBS = (Verb.PROMOTE, Verb.DEMOTE, Verb.OVERRIDE)
"""Levers that set a level."""

ON_SOURCES = (Verb.PAUSE, Verb.RESUME)
"""Levers that act on a source even where the row is a symbol's: on the one that serves it."""

_LEVER = re.compile(rf"(.{{1,60}}?) (?:{'|'.join(Verb)}) ")
"""How an event tells who pulled which lever."""


@dataclass(frozen=True)
class Aim:
    """Name one target.

    Attributes:
        kind: As ``Lever.target_kind``.
        name: As ``Lever.target``.
        words: As the dialog's title has it, e.g. ``SPX (symbol, serving gexbot-spx)``.
        level: The level in force; None where it has none.
        state: How it stands, in a word or two.
        revision: What the lever names as seen; None where the engine counts none.
        readers: Who reads what it acts on.
        choices: What ``Lever.to`` may be, the first one proposed.
        to: The one of them that is chosen, by name: their order changes. Empty while none is.
        text: What is handed in with the lever.
        engine: As ``Lever.engine``.
    """

    kind: str
    name: str
    words: str
    level: Level | None = None
    state: str = ""
    revision: int | None = None
    readers: tuple[str, ...] = ()
    choices: tuple[str, ...] = ()
    to: str = ""
    text: str = ""
    engine: str = ""

    def changed(self, view: DeskView) -> str:
        """Say how it stands now where somebody changed it meanwhile; empty where it is as it was seen."""
        now = self.again(view)
        if now is None:
            return "meanwhile the engine no longer knows it"
        # What serves a symbol counts for failover alone: its own level holds whatever serves it.
        served_otherwise = self.kind == "symbol" and bool(self.choices) and now.state != self.state
        if now.revision == self.revision and not served_otherwise:
            return ""
        by = self._changed_by(view)
        stands = ", ".join(filter(None, (now.level or "", now.state)))
        return f"meanwhile changed{' by ' + by if by else ''}: now {stands or 'as the guidelines decide'}"

    def again(self, view: DeskView) -> "Aim | None":
        """Return the same target as it stands in another picture; None where it is gone. A target of no picture is as it was.

        What was chosen stays chosen while it is among the choices, wherever it stands there now.
        """
        match self.kind:
            case "source":
                source = next((s for s in view.sources if s.name == self.name), None)
                return replace(at_source(source), words=self.words, readers=self.readers) if source is not None else None
            case "symbol":
                symbol = next((s for s in view.symbols if s.symbol == self.name), None)
                if symbol is None:
                    return None
                now = at_symbol(symbol, Verb.FAILOVER if self.choices else Verb.OVERRIDE, view)
                return replace(now, to=self.to if self.to in now.choices else "")
            case "incident":
                incident = self._incident(view)
                return replace(at_incident(incident), words=self.words) if incident is not None else None
            case "guidelines":
                return replace(self, revision=view.guidelines_revision, state=view.guidelines_version)
        return self

    def _changed_by(self, view: DeskView) -> str:
        """Return who pulled the last lever on it, as the events or what is in force tell it; empty where neither does."""
        named = re.compile(rf"(?<![\w-]){re.escape(f'#{self.name}' if self.kind == 'incident' else self.name)}(?![\w-])")
        for line in sorted(view.log if not self.engine else (), key=lambda line: -line.sequence):
            if line.kind == "lever" and named.search(line.text) and (found := _LEVER.match(line.text)):
                return found[1]
        match self.kind:
            case "source":
                source = next((s for s in view.sources if s.name == self.name), None)
                return (source.override_by or source.paused_by) if source is not None else ""
            case "symbol":
                return next((o.author for o in view.overrides if (o.kind, o.target) == ("symbol", self.name)), "")
            case "incident":
                return incident.owner if (incident := self._incident(view)) is not None else ""
            case "guidelines":
                return view.guidelines_author
        return ""

    def _incident(self, view: DeskView) -> IncidentView | None:
        return next((i for i in view.incidents if (i.engine, str(i.number)) == (self.engine, self.name)), None)


def at_source(source: SourceView, serves: str = "", readers: tuple[str, ...] = ()) -> Aim:
    """Aim at a source; ``serves`` is the symbol whose row was under the cursor."""
    words = source.name + (f" (source serving {serves})" if serves else " (source)")
    state = f"paused by {source.paused_by}" if source.paused_by else source.state
    return Aim("source", source.name, words, source.level, state, source.revision, readers)


def at_symbol(symbol: SymbolView, verb: Verb, view: DeskView) -> Aim:
    """Aim at a symbol: its override in force has the revision that levels are compared by, its serving source another."""
    serving = f", serving {symbol.served_by}" if symbol.served_by else ""
    words = f"{symbol.symbol} (symbol{serving})"
    if verb is Verb.FAILOVER:
        able = [s for s in view.sources if symbol.symbol in s.carries.split() and not s.historical]
        others = [s.name for s in able if s.name != symbol.served_by]
        choices = tuple(dict.fromkeys(([symbol.standby] if symbol.standby else []) + others))
        return Aim("symbol", symbol.symbol, words, None, symbol.served_by, symbol.revision, symbol.readers, choices)
    held = next((o for o in view.overrides if (o.kind, o.target) == ("symbol", symbol.symbol)), None)
    revision = held.revision if held is not None else None
    return Aim("symbol", symbol.symbol, words, symbol.level, symbol.served_by, revision, symbol.readers)


def at_job(job: JobView) -> Aim:
    """Aim at one queued job."""
    return Aim("job", job.job_id, f"{job.symbol or 'several symbols'} of {job.source} (one job)", job.level, "queued")


def at_incident(incident: IncidentView) -> Aim:
    """Aim at an incident, of whichever engine."""
    words = f"#{incident.number} {incident.subject}{f' on {incident.engine}' if incident.engine else ''}"
    return Aim(
        "incident", str(incident.number), words, None, incident.state, incident.revision, incident.readers, engine=incident.engine
    )


Aimed = tuple[Verb, Aim] | str
"""The lever that a key means on what is under the cursor, and its target; or why there is none."""


def lever_on_source(verb: Verb, source: SourceView, view: DeskView, serves: SymbolView | None = None) -> Aimed:
    """Return the lever that a key means on a source as the picture has it; ``serves`` is the symbol whose row was under the cursor.

    The pause key lets a paused source run again; the resume key never pauses, also where it is the kill switch that holds it.
    """
    served = [s for s in view.symbols if s.served_by == source.name]
    if verb is Verb.FAILOVER:
        if len(served) == 1:
            return lever_on_symbol(verb, served[0], view)
        what = f"serves {figures.many(len(served), 'symbol')}" if served else "serves nothing now"
        return f"{source.name} {what}: failover acts on symbols; in the desk's table of symbols / {source.name} finds them"
    if verb is Verb.PAUSE and source.paused_by:
        verb = Verb.RESUME
    elif verb is Verb.RESUME and not source.paused_by:
        return "everything is stopped: K starts it again" if view.stopped else f"{source.name} is not paused"
    elif verb is Verb.CLEAR and not source.override:
        return f"{source.name} has no override"
    if serves is not None:
        return verb, at_source(source, serves.symbol, serves.readers)
    return verb, at_source(source, readers=tuple(dict.fromkeys(reader for symbol in served for reader in symbol.readers)))


def lever_on_symbol(verb: Verb, symbol: SymbolView, view: DeskView) -> Aimed:
    """Return the lever that a key means on a symbol as the picture has it: a pause is of the source that serves it."""
    name = symbol.symbol
    if verb in ON_SOURCES:
        if not symbol.served_by:
            return f"nothing serves {name}"
        source = next((s for s in view.sources if s.name == symbol.served_by), None)
        if source is None:
            return f"the engine no longer knows {symbol.served_by}"
        return lever_on_source(verb, source, view, symbol)
    if verb is Verb.CLEAR and not any((o.kind, o.target) == ("symbol", name) for o in view.overrides):
        return f"{name} has no override of its own"
    aim = at_symbol(symbol, verb, view)
    return f"{name} has no other source" if verb is Verb.FAILOVER and not aim.choices else (verb, aim)


ABOUT_SYMBOLS = ("symbol_frozen", "symbol_silent", "symbol_missing", "quarantine", "disagree")
"""Kinds of incidents that are about a symbol first, whatever its source."""


def symbol_about(incident: IncidentView, view: DeskView) -> SymbolView | None:
    """Return the symbol that an incident is about; None where it is about a source, or about several symbols."""
    named = incident.subject if incident.subject != incident.source else ""
    return next((s for s in view.symbols if s.symbol == named), None)


def lever_on_incident(verb: Verb, incident: IncidentView, view: DeskView) -> Aimed:
    """Return the lever that a key means on what an incident is about: a pause is of its source, all else of its symbol, if any."""
    symbol = symbol_about(incident, view)
    source = next((s for s in view.sources if s.name == (incident.source or incident.subject)), None)
    if source is not None and (verb in ON_SOURCES or symbol is None):
        return lever_on_source(verb, source, view, symbol if symbol is not None and symbol.served_by == source.name else None)
    if symbol is not None:
        return lever_on_symbol(verb, symbol, view)
    return f"#{incident.number} is about no single source or symbol: Esc, and the cursor to the row that you mean"


def compared(name: str, view: DeskView) -> str:
    """Return the symbol to lay side by side for a row: a symbol's own, or the only one that a source carries; else empty."""
    if any(s.symbol == name for s in view.symbols):
        return name
    carried = next((s.carries.split() for s in view.sources if s.name == name), [])
    found = [s.symbol for s in view.symbols if s.served_by == name or s.symbol in carried]
    return found[0] if len(found) == 1 else ""
