"""How the engine works inside: order, the bound on CRITICAL, slots, pool, stores, history, and what makes the scores."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.look.machine import MachineLook, MachineSeen
from gexdesk.model.record_view import PartsView, SlotView
from gexdesk.model.view.desk import DeskView
from gexdesk.tui import figures
from gexdesk.tui.decided import PARTS
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.reading import ReadingPage
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.pane import Pane

DEVIATION_LIMIT = 0.01
"""Of all dispatches, those made out of order must stay under this."""

LAG_SHOWN_S = 2.0

BESIDE_FROM = 130
"""Columns from which slots stand beside the figures."""


class EngineeringPage(ReadingPage):
    """Show the figures that engineers ask for."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("e", "page('engines')", "e", "engines", "the engines of this desk"),
        Key("l", "page('log')", "l", "log", "everything that happened"),
    )

    def __init__(self, house: House) -> None:
        self.seen: MachineSeen | None = None
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the figures, and who works on what."""
        self.lines = LinesPane("figures", self.sight, self._figures)
        self.inside = LinesPane("inside", self.sight, self._inside)
        return (self.lines, self.inside)

    def place(self, space: Region) -> dict[str, Region]:
        """Put them side by side where there is room; else they are one text, so that all of it can be scrolled to."""
        x, y, width, height = space
        if width >= BESIDE_FROM:
            left = 84
            return {"figures": Region(x, y, left, height), "inside": Region(x + left + 2, y, width - left - 2, height)}
        return {"figures": space}

    async def fetch(self) -> None:
        """Ask the engine. Raises EngineAway, StoreError."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = await desk.look(MachineLook())

    # ------------------------------------------------------------------ drawing
    def _figures(self, width: int) -> list[list[Run]]:
        seen, view = self.seen, self.sight.shown
        if seen is None or view is None:
            return [[(" asking the engine ...", "faint")]]
        lines: list[list[Run]] = [
            [(f" ENGINE {seen.engine_id} ", "badge"), (f"  {seen.version} on {seen.host}, process {seen.pid}", ""),
             (f", for {figures.age(self.sight.now - seen.since)}", "faint")],
            [],
        ]  # fmt: skip
        lines += [[(" THE PROMISE", "bold")], *facts(_promise(seen, view), width)]
        lines += [] if self.app.size.width >= BESIDE_FROM else [[], *self._inside(width)]
        lines += [[], [(" STORES", "bold")], *facts(_stores(seen, self.sight.now), width)]
        lines += [[], [(" MACHINE", "bold")], *facts(_machine(seen, view), width)]
        lines += [[], *_scores(seen, width)]
        return lines

    def _inside(self, width: int) -> list[list[Run]]:
        seen = self.seen
        if seen is None:
            return []
        now = self.sight.now
        busy = sum(slot.since is not None for slot in seen.slots)
        lines: list[list[Run]] = [[(" SLOTS", "bold"), (f"   {busy} of {len(seen.slots)} at work", "faint")]]
        lines += [_slot(slot, now) for slot in seen.slots]
        backlog = f", {figures.count(seen.pool_backlog)} wait" if seen.pool_backlog else ""
        busy = sum(slot.since is not None for slot in seen.pool)
        lines += [[], [(" POOL", "bold"), (f"   {busy} of {len(seen.pool)} at work{backlog}", "faint")]]
        return [*lines, *(_slot(slot, now) for slot in seen.pool)]


