"""Texts that a feed may send to harm a terminal, and views in which every text is one of them.

Run as a program it is the real desk on such a view, for a test that watches what it writes to its terminal.
"""

import asyncio
import itertools
import sys
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.override import OverrideView, ScheduleView
from gexdesk.tui.app import DeskApp

TEXTS = (
    "[/]", "[red", "[bold red]FAKE ALERT[/]", "[@click=app.quit]x[/]", "[link=file:///etc/passwd]x[/link]", "[[", "\\[/",
    "[$primary]x",
    "\x1b[2J\x1b[H", "\x1b[31m", "\x1b]0;owned\x07", "\x1b]0;owned\x1b\\", "\x1b]52;c;cm0gLXJm\x1b\\",
    "\x1b]8;;http://evil\x1b\\t\x1b]8;;\x1b\\", "\x1bP+q544e\x1b\\", "\x1b[6n", "\x1b[c", "\x1b[?1049l", "\x1b[?1000h", "\x1bc",
    "\x1b(0", "\x9b31m", "\x9d0;x\x9c", "\x90q\x9c", "\x00", "\x07", "\x08\x08\x08", "\r\nOK", "\x0b", "\x0c", "\x7f", "\u202eXPS",
    "\u2066x\u2069", "a" + "\u0300" * 500, "\u200b" * 100, "\ufdfd" * 50, "\U0001f469\u200d\U0001f469\u200d\U0001f467",
    "\ud800", "\u2028x",
    "x" * 100_000, "\t" * 1000, "株式会社" * 8, "{0}%s",
)  # fmt: skip
WORDS = {"breaker", "hours", "standing", "why", "state", "kind", "mode"}
"""Fields that hold one of our own words, which the screen looks up."""


def hostile(view: DeskView, text: Callable[[], str]) -> DeskView:
    """Return a view in which every text that could come from outside is a hostile one."""

    def turned(value: Any) -> Any:
        if isinstance(value, Struct):
            changes = {
                name: text() if type(held) is str and name not in WORDS else turned(held)
                for name in value.__struct_fields__
                for held in [getattr(value, name)]
            }
            return replace(value, **changes)
        if isinstance(value, tuple):
            return tuple(text() if type(each) is str else turned(each) for each in value)
        return value

    return turned(view)


def full_view() -> DeskView:
    """Return a view in which nothing is empty that can be drawn."""
    from fake_desk import AT, a_view

    view = a_view(
        pager="failing: x", guidelines_fault="fault", guidelines_author="kd", guidelines_at=AT, replay_position="replay 4x",
        overrides=(OverrideView("symbol", "SPX", "at least HIGH", "kd", "event", AT, None, 2),),
        schedules=(ScheduleView("open", "symbol", "SPX", "HIGH", "open", AT + 60, AT + 900, False, False),),
        incidents=(IncidentView(41, 2, "a", "b", AT, None, "c", owner="d", readers=("e", "f"), source="g"),),
    )  # fmt: skip
    held = {"last_error": "e", "last_refusal": "r", "paused_by": "p", "paused_reason": "q", "override": "o"}
    sources = (replace(view.sources[0], **held), *view.sources[1:])
    symbols = tuple(replace(s, check="FROZEN", check_text="t", standby="s", readers=("r",), flags=("f",)) for s in view.symbols)
    return replace(view, sources=sources, symbols=symbols)


class _Desk:
    def __init__(self, view: DeskView) -> None:
        self._view = view

    async def views(self) -> AsyncIterator[DeskView]:
        yield self._view
        while True:
            await asyncio.sleep(0.25)
            self._view = replace(self._view, sequence=self._view.sequence + 1, taken_at=self._view.taken_at + 0.25)
            yield self._view

    async def look(self, question: Any) -> Any:
        from gexdesk.model.errors import UnknownTarget

        raise UnknownTarget(next(TURN))

    async def pull(self, lever: Any) -> Any:
        from gexdesk.model.lever import LeverOutcome

        return LeverOutcome(False, next(TURN), next(TURN), next(TURN), 0, 1, next(TURN), next(TURN))

    async def stop(self) -> None:
        return


TURN = itertools.cycle(TEXTS if sys.argv[-1] == "hostile" else ("well",))


def main() -> None:
    """Show the desk on a view of such texts until it is left."""
    view = hostile(full_view(), lambda: next(TURN))

    async def connect() -> Any:
        return _Desk(view)

    DeskApp(connect, sample=True, operator="jm").run(mouse=False)


if __name__ == "__main__":
    main()
