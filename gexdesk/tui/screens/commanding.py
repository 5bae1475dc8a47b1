"""Do what was typed after ``:`` on any screen: open a page, a lever's dialog, or change what is seen."""

import re
from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from pathlib import Path

from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Verb
from gexdesk.model.view.desk import DeskView
from gexdesk.tui import export, figures, saved
from gexdesk.tui.commands import FORMATS, Command, Words, read
from gexdesk.tui.forms.aim import Aim, at_incident, at_symbol, lever_on_source, lever_on_symbol
from gexdesk.tui.screens.staged import Staged
from gexdesk.tui.widgets.needs import needing

_TIME = re.compile(r"([01]?\d|2[0-3]):([0-5]\d)(?::([0-5]\d))?")
_BY_NAME = {
    "backfill": (Verb.BACKFILL, "gap"), "cancel": (Verb.CANCEL, "job"), "retry": (Verb.RETRY, "dead"),
    "discard": (Verb.DISCARD, "dead"),
}  # fmt: skip
_ON_INCIDENTS = {"take": Verb.TAKE, "snooze": Verb.SNOOZE, "resolve": Verb.RESOLVE}


def words(screen: Staged) -> Words:
    """Return what arguments can be at this moment."""
    view = screen.sight.shown
    if view is None:
        return {}
    return {
        "symbol": [s.symbol for s in view.symbols],
        "source": [s.name for s in view.sources],
        "incident": [i.name for i in needing(view, screen.sight.now)],
        "theme": screen.app.theme_names,  # type: ignore[attr-defined]
        "view": [*saved.names(screen.house.config), saved.SAVE],
    }


def run(screen: Staged, line: str) -> None:
    """Do what a line says; what is wrong with it is said in the notice."""
    try:
        command, arguments = read(line)
        _do(screen, command, arguments)
    except ValueError as error:
        screen.notice.say(str(error), grave=True)


def _do(screen: Staged, command: Command, arguments: list[str]) -> None:
    if command.page:
        screen.open_page(command.page, *_subject(screen, command, arguments))
    elif command.acts:
        _lever(screen, command.name, arguments)
    else:
        _LOOKS[command.name](screen, arguments)


def _subject(screen: Staged, command: Command, arguments: list[str]) -> list[str]:
    """Return what a page is about, as the engine writes it."""
    if not arguments:
        return []
    kind, given = command.arguments[0].kind, arguments[0]
    return [_known(given, words(screen).get(kind, ()), kind)] if kind in ("symbol", "source", "incident") else [given]


def _known(given: str, names: Sequence[str], kind: str) -> str:
    """Return the name that is meant: the very same one before one in another case. Raises ValueError where there is none."""
    bare = given.removeprefix("#")
    alike = (name for name in names if name.casefold() == bare.casefold())
    found = next((name for name in (given, bare) if name in names), None) or next(alike, None)
    if found is None:
        known = " ".join(names[:6]) + (" ..." if len(names) > 6 else "")
        raise ValueError(f"no {kind} {given} is known here{': ' + known if names else ''}")
    return found


# ---------------------------------------------------------------------- levers
def _lever(screen: Staged, name: str, arguments: list[str]) -> None:
    view, levers = screen.sight.shown, screen.levers
    if name == "kill":
        levers.open_kill()
        return
    if name == "undo":
        levers.open_at(Verb.UNDO, Aim("", "", "your own last lever"))
        return
    if view is None:
        raise ValueError("no picture of the engine yet")
    if name in _BY_NAME:
        verb, kind = _BY_NAME[name]
        levers.open_at(verb, Aim(kind, arguments[0], f"{arguments[0]} ({'dead letter' if kind == 'dead' else kind})"))
    elif name in _ON_INCIDENTS:
        wanted = _known(arguments[0], [i.name for i in view.incidents], "incident")
        levers.open_at(_ON_INCIDENTS[name], at_incident(next(i for i in view.incidents if i.name == wanted)))
    elif name == "apply":
        if not view.guidelines_staged:
            raise ValueError("no guidelines are staged: :rules, then e edits, and what you save is staged")
        levers.open_at(Verb.APPLY, _guidelines(view, f"guidelines {view.guidelines_staged}"))
    elif name == "rollback":
        aim = _guidelines(view, f"guidelines from {view.guidelines_version}", to=arguments[0])
        levers.open_at(Verb.ROLLBACK, aim)
    elif name == "failover":
        _failover(screen, view, arguments)
    else:
        _on_target(screen, view, Verb(name), arguments)


