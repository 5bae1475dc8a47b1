"""The desk as a program: paints first, then starts or finds its engine, and follows it for as long as the operator looks."""

import asyncio
import os
import time
from collections.abc import Awaitable, Callable
from typing import ClassVar

from textual.app import App
from textual.binding import Binding, BindingType
from textual.events import Event, Key, Paste
from textual.screen import Screen

from gexdesk.desk import Desk
from gexdesk.model.errors import EngineAway, GexdeskError
from gexdesk.model.look.history import HistoryLook
from gexdesk.model.text import printable
from gexdesk.model.view.desk import DeskView
from gexdesk.tui import keymap as keymaps
from gexdesk.tui.figures import time_of_day
from gexdesk.tui.house import House, config_folder
from gexdesk.tui.screens.desk import DeskScreen
from gexdesk.tui.screens.staged import Staged
from gexdesk.tui.sight import Sight
from gexdesk.tui.terminal_input import ForgivingDriver
from gexdesk.tui.theme import DEFAULT_THEME, Themes

RETRY_S = (0.25, 0.5, 1.0, 2.0, 5.0)
"""Waits between attempts to reach an engine; the last one repeats."""

COARSE_S = 2.0
"""A picture that is older than what was asked for by more than this is no picture of that second."""

THEMES_EACH_S = 2.0
"""How often the files of themes are looked at."""


