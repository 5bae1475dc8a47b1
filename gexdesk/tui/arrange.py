"""Where each pane stands, from the size of the screen alone; and Textual's layout that puts them there."""

from collections.abc import Callable, Mapping
from functools import lru_cache
from typing import NamedTuple

from textual.geometry import NULL_OFFSET, NULL_SPACING, Region, Size
from textual.layout import ArrangeResult, Layout, WidgetPlacement
from textual.widget import Widget

LEAST = Size(80, 24)
WIDE_FROM = Size(140, 34)
NEEDS_ROWS, HIGH_NEEDS_ROWS = 4, 6
"""Title and three incidents, five on a high screen: never more and never fewer, so that nothing below it ever jumps."""

HIGH_FROM = 44

FOOT_LEAST = 5
"""Rows of guidelines and decisions under the tables of a narrow, high screen, where tables would take them all."""

LEFT_CELLS, LEFT_MOST, RIGHT_CELLS = 100, 124, 53
"""What the left column needs and can use; what the right one needs to draw every bucket of a histogram."""



class Wants(NamedTuple):
    """Say what is to be arranged.

    Attributes:
        hidden: Panels 1 to 6 that the operator put away.
        table: ``sources`` or ``symbols``: the one with the cursor, the only one on a small screen.
        dialog_rows: Rows of the open dialog; 0 without one.
        guidelines: How many guidelines there are.
        sources: How many sources there are.
        symbols: How many symbols there are, or are configured.
    """

    hidden: frozenset[int] = frozenset()
    table: str = "sources"
    dialog_rows: int = 0
    guidelines: int = 6
    sources: int = 12
    symbols: int = 12


@lru_cache(maxsize=16)
def arrange(size: Size, wants: Wants) -> Mapping[str, Region]:
    """Return a region for every pane that is shown, none overlapping another.

    A dialog stands at the bottom and takes from what is above it, but never from NEEDS YOU.
    """
    width, height = size
    if width < LEAST.width or height < LEAST.height:
        rows = min(wants.dialog_rows, height - 1)
        small = {"small": Region(0, 0, width, height - rows), "dialog": Region(0, height - rows, width, rows)}
        return {name: region for name, region in small.items() if region.height > 0}
    regions = {"status": Region(0, 0, width, 2)}
    wide = width >= WIDE_FROM.width and height >= WIDE_FROM.height
    gap = 1 if height >= 30 else 0
    needs = HIGH_NEEDS_ROWS if height >= HIGH_FROM else NEEDS_ROWS
    regions["needs"] = Region(0, 2 + gap, width, needs)
    top = 2 + gap + needs + gap
    bottom = height - (wants.dialog_rows or 2)
    if wants.dialog_rows:
        regions["dialog"] = Region(0, bottom, width, wants.dialog_rows)
    else:
        regions["notice"] = Region(0, height - 2, width, 1)
        regions["keys"] = Region(0, height - 1, width, 1)
    space = Region(0, top, width, bottom - top)
    if wide:
        _wide(regions, wants, space, gap)
    else:
        _stacked(regions, wants, space, gap)
    return {name: region for name, region in regions.items() if region.width > 0 and region.height > 0}


