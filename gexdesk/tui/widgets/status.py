"""The two lines on top: whose engine, what time, how old; what is in force and how the promises are kept."""

from collections.abc import Iterable

from gexdesk.model.view import DeskView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.sources import override_words, short_override

STORE_LAG_SHOWN_S = 2.0


class StatusPane(Pane):
    """Draw the two status lines."""

    def __init__(self, id: str, sight: Sight, sample: bool, operator: str) -> None:
        super().__init__(id, sight)
        self.sample = sample
        self.operator = operator

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the clock line or the line of what is in force."""
        view = self.sight.shown
        width = self.size.width
        if y == 0:
            return self._ends(self._who(view), self._age(), width)
        if view is None:
            if self.sight.away:
                return ((f" ! {self.sight.away}; trying again", "eye"),)
            return ((" looking for the engine ...", "bold"),)
        promises = self._promises(view)
        return self._ends(self._in_force(view, width - sum(width_of(text) for text, _ in promises) - 3), promises, width)

    def _ends(self, left: list[Run], right: list[Run], width: int) -> list[Run]:
        room = width - sum(width_of(text) for text, _ in right) - 1
        runs: list[Run] = []
        for text, ink in left:
            if width_of(text) > room:
                runs.append((fit(text, room), ink))
                room = 0
                break
            runs.append((text, ink))
            room -= width_of(text)
        return [*runs, (" " * (room + 1), ""), *right]

    def _who(self, view: DeskView | None) -> list[Run]:
        runs: list[Run] = [(" ", "")]
        if self.sample or (view is not None and view.mode == "sample"):
            runs += [("SAMPLE", "badge"), (" ", "")]
        if view is None:
            return [*runs, ("gexdesk", "bold"), (f"  desk {self.operator}", "")]
        wide = self.size.width >= 120
        if view.replay_position:
            place = view.replay_position if wide else view.replay_position.removeprefix("replay ").replace(" of ", "/")
            runs.append((f" {place}  " if wide else f"{place}  ", ""))
        clock = int(self.sight.now)
        if wide:
            runs += [("  desk ", "faint"), (self.operator, "bold"), ("     ", "")]
            runs += [(figures.day_and_time(clock), "bold"), (" New York", "faint"), (f", {view.session}", "")]
        else:
            runs += [(f"{self.operator}  {figures.time_of_day(clock)}", "bold"), (" NY", "faint"), (f"  {view.session}", "")]
        return runs

    def _age(self) -> list[Run]:
        sight = self.sight
        if sight.frozen_at is not None:
            old = sight.running_now - sight.frozen_at
            # Coarse on purpose: a frozen screen sends next to nothing.
            ago = "under a minute" if old < 60 else figures.age(old)
            if sight.wound:
                return [(f" HISTORY {figures.time_of_day(int(sight.frozen_at))}, {figures.age(old)} back; z returns ", "badge")]
            return [(f"FROZEN {figures.time_of_day(int(sight.frozen_at))}, {ago} old", "badge"), (" ", "")]
        if sight.newest is None:
            return [("no picture yet ", "faint")]
        behind = figures.age(sight.behind_s)
        if sight.away:
            return [(f"! engine away, picture {behind} old ", "eye")]
        if sight.old:
            return [(f"! engine silent, picture {behind} old ", "eye")]
        return [(f"{behind} behind ", "")]

    def _promises(self, view: DeskView) -> list[Run]:
        kept, total = view.promises_kept, view.promises_total
        wide = self.size.width >= 100
        runs: list[Run] = []
        if view.store_lag_s > STORE_LAG_SHOWN_S:
            runs.append((f"! store {figures.age(view.store_lag_s)} behind  ", "eye"))
        of = f"{figures.count(kept)}{' of ' if wide else '/'}{figures.count(total)}"
        runs += [("PROMISES ", "faint"), (of, "eye" if kept < total else "")]
        if kept < total:
            runs.append((f" ! {figures.count(total - kept)} late", "eye"))
        return [*runs, ("  worst ", "faint"), (f"{figures.latency(view.worst_critical_s)} ", "")]

    def _in_force(self, view: DeskView, room: int) -> list[Run]:
        runs: list[Run] = [(" IN FORCE  ", "faint")]
        if view.stopped:
            who = self.sight.stopped_by()
            return [*runs, (fit(f"! EVERYTHING STOPPED{' by ' + who if who else ''}", max(8, room - 11)).rstrip(), "eye")]
        acts: list[Run] = []
        for source in view.sources:
            if words := override_words(source, view.taken_at):
                acts.append((f"{source.name} {words if self.size.width >= 100 else short_override(words)}", "bold"))
            if source.paused_by:
                acts.append((f"{source.name} PAUSED {source.paused_by}", "bold"))
        if not acts:
            return [*runs, ("nothing", "")]
        left = room - len(" IN FORCE  ")
        for index, (text, ink) in enumerate(acts):
            after = len(acts) - index - 1
            spare = len(f"   {after} more") if after else 0
            if index and width_of(text) + spare > left:
                return [*runs, (f"{after + 1} more", "bold")]
            shown = fit(text, min(width_of(text), max(8, left - spare)))
            runs += [(shown, ink), ("   ", "")]
            left -= width_of(shown) + 3
        return runs
