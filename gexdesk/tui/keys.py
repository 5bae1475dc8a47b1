"""Every key of the desk, once: the bindings, the line at the bottom and the help come from here."""

from collections.abc import Iterable, Mapping
from typing import NamedTuple

from textual.binding import Binding


class Key(NamedTuple):
    """Describe one key.

    Attributes:
        keys: Textual's names, comma-separated.
        action: The screen's action.
        shown: How a person writes it.
        word: One word for the bottom line; empty keeps it out.
        says: What it does.
        acts: Whether it changes something in the engine.
        narrow: Whether the bottom line has it even at 80 columns.
    """

    keys: str
    action: str
    shown: str
    word: str
    says: str
    acts: bool = False
    narrow: bool = True


KEYS = (
    Key("down,j", "move(1)", "down j", "", "move the cursor down"),
    Key("up,k", "move(-1)", "up k", "", "move the cursor up"),
    Key("pagedown", "move(10)", "PgDn", "", "ten rows down"),
    Key("pageup", "move(-10)", "PgUp", "", "ten rows up"),
    Key("home", "move(-1000000)", "Home", "", "first row"),
    Key("end", "move(1000000)", "End", "", "last row"),
    Key("tab,shift+tab", "other_table", "Tab", "table", "cursor to the other table: sources or symbols"),
    Key("enter", "open", "Enter", "open", "open the page of the source or symbol"),
    Key("n", "next_need", "n", "", "cursor to what the gravest incident is about; again: the next one"),
    Key("colon,ctrl+p", "command", ":", "command", "type a command: Tab completes, letters in order find it"),
    Key("d", "compare", "d", "", "lay the symbol's serving source beside another"),
    Key("slash", "find", "/", "find", "show only rows with a text, !without it, ~regular expression; Esc clears"),
    Key("space", "mark", "Space", "", "mark the row: levers and export act on all marked ones; Esc takes the marks back"),
    Key("asterisk", "mark_all", "*", "", "mark every row that the filter lets pass; where all are, take the marks back"),
    Key("y", "copy", "y", "", "copy the row to your own clipboard, through the terminal"),
    Key("f", "faults", "f", "faults", "show only rows with a fault; again shows all"),
    Key("z", "freeze", "z", "freeze", "freeze the picture to read it; the engine goes on"),
    Key("left_square_bracket", "app.wind(-10)", "[ ]", "time", "wind the desk back by 10 s; { a minute; z is now", narrow=False),
    Key("right_square_bracket", "app.wind(10)", "]", "", "forward by 10 s; } by a minute"),
    Key("left_curly_bracket", "app.wind(-60)", "{", "", "back by a minute"),
    Key("right_curly_bracket", "app.wind(60)", "}", "", "forward by a minute"),
    Key("1,2,3,4,5,6", "panel", "1-6", "panels", "put a panel away or bring it back", narrow=False),
    Key("i", "page('incidents')", "i", "incidents", "what needs you: take, snooze, note, resolve; with the runbook"),
    Key("g", "page('guidelines')", "g", "rules", "the guidelines: hits, edit, try on the record, apply, roll back", narrow=False),
    Key("w", "page('queue')", "w", "queue", "what waits, in true order", narrow=False),
    Key("x", "page('dead')", "x", "dead", "the dead letters: what could not be used, and why", narrow=False),
    Key("l", "page('log')", "l", "log", "everything that happened: follow it, filter it, wind it to a time", narrow=False),
    Key("a", "page('audit')", "a", "", "the audit: who did what, and whether its chain holds"),
    Key("e", "engines", "e", "", "the engines of the fleet; where there is one alone, how it works inside: order, slots, stores"),
    Key("m", "page('gaps')", "m", "missing", "the gaps: what is missing, and what can be filled", narrow=False),
    Key("H", "page('handover')", "H", "hand over", "hand the shift over: what the next one has to know", narrow=False),
    Key("t", "theme", "t", "theme", "next theme", narrow=False),
    Key("question_mark,f1", "help", "?", "help", "this help"),
    Key("escape", "back", "Esc", "", "clear the filter, then the marks"),
    Key("plus", "lever('promote')", "+", "", "promote the symbol or source by one level", acts=True),
    Key("minus", "lever('demote')", "-", "", "demote it by one level", acts=True),
    Key("O", "lever('override')", "O", "override", "set its level, over all guidelines", acts=True),
    Key("C", "lever('clear')", "C", "clear", "clear its override", acts=True),
    Key("P", "lever('pause')", "P", "pause", "pause the source; on a paused one: resume it", acts=True),
    Key("R", "lever('resume')", "R", "resume", "resume the source", acts=True),
    Key("F", "lever('failover')", "F", "failover", "serve the symbol from its standby, or another source", acts=True),
    Key("U", "undo", "U", "undo", "take your own last lever back", acts=True),
    Key("K", "kill", "K", "kill", "kill switch: pause every source, or resume them all", acts=True),
    Key("q", "leave", "q", "quit", "leave the desk: it asks whether the engine goes on"),
)


_MOVES = {
    "move(1)": "down", "move(-1)": "up", "move(10)": "page_down", "move(-10)": "page_up", "move(-1000000)": "first",
    "move(1000000)": "last", "app.wind(-10)": "back_10s", "app.wind(10)": "forward_10s", "app.wind(-60)": "back_1m",
    "app.wind(60)": "forward_1m",
}  # fmt: skip
"""Names for a keymap where the action's own says too little."""

LEVER_KEYS = tuple(key for key in KEYS if key.action.startswith("lever("))
"""Keys of the levers that act on what a page is about."""

_EVERYWHERE = (
    "move(1)", "move(-1)", "move(10)", "move(-10)", "move(-1000000)", "move(1000000)", "find", "freeze", "theme", "help", "command",
    "mark", "mark_all", "copy",
)  # fmt: skip
PAGE_KEYS = (
    Key("escape", "back", "Esc", "back", "clear the filter, else back to where the page was opened"),
    *(key for key in KEYS if key.action in _EVERYWHERE),
    *(key._replace(word="") for key in KEYS if key.action == "kill"),
    Key("q", "leave", "q", "quit", "leave the desk: it asks whether the engine goes on"),
)
"""Keys of every page beside the desk."""


def binding_id(key: Key, one: str = "") -> str:
    """Return the name by which a keymap moves a key: its action's, the same on every screen. ``one`` is one digit of panels."""
    if key.action == "panel":
        return f"panel.{one}"
    if key.action in _MOVES:
        return _MOVES[key.action]
    return key.action.removeprefix("app.").translate(str.maketrans("(", ".", "')"))


def bindings(keys: Iterable[Key] = KEYS) -> list[Binding]:
    """Return Textual's bindings of one screen, each with an id so that a keymap can move it."""
    made = []
    for key in keys:
        if key.action == "panel":
            made += [Binding(n, f"panel({n})", key.says, show=False, id=binding_id(key, n)) for n in key.keys.split(",")]
        else:
            made.append(Binding(key.keys, key.action, key.says, show=False, id=binding_id(key)))
    return made


def relabelled(keys: Iterable[Key], keymap: Mapping[str, str]) -> list[Key]:
    """Return keys as they are written where a keymap moves some."""
    return [key._replace(shown=keymap[name].replace(",", " ")) if (name := binding_id(key)) in keymap else key for key in keys]