class DeskApp(App[int]):
    """Show one engine's desk.

    ``run()`` returns the exit code: 0 when the operator left, None when the desk ended otherwise.

    Args:
        connect: Starts or finds an engine; awaited after the first paint, and again whenever the engine went away.
            May raise any ``GexdeskError``: its message is shown and it is tried again.
        sample: Whether this is the sample desk; said on every screen.
        operator: Who sits here, as the engine will know them.
        clock: Seconds that never go back.
        theme: Name of one of the desk's themes.
        remote: Whether the engine answers from another host.
    """

    TITLE = "gexdesk"
    ENABLE_COMMAND_PALETTE = False
    CSS = "Screen { overflow: hidden hidden; }"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("ctrl+c", "leave", "leave the desk", show=False, priority=True, id="desk.interrupt"),
        Binding("ctrl+q", "leave", "leave the desk", show=False, priority=True, id="desk.quit"),
    ]

    def __init__(
        self,
        connect: Callable[[], Awaitable[Desk]],
        *,
        sample: bool,
        operator: str,
        clock: Callable[[], float] = time.monotonic,
        theme: str = DEFAULT_THEME,
        remote: bool = False,
    ) -> None:
        # Textual picks its filter for NO_COLOR before it knows the theme, and the one for true colours would paint the
        # accent black on black. Asking for terminal colours gets the one that drops colours.
        super().__init__(driver_class=ForgivingDriver, ansi_color=True if os.environ.get("NO_COLOR") else None)
        self.connect = connect
        self.sample = sample
        self.operator = printable(operator, 24)
        self.desk: Desk | None = None
        self.sight = Sight(clock)
        folder = config_folder()
        keymap, self._faults = keymaps.load(folder)
        self.house = House(self.sight, lambda: self.desk, sample, self.operator, keymap, folder, remote)
        self.set_keymap(keymap)
        self._leaving = False
        self._rung: set[str] = set()
        self._told = False
        self._themes = Themes(folder / "themes")
        self._take_themes()
        self.theme = theme

    def get_default_screen(self) -> Screen[None]:
        """Return the desk."""
        return DeskScreen(self.house, self.left)

    @property
    def main(self) -> DeskScreen:
        """Return the desk's screen, whatever stands in front of it."""
        screen = self.screen_stack[0]
        assert isinstance(screen, DeskScreen)
        return screen

    async def on_event(self, event: Event) -> None:
        """Let the screen in front finish with a key before the next one is looked at."""
        if isinstance(event, Key | Paste) and not event.is_forwarded and isinstance(self.screen, Staged):
            self.app_focus = True
            if isinstance(event, Key):
                await self.screen.take_key(event)
            else:
                self.screen.take_paste(event)
        else:
            await super().on_event(event)

    def on_mount(self) -> None:
        """Look for the engine once the first paint is out."""
        self.call_after_refresh(self.run_worker, self.follow, group="follow", exit_on_error=False)
        self.call_after_refresh(self._say_faults)
        self.set_interval(THEMES_EACH_S, self._reload_themes)

    # ------------------------------------------------------------------ the operator's own files
    def _take_themes(self) -> list[str]:
        """Register the themes whose files are new or changed; return their names."""
        fresh = self._themes.news()
        for each in fresh:
            self.register_theme(each)
        return [each.name for each in fresh]

    def _reload_themes(self) -> None:
        """Use a theme as its file has it now."""
        before = dict(self._themes.faults)
        fresh = self._take_themes()
        self._faults += [fault for path, fault in self._themes.faults.items() if before.get(path) != fault]
        if self.theme in fresh:
            self.refresh_css(animate=False)
            self.theme_changed_signal.publish(self.current_theme)
        self._say_faults()

    def _say_faults(self) -> None:
        """Name the first thing that is wrong with the operator's own files, once, on the screen in front."""
        faults, self._faults = [*self._faults, *(self._themes.faults.values() if not self._told else ())], []
        self._told = True
        screen = self.screen
        if faults and isinstance(screen, Staged):
            more = f"   ({len(faults) - 1} more)" if len(faults) > 1 else ""
            screen.notice.say(printable(faults[0]) + more, grave=True)

    def ring(self, view: DeskView) -> None:
        """Ring the terminal's bell, once for each incident that hits readers and that nobody saw."""
        calling = {i.name for i in view.incidents if i.severity > 1 and i.closed_at is None and not i.seen and not i.muted}
        if calling - self._rung:
            self.bell()
        self._rung = calling

    async def follow(self) -> None:
        """Take pictures until the desk is left; say why there are none, and try again."""
        failed = 0
        while True:
            try:
                desk = await self.connect()
                self.desk = desk
                async for view in desk.views():
                    first = self.sight.newest is None
                    failed = 0
                    if self.sight.take(view):
                        self.ring(view)
                    if first:
                        self.main.begin()
                reason = "the engine sends no more pictures"
            except GexdeskError as error:
                reason = error.message
            except Exception as error:
                # Whatever it is, an operator is better served by a desk that says so than by none.
                reason = f"{type(error).__name__}: {error}"
            self.desk = None
            if self._leaving:
                return
            self.sight.away = f"engine away: {printable(reason)}"
            self.main.status.paint()
            self.main.notice.paint()
            await asyncio.sleep(RETRY_S[min(failed, len(RETRY_S) - 1)])
            # While the operator is stopping the engine, to look for one would start another.
            await self.main.leaving.may_connect.wait()
            failed += 1

    def action_leave(self) -> None:
        """Ask about the engine, on the desk itself."""
        self.action_home()
        self.main.action_leave()

    def action_wind(self, by_s: float) -> None:
        """Wind the desk back or forward in recorded history by so many seconds; past its end it is live again."""
        at = (self.sight.frozen_at if self.sight.frozen_at is not None else self.sight.running_now) + by_s
        if by_s > 0 and (not self.sight.wound or at >= self.sight.running_now):
            if self.sight.frozen_at is not None:
                self.sight.thaw()
                self.main.paint_all()
            return
        self.action_wind_to(at)

    def action_wind_to(self, at: float, before: float | None = None) -> None:
        """Show the desk as it was at a time, UTC seconds, on the desk itself; if nothing is of that, as it was ``before``."""
        self.action_home()
        self.run_worker(self._wind_to(at, before), group="wind", exclusive=True, exit_on_error=False)

    async def _wind_to(self, at: float, before: float | None) -> None:
        try:
            if self.desk is None:
                raise EngineAway("no engine answers")
            seen = await self.desk.look(HistoryLook(at=at))
            if before is not None and (not seen.pictures or at - seen.pictures[-1].taken_at > COARSE_S):
                seen = await self.desk.look(HistoryLook(at=before))
        except GexdeskError as error:
            self.main.notice.say(error.message, grave=True)
            return
        if not seen.pictures:
            since = "nothing is recorded yet" if seen.first_at is None else "nothing was recorded then"
            self.main.notice.say(since)
            return
        found = seen.pictures[-1]
        if at - found.taken_at > COARSE_S:
            words = f"the last picture before {time_of_day(int(at))} is of {time_of_day(int(found.taken_at))}"
            self.main.notice.say(f"{words}: one a minute is kept of more than half an hour ago, and of an engine that was killed")
        self.sight.wind(found)
        self.main.cursor.adopt()
        self.main.rearrange()
        self.main.paint_all()

    @property
    def theme_names(self) -> list[str]:
        """Return the desk's themes and the operator's own, the default one first."""
        return self._themes.names

    def action_next_theme(self) -> None:
        """Use the theme after this one."""
        names = self.theme_names
        self.theme = names[(names.index(self.theme) + 1) % len(names)] if self.theme in names else DEFAULT_THEME

    def action_home(self) -> None:
        """Go back to the desk."""
        while len(self.screen_stack) > 1:
            self.pop_screen()

    def left(self) -> None:
        """End the program; what becomes of the engine is its own affair from here on."""
        self._leaving = True
        self.exit(0)
