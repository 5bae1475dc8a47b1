"""The two lines on top: whose engine, what time, how old; what is in force and how the promises are kept."""

from collections.abc import Callable, Iterable

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.engine import BoundView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, fit_middle, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.sources import short_override

STORE_LAG_SHOWN_S = 2.0
OVERS_NAMED = 3
"""More symbols than these that their standby serves are counted."""


class StatusPane(Pane):
    """Draw the two status lines.

    Args:
        page_at: Returns of which moment the page below is, UTC seconds, where that is not the picture's; else None.
        engine: Whose page it is, where that is another engine than the one that answers.
    """

    def __init__(
        self, id: str, sight: Sight, sample: bool, operator: str, *, page_at: Callable[[], float | None] = lambda: None,
        engine: str = "",
    ) -> None:
        super().__init__(id, sight)
        self.sample = sample
        self.operator = operator
        self._page_at = page_at
        self._engine = engine

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
        if self._engine:
            name = figures.engine(self._engine, [engine.engine_id for engine in view.engines])
            runs += [(f"OF {name}", "badge"), (" ", "")]
        if view.read_only:
            runs += [("READ-ONLY", "badge"), (" ", "")]
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
        if sight.frozen_at is not None and (at := self._page_at()) is not None:
            stands = f"{'HISTORY' if sight.wound else 'FROZEN'} {figures.time_of_day(int(sight.frozen_at))}"
            return [(f"{stands}, this page is of now, {figures.time_of_day(int(at))}", "badge"), (" ", "")]
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
        return [*self._pager(), (f"{behind} behind ", "")]

    def _pager(self) -> list[Run]:
        view = self.sight.shown
        if view is None or (view.pager in ("-", "ok") and self.size.width < 120):
            return []
        if view.pager in ("-", "ok"):
            return [("pager ", "faint"), (view.pager, ""), ("   ", "")]
        return [("! pager failing" if self.size.width < 120 else fit_middle(f"! pager {view.pager}", 40), "eye"), ("   ", "")]

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
        runs += [("  worst ", "faint"), (figures.latency(view.worst_critical_s), "")]
        if view.bound is not None and wide:
            runs.append(("  bound ", "faint"))
            runs.append(bound_run(view.bound))
        return [*runs, (" ", "")]

    def _in_force(self, view: DeskView, room: int) -> list[Run]:
        """Say what operators and schedules hold in force, then what arms next; what does not fit is counted."""
        runs: list[Run] = [(" IN FORCE  ", "faint")]
        if view.stopped:
            who = view.stopped_by
            return [*runs, (fit(f"! EVERYTHING STOPPED{' by ' + who if who else ''}", max(8, room - 11)).rstrip(), "eye")]
        following = next_words(view, self.sight.now)
        left = room - width_of(" IN FORCE  ")
        # What is in force comes before what will be: the next schedule has what room is left.
        shown = self._acts(acts(view, short=self.size.width < 100), left)
        left -= sum(width_of(text) for text, _ in shown)
        runs += shown or [("nothing", "")]
        if following and left >= width_of(following) + 9:
            runs += [("   NEXT  ", "faint"), (following, "")]
        return runs

    def _acts(self, acts: list[str], left: int) -> list[Run]:
        runs: list[Run] = []
        for index, text in enumerate(acts):
            after = len(acts) - index - 1
            gap = "   " if index else ""
            spare = len(f"   {after} more") if after else 0
            if index and len(gap) + width_of(text) + spare > left:
                return [*runs, (f"   {after + 1} more", "bold")]
            shown = fit(text, min(width_of(text), max(8, left - spare - len(gap))))
            runs += [(gap, ""), (shown, "bold")]
            left -= width_of(shown) + len(gap)
        return runs


def acts(view: DeskView, short: bool) -> list[str]:
    """Say in words, one each, what is in force: pauses, overrides, those without an end first, then fail-overs.

    Args:
        view: The picture.
        short: Shorten a bound to one sign, and leave out who.
    """
    words = [f"{source.name} PAUSED {source.paused_by}" for source in view.sources if source.paused_by]
    for held in sorted(view.overrides, key=lambda o: (o.until is not None, o.until or 0.0)):
        name = f"job {held.target[:8]}" if held.kind == "job" else held.target
        end = f"{figures.until(held.until, view.taken_at)}{' !' if held.until is None else ''}"
        level = short_override(held.words) if short else held.words
        words.append(f"{name} {level} {held.author} {end}")
    over = [symbol for symbol in view.symbols if symbol.failed_over]
    if len(over) > OVERS_NAMED:
        words.append(f"{len(over)} symbols failed over")
    else:
        words += [f"{s.symbol} from {s.serving} {s.failed_over.partition(':')[0]}" for s in over]
    if view.mutes:
        words.append(f"{view.mutes[0].target} muted" if len(view.mutes) == 1 else f"{len(view.mutes)} muted")
    return words


def next_words(view: DeskView, now: float) -> str:
    """Say which schedule arms next; empty where none will."""
    coming = [s for s in view.schedules if not s.in_force and s.arms_at is not None and s.arms_at > now]
    first = min(coming, key=lambda s: s.arms_at or 0.0, default=None)
    if first is None:
        return ""
    return f'{first.target} {short_override(first.words)} "{first.name}" {figures.until(first.arms_at, now)}'


def bound_run(bound: BoundView) -> Run:
    """Say what CRITICAL data can take at worst of what is promised; for the eye past half of it."""
    promise = figures.promise(bound.promise_s)
    if bound.worst_s is None:
        return (f"! none for {promise}", "eye")
    mark = "! " if bound.worst_s > bound.promise_s else ""
    return (f"{mark}{figures.latency(bound.worst_s)} of {promise}", "eye" if bound.worst_s > bound.promise_s / 2 else "")