def _guidelines(view: DeskView, words: str, to: str = "") -> Aim:
    choices = (to,) if to else ()
    return Aim("guidelines", "", words, state=view.guidelines_version, revision=view.guidelines_revision, choices=choices)


def _failover(screen: Staged, view: DeskView, arguments: list[str]) -> None:
    name = _known(arguments[0], [s.symbol for s in view.symbols], "symbol")
    aim = at_symbol(next(s for s in view.symbols if s.symbol == name), Verb.FAILOVER, view)
    if not aim.choices:
        raise ValueError(f"{name} has no other source")
    if len(arguments) > 1:
        aim = replace(aim, to=_known(arguments[1], aim.choices, f"other source of {name}"))
    screen.levers.open_at(Verb.FAILOVER, aim)


def _on_target(screen: Staged, view: DeskView, verb: Verb, arguments: list[str]) -> None:
    level = _level(arguments[1]) if len(arguments) > 1 else None
    symbols = {s.symbol: s for s in view.symbols} if verb not in (Verb.PAUSE, Verb.RESUME) else {}
    sources = {s.name: s for s in view.sources}
    name = _known(arguments[0], [*symbols, *sources], "source" if not symbols else "source or symbol")
    if verb is Verb.PAUSE and sources[name].paused_by:
        raise ValueError(f"{name} is paused already, by {sources[name].paused_by}")
    symbol = symbols.get(name)
    aimed = lever_on_symbol(verb, symbol, view) if symbol is not None else lever_on_source(verb, sources[name], view)
    if isinstance(aimed, str):
        raise ValueError(aimed)
    screen.levers.open_at(*aimed, to=level)


def _level(word: str) -> Level:
    found = next((level for level in LEVELS if level.casefold() == word.casefold()), None)
    if found is None:
        raise ValueError(f"no level {word}: {', '.join(LEVELS)}")
    return found


# ---------------------------------------------------------------------- looking
def _at(screen: Staged, arguments: list[str]) -> None:
    found = _TIME.fullmatch(arguments[0])
    if found is None:
        raise ValueError(f"a time is 09:31 or 09:31:05, New York; not {arguments[0]}")
    now = datetime.fromtimestamp(screen.sight.running_now, figures.NEW_YORK)
    then = now.replace(hour=int(found[1]), minute=int(found[2]), second=int(found[3] or 0), microsecond=0)
    # What is still to come today was yesterday.
    then = then if then <= now else then - timedelta(days=1)
    screen.app.action_wind_to(then.timestamp())  # type: ignore[attr-defined]


def _now(screen: Staged, arguments: list[str]) -> None:
    if screen.sight.frozen_at is not None:
        screen.action_freeze()


def _theme(screen: Staged, arguments: list[str]) -> None:
    screen.app.theme = _known(arguments[0], screen.app.theme_names, "theme")  # type: ignore[attr-defined]


def _view(screen: Staged, arguments: list[str]) -> None:
    desk, folder = screen.app.main, screen.house.config  # type: ignore[attr-defined]
    first, _, name = arguments[0].partition(" ")
    if first == saved.SAVE:
        try:
            screen.notice.say(f"kept as {saved.save(folder, name.strip(), desk.arrangement())}")
        except OSError as error:
            raise ValueError(f"the view was not kept: {error}") from None
        return
    arrangement = saved.load(folder, arguments[0])
    screen.app.action_home()  # type: ignore[attr-defined]
    desk.use(arrangement)


def _export(screen: Staged, arguments: list[str]) -> None:
    form = _known(arguments[0], FORMATS, "format")
    table = screen.rows()
    names = (table.chosen if table.marked else table.rows) if table is not None else []
    rows = [record for name in names if table is not None and (record := table.record(name)) is not None]
    if table is None or not rows:
        raise ValueError("this screen has no table with rows to write")
    named = f"gexdesk-{table.id}-{figures.stamp(screen.sight.now)}.{form}"
    path = Path(arguments[1] if len(arguments) > 1 else named).expanduser().absolute()
    try:
        export.write(path, rows, form)
    except FileExistsError:
        raise ValueError(f"{path} is there already: nothing is overwritten; give another name") from None
    except OSError as error:
        raise ValueError(f"{path} was not written: {error.strerror}") from None
    screen.notice.say(f"{figures.many(len(rows), 'row')} written to {path}")


_LOOKS: dict[str, Callable[[Staged, list[str]], None]] = {
    "at": _at,
    "now": _now,
    "theme": _theme,
    "view": _view,
    "export": _export,
    "help": lambda screen, _: screen.action_help(),
    "quit": lambda screen, _: screen.action_leave(),
}
