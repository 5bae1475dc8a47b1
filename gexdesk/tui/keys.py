"""Every key of the desk, once: the bindings, the line at the bottom and the help come from here."""

from collections.abc import Iterable
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
    Key("enter", "details", "Enter", "open", "open or close everything known about the row"),
    Key("slash", "find", "/", "find", "show only rows that hold a text; Esc clears"),
    Key("f", "faults", "f", "faults", "show only rows with a fault; again shows all"),
    Key("z", "freeze", "z", "freeze", "freeze the picture to read it; the engine goes on"),
    Key("left_square_bracket", "app.wind(-10)", "[ ]", "time", "wind the desk back by 10 s; { by a minute; z is live again", narrow=False),
    Key("right_square_bracket", "app.wind(10)", "]", "", "forward by 10 s; } by a minute"),
    Key("left_curly_bracket", "app.wind(-60)", "{", "", "back by a minute"),
    Key("right_curly_bracket", "app.wind(60)", "}", "", "forward by a minute"),
    Key("1,2,3,4,5,6", "panel", "1-6", "panels", "put a panel away or bring it back", narrow=False),
    Key("i", "page('incidents')", "i", "incidents", "what needs you: take, snooze, note, resolve; with the runbook"),
    Key("g", "page('guidelines')", "g", "rules", "the guidelines: hits, edit, try on the record, apply, roll back", narrow=False),
    Key("w", "page('queue')", "w", "queue", "what waits, in true order", narrow=False),
    Key("t", "theme", "t", "theme", "next theme", narrow=False),
    Key("question_mark,f1", "help", "?", "help", "this help"),
    Key("escape", "back", "Esc", "", "close the details, clear the filter"),
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


LEVER_KEYS = tuple(key for key in KEYS if key.action.startswith("lever("))
"""Keys of the levers that act on what a page is about."""

_EVERYWHERE = ("move(1)", "move(-1)", "move(10)", "move(-10)", "move(-1000000)", "move(1000000)", "find", "freeze", "theme", "help")
PAGE_KEYS = (
    Key("escape", "back", "Esc", "back", "clear the filter, else back to where the page was opened"),
    *(key for key in KEYS if key.action in _EVERYWHERE),
    Key("q", "leave", "q", "quit", "leave the desk: it asks whether the engine goes on"),
)
"""Keys of every page beside the desk."""


def bindings(keys: Iterable[Key] = KEYS, screen: str = "desk") -> list[Binding]:
    """Return Textual's bindings of one screen, each with an id so that a keymap can move it."""
    made = []
    for key in keys:
        if key.action == "panel":
            made += [Binding(n, f"panel({n})", key.says, show=False, id=f"{screen}.panel_{n}") for n in key.keys.split(",")]
        else:
            name = key.action.translate(str.maketrans("('-", "___", "')")).strip("_")
            made.append(Binding(key.keys, key.action, key.says, show=False, id=f"{screen}.{name}"))
    return made
