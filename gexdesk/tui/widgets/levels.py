"""Panels 1 and 2: what waits at each level, and how long it takes from receipt to available."""

from bisect import bisect_left
from collections.abc import Iterable

from gexdesk.model.level import Level
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.level import HISTOGRAM_EDGES_S, LevelView
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.widgets.bars import histogram, trend
from gexdesk.tui.widgets.pane import BLANK, Pane

BUCKETS = len(HISTOGRAM_EDGES_S) + 1
TITLE_CELLS = 11
AXIS = ((0.001, "1ms"), (0.1, ".1s"), (1.0, "1s"), (10.0, "10s"), (100.0, "2m"), (1000.0, "17m"))
"""What stands above a histogram: seconds and their short words, where there is room for each."""


def _bucket(seconds: float) -> int:
    """Return the bucket whose upper edge is the first not below so many seconds."""
    return bisect_left(HISTOGRAM_EDGES_S, seconds * (1 - 1e-9))


def histogram_runs(level: LevelView, cells: int) -> list[Run]:
    """Draw one level's latencies in ``cells`` + 1 cells: ``|`` stands where the promise ends, what is past it in the eye's ink."""
    bars = histogram(level.histogram, cells)
    if level.promise_s is None:
        return [(bars + " ", "")]
    # A bucket that holds the promise itself still counts as kept: only whole cells beyond it draw the eye.
    mark = min(cells, (_bucket(level.promise_s) * cells) // BUCKETS + 1)
    late = bars[mark:]
    return [(bars[:mark], ""), ("|", "faint"), (late, "eye" if late.strip() else "")]


def axis(cells: int) -> str:
    """Write the histogram's axis in ``cells`` + 1 cells."""
    line = [" "] * (cells + 1)
    free_from = 0
    for seconds, word in AXIS:
        x = _bucket(seconds) * cells // BUCKETS
        if x >= free_from and x + len(word) <= cells + 1:
            line[x : x + len(word)] = word
            free_from = x + len(word) + 1
    return "".join(line)


def waiting_title(view: DeskView | None, cells: int, trend_from: int = 0) -> list[Run]:
    """Write panel 1's title with what no level's depth holds, in so many cells: not decided yet, and in work.

    Args:
        view: The picture; None before the first.
        cells: Cells it takes.
        trend_from: Where the trend under it begins; its heading goes to the right end where there is room.
    """
    title = " 1 WAITING"
    said, gap = list[str](), ""
    if view is not None:
        undecided = [f"+{figures.count(view.undecided)} undecided"] if view.undecided else []
        in_work = f"{figures.count(max(0, sum(level.processing for level in view.levels) - view.storing))} in work"
        tries = [[*undecided, in_work], undecided, [f"+{figures.short_count(view.undecided)}"] if undecided else []]
        room = cells - len(title)
        said = next((words for words in tries if sum(len(word) + 1 for word in words) <= room), [])
        gap = next((gap for gap in ("   ", "  ") if sum(len(gap + word) for word in said) < room), " ")
    runs: list[Run] = [(title, "bold")]
    for word in said:
        runs += [(gap, ""), (word, "bold" if word.startswith("+") else "")]
    left = cells - sum(len(text) for text, _ in runs)
    over = "last 2 min"
    if trend_from and left >= len(over) + 4 and cells - len(over) >= trend_from:
        runs.append((fit(over, left - 2, right=True) + "  ", "faint"))
    else:
        runs.append((" " * left, ""))
    return runs


class LevelsPane(Pane):
    """Hold what both panels share: one row a level, its name first."""

    def level(self, y: int) -> LevelView | None:
        """Return the level of a row; None past the last or before the first picture."""
        view = self.sight.shown
        return view.levels[y - 1] if view is not None and 0 < y <= len(view.levels) else None

    def oldest(self, level: LevelView) -> Run:
        """Say how long the oldest job has waited, in the eye's ink from half of its promise on, with a mark past it."""
        if level.oldest_received_at is None:
            return (fit("-", 8, right=True), "")
        waited = self.sight.now - level.oldest_received_at
        over = level.promise_s is not None and waited > level.promise_s
        near = level.promise_s is not None and waited > level.promise_s / 2
        return (fit(("!" if over else "") + figures.age(waited), 8, right=True), "eye" if near else "")

    def empties(self, level: LevelView) -> Run:
        """Say when the queue is empty at the present rates, or that it grows."""
        if level.drain_s is None:
            return (fit("rising", 8, right=True), "eye" if level.level is Level.CRITICAL else "bold")
        return (fit("now" if level.drain_s == 0 else figures.age(level.drain_s), 8, right=True), "")


class WaitingPane(LevelsPane):
    """Panel 1: depth, its trend over two minutes, the oldest against the promise, rates and when it empties."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one level."""
        width = self.size.width
        free = width - TITLE_CELLS - 49 - 2
        cells = next((c for c in (40, 30, 24, 12) if c <= free), 0)
        title = TITLE_CELLS + (cells + 2 if cells else 0)
        view = self.sight.shown
        if y == 0:
            # Two cells of the first figure's heading are free: it is right-aligned and short.
            heads = f"{'depth':>6}{'oldest':>8}{'promise':>9}{'in/s':>8}{'out/s':>8}{'empty':>8}"
            return (*waiting_title(view, title + 2, TITLE_CELLS), (heads, "faint"))
        level = self.level(y)
        if level is None or view is None:
            return BLANK
        runs: list[Run] = [(fit(f"   {level.level}", TITLE_CELLS), "bold")]
        if cells:
            runs += [("  ", ""), (trend(level.trend, cells, view.taken_at, 120 // cells), "")]
        runs += [(fit(figures.count(level.depth), 8, right=True), ""), self.oldest(level)]
        runs += [(fit(figures.promise(level.promise_s), 9, right=True), "faint")]
        runs += [(fit(figures.rate(level.in_per_s), 8, right=True), ""), (fit(figures.rate(level.out_per_s), 8, right=True), "")]
        return [*runs, self.empties(level)]


class LatencyPane(LevelsPane):
    """Panel 2: receipt to available as a histogram, with the promise marked, and p50, p99 and the largest."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one level."""
        view = self.sight.shown
        cells = BUCKETS if self.size.width >= BUCKETS + 25 else BUCKETS // 2
        if y == 0:
            title = f"{self.indent}2 RECEIPT TO AVAILABLE" if cells > 21 else f"{self.indent}2 LATENCY"
            return ((fit(title, cells + 1), "bold"), (f"{'p50':>8}{'p99':>8}{'max':>8}", "faint"))
        if view is not None and y == len(view.levels) + 1:
            return ((axis(cells), "faint"), (fit(f"since {figures.time_of_day(int(view.since))[:5]}", 24, right=True), "faint"))
        level = self.level(y)
        if level is None:
            return BLANK
        late = level.promise_s is not None and level.max_s is not None and level.max_s > level.promise_s
        runs = histogram_runs(level, cells)
        runs += [(fit(figures.latency(level.p50_s), 8, right=True), ""), (fit(figures.latency(level.p99_s), 8, right=True), "")]
        return [*runs, (fit(("!" if late else "") + figures.latency(level.max_s), 8, right=True), "eye" if late else "")]


class BothPane(LevelsPane):
    """Panels 1 and 2 in one, for a narrow screen."""

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one level."""
        width = self.size.width
        cells = BUCKETS if width >= 96 else BUCKETS // 2
        name_cells = TITLE_CELLS + 3
        trend_cells = 24 if width >= 120 else 0
        title = name_cells + (trend_cells + 2 if trend_cells else 0)
        view = self.sight.shown
        if y == 0:
            head = f"{'depth':>6}{'oldest':>8}{'promise':>9}{'empty':>8}{'p50':>8}{'p99':>8}  "
            return (*waiting_title(view, title + 2, name_cells if trend_cells else 0), (head, "faint"), (axis(cells), "faint"))
        level = self.level(y)
        if level is None or view is None:
            return BLANK
        runs: list[Run] = [(fit(f"   {level.level}", name_cells), "bold")]
        if trend_cells:
            runs += [("  ", ""), (trend(level.trend, trend_cells, view.taken_at, 120 // trend_cells), "")]
        runs += [(fit(figures.count(level.depth), 8, right=True), ""), self.oldest(level)]
        runs += [(fit(figures.promise(level.promise_s), 9, right=True), "faint"), self.empties(level)]
        runs += [(fit(figures.latency(level.p50_s), 8, right=True), ""), (fit(figures.latency(level.p99_s), 8, right=True), "")]
        return [*runs, ("  ", ""), *histogram_runs(level, cells)]