def _promise(seen: MachineSeen, view: DeskView) -> list[tuple[str, str, str]]:
    share = seen.deviating / seen.dispatches if seen.dispatches else None
    order = "nothing was dispatched yet"
    if share is not None:
        order = f"{share:.3%} of {seen.dispatches:,} dispatches went before something that mattered more; under 1 % is promised"
    pairs = [
        ("kept", f"{view.promises_kept:,} of {view.promises_total:,}, CRITICAL at worst {figures.latency(view.worst_critical_s)}",
         "eye" if view.promises_kept < view.promises_total else "bold"),
        ("order", order, "eye" if share is not None and share >= DEVIATION_LIMIT else ""),
    ]  # fmt: skip
    if (bound := view.bound) is not None:
        over = bound.worst_s is None or bound.worst_s > bound.promise_s
        worst = "nothing bounds it" if bound.worst_s is None else f"{bound.worst_s:.1f} of {bound.promise_s:g} s at the worst"
        pairs.append(("bound", f"{worst}: {bound.why}", "eye" if over else ""))
        pairs.append(("reserve", f"{bound.reserve_share:.0%} of the last ten seconds at work, for CRITICAL alone", ""))
    pairs.append(("escalated", f"{view.escalated:,} jobs were raised a level to keep their promise", ""))
    pairs.append(("under way", f"{seen.in_flight:,} payloads: {seen.undecided:,} undecided, {seen.storing:,} being stored", ""))
    return pairs


def _stores(seen: MachineSeen, now: float) -> list[tuple[str, str, str]]:
    lag = seen.store_lag_s > LAG_SHOWN_S
    since = "" if seen.history_from is None else f", the last {figures.age(now - seen.history_from)}"
    return [
        ("lag", f"{figures.age(seen.store_lag_s)} that the oldest result waits to be stored", "eye" if lag else ""),
        ("spool", f"{figures.size(seen.spool_bytes)}, {seen.spool_open:,} payloads in it not finished with", ""),
        ("history", f"{figures.size(seen.history_bytes)} in memory{since}; {figures.size(seen.history_disk_bytes)} on disk", ""),
        ("metadata", figures.size(seen.metadata_bytes), ""),
        ("disk", f"{figures.size(seen.free_bytes)} free for {seen.state_folder}", "eye" if seen.free_bytes < 2e9 else ""),
    ]


def _machine(seen: MachineSeen, view: DeskView) -> list[tuple[str, str, str]]:
    load = "" if seen.load is None else f"; the host's load is {seen.load:.1f} on {seen.cores} cores"
    share = figures.UNKNOWN if seen.cpu_share is None else f"{seen.cpu_share * 100:.0f} % of a core"
    return [
        ("processor", f"{share}{load}", ""),
        ("memory", f"{figures.size(seen.memory_bytes)}, the pool's processes apart", ""),
        ("loop late", f"{figures.latency(view.loop_lag_s)} at most of late", "eye" if view.loop_lag_s > 0.25 else ""),
    ]


def _scores(seen: MachineSeen, width: int) -> list[list[Run]]:
    lines: list[list[Run]] = [
        [(" SCORES", "bold"), (f"   decisions of {figures.promise(seen.parts_s)}, and what lifts them in their band", "faint")]
    ]
    if not seen.parts:
        return [*lines, [(" none was decided by guidelines", "faint")]]
    heads = "".join(fit(word, _cells(word), right=True) for word in PARTS)
    lines.append([(f" {fit('', 9)}{fit('count', 8, right=True)}{fit('score', 8, right=True)}{heads}", "faint")])
    return [*lines, *(_part(part) for part in seen.parts)]


def _cells(word: str) -> int:
    return max(9, len(word) + 2)


def _part(part: PartsView) -> list[Run]:
    cells = "".join(fit(f"{getattr(part, name):.3f}", _cells(name), right=True) for name in PARTS)
    return [(f" {fit(part.level, 9)}", "bold"), (f"{fit(figures.count(part.count), 8, right=True)}{part.score:8.3f}{cells}", "")]


def _slot(slot: SlotView, now: float) -> list[Run]:
    since = "" if slot.since is None else f" for {figures.latency(max(0.0, now - slot.since))}"
    pid = f" {slot.pid}" if slot.pid is not None else ""
    return [
        (f"   {fit(slot.name, 8)}", ""),
        (fit("CRITICAL only" if slot.reserved else "", 14), "bold"),
        (f"{slot.what or 'idle'}{since}", "" if slot.what else "faint"),
        (pid, "faint"),
    ]