def _wide(regions: dict[str, Region], wants: Wants, space: Region, gap: int) -> None:
    width, top, bottom = space.width, space.y, space.bottom
    left = min(max(LEFT_CELLS, width - 2 - RIGHT_CELLS), LEFT_MOST)
    right_x, right = left + 2, width - left - 2
    levels = [n for n in (1, 2) if n not in wants.hidden]
    if levels:
        if 1 in levels:
            regions["waiting"] = Region(0, top, left, 5)
        if 2 in levels:
            regions["latency"] = Region(right_x, top, right, 6 if gap else 5)
        top += 5 + gap
    sides = [name for number, name in ((5, "guidelines"), (6, "decisions")) if number not in wants.hidden]
    _tables(regions, wants, Region(0, top, left if sides else width, bottom - top), gap)
    top += 1 if gap and "latency" in regions else 0
    room = bottom - top
    if sides == ["guidelines", "decisions"]:
        first = min(max(1, wants.guidelines) + 2, max(3, room // 2))
        regions["guidelines"] = Region(right_x, top, right, first)
        regions["decisions"] = Region(right_x, top + first + gap, right, room - first - gap)
    elif sides:
        regions[sides[0]] = Region(right_x, top, right, room)


def _stacked(regions: dict[str, Region], wants: Wants, space: Region, gap: int) -> None:
    width, top, bottom = space.width, space.y, space.bottom
    room = bottom - top
    levels = {1, 2} - wants.hidden
    if levels:
        # Both panels in one block; one of them put away leaves the other its full width.
        name = "both" if len(levels) == 2 else "waiting" if 1 in levels else "latency"
        regions[name] = Region(0, top, width, 5)
        top += 5 + gap
    room = bottom - top
    bottom = _foot(regions, wants, Region(0, top, width, room), gap)
    _tables(regions, wants, Region(0, top, width, bottom - top), gap)


def _foot(regions: dict[str, Region], wants: Wants, space: Region, gap: int) -> int:
    width, bottom, room = space.width, space.bottom, space.height
    guidelines, decisions = 5 not in wants.hidden, 6 not in wants.hidden
    if room >= 20 and (guidelines or decisions):
        # The tables come first, then the foot has what they leave.
        tables = _rows_of(wants.symbols) + _rows_of(wants.sources) + gap
        rows = max(FOOT_LEAST, room - gap - tables)
        half = width // 2 if guidelines and decisions and width >= 100 else width
        if guidelines and decisions and half == width:
            regions["guidelines"] = Region(0, bottom - 1, width, 1)
            regions["decisions"] = Region(0, bottom - rows, width, rows - 1)
        elif guidelines:
            regions["guidelines"] = Region(0, bottom - rows, half - (2 if decisions else 0), rows)
        if decisions and "decisions" not in regions:
            start = half if guidelines else 0
            regions["decisions"] = Region(start, bottom - rows, width - start, rows)
        return bottom - rows - gap
    if guidelines and room >= 8:
        regions["guidelines"] = Region(0, bottom - 1, width, 1)
        return bottom - 1
    return bottom


def _tables(regions: dict[str, Region], wants: Wants, space: Region, gap: int) -> None:
    x, y, width, height = space
    shown = [name for number, name in ((3, "symbols"), (4, "sources")) if number not in wants.hidden]
    if len(shown) == 2 and height >= min(14, _rows_of(wants.symbols) + _rows_of(wants.sources) + gap):
        # Sources are few and known; symbols come as they come, and take what is left.
        room = height - gap
        # Where not all fit, symbols keep two fifths, unless they need less.
        least = _rows_of(wants.sources)
        upper = min(_rows_of(wants.symbols), max(room - least, room * 2 // 5))
        lower = min(least, room - upper)
        regions["sources"] = Region(x, y + height - lower, width, lower)
        regions["symbols"] = Region(x, y, width, height - gap - lower)
    elif shown:
        regions[wants.table if wants.table in shown else shown[0]] = Region(x, y, width, height)


def _rows_of(count: int) -> int:
    """Return the rows of a whole table: its title and at least two more."""
    return max(3, count + 1)


class DeskLayout(Layout):
    """Put every pane where ``arrange`` says.

    Args:
        wants: Gives what is to be arranged at this moment.
    """

    name = "desk"

    def __init__(self, wants: Callable[[], Wants]) -> None:
        self.wants = wants

    def arrange(self, parent: Widget, children: list[Widget], size: Size, greedy: bool = True) -> ArrangeResult:
        """Place the children that have a region; the others are not shown."""
        regions = arrange(size, self.wants())
        return [
            WidgetPlacement(regions[child.id], NULL_OFFSET, NULL_SPACING, child)
            for child in children
            if child.id is not None and child.id in regions
        ]
