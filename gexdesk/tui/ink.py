"""Lines before they are painted: runs of text, each in one ink. Text stays text, markup never applies."""

import codecs
import locale
from collections.abc import Iterable, Iterator
from functools import lru_cache

from rich.cells import cell_len, set_cell_size

Run = tuple[str, str]
"""Text and the name of its ink (see ``theme.inks``)."""

Line = tuple[Run, ...]


def width_of(text: str) -> int:
    """Return the terminal cells a text takes."""
    return len(text) if text.isascii() else cell_len(text)


@lru_cache(maxsize=4096)
def fit(text: str, width: int, right: bool = False) -> str:
    """Pad or cut to exactly so many cells; a cut text ends in an ellipsis. Wide characters are never halved."""
    if width <= 0:
        return ""
    taken = width_of(text)
    if taken > width:
        cut = set_cell_size(text, width - 1)
        return cut.rstrip() + "…" + " " * (width - 1 - width_of(cut.rstrip()))
    return " " * (width - taken) + text if right else text + " " * (width - taken)


def fit_middle(text: str, width: int) -> str:
    """Cut a text to at most so many cells in its middle, so that both its beginning and its end stay; never pad."""
    if width_of(text) <= width:
        return text
    if width < 12:
        return fit(text, width)
    ending = ""
    for c in reversed(text):
        if width_of(c + ending) > width // 2:
            break
        ending = c + ending
    # At a word's beginning where one is near.
    words = ending.find(" ") + 1
    ending = (ending[words:] if 0 < words <= len(ending) // 3 else ending).lstrip()
    return fit(text, width - width_of(ending)).rstrip() + ending


def wrapped(text: str, width: int, most: int) -> list[str]:
    """Break a text at words into lines of at most so many cells; of what ``most`` lines do not hold the last shows both ends."""
    lines: list[str] = []
    left = text.strip()
    while len(lines) < most - 1 and width_of(left) > width > 0:
        head = set_cell_size(left, width).rstrip()
        at = len(head) if left[len(head) : len(head) + 1] == " " else head.rfind(" ")
        line = left[:at].rstrip() if at > 0 else head
        lines.append(line)
        left = left[len(line) :].lstrip()
    return [*lines, fit_middle(left, width)]


def line_of(runs: Iterable[Run], width: int) -> Line:
    """Join runs of one ink and pad or cut the whole to so many cells.

    Texts come printable from the engine. What should not be there all the same, from one that is older or hostile, becomes
    question marks here: this is the last place before the terminal.
    """
    joined: list[Run] = []
    left = width
    for given, ink in runs:
        if left <= 0:
            break
        if not given.isprintable():
            given = "".join(c if c.isprintable() else "?" for c in given)  # noqa: PLW2901
        taken = min(width_of(given), left)
        text = given if taken < left else fit(given, left)
        if not text:
            continue
        left -= taken
        if joined and joined[-1][1] == ink:
            joined[-1] = (joined[-1][0] + text, ink)
        else:
            joined.append((text, ink))
    if left > 0:
        if joined and joined[-1][1] == "":
            joined[-1] = (joined[-1][0] + " " * left, "")
        else:
            joined.append((" " * left, ""))
    return tuple(joined)


def _cells(line: Line) -> list[Run]:
    cells: list[Run] = []
    for text, ink in line:
        if text.isascii():
            cells.extend((c, ink) for c in text)
            continue
        for c in text:
            taken = cell_len(c)
            if taken == 0 and cells:
                cells[-1] = (cells[-1][0] + c, ink)
            else:
                cells.extend([(c, ink)] + [("", ink)] * (taken - 1))
    return cells


_PLAIN = str.maketrans(dict(zip("▁▂▃▄▅▆▇█▌▐─│·…≥≤→←–—×", "._-=+*##[]-|.~><><--x", strict=True)))
"""What stands for the desk's own signs on a terminal without Unicode; bars grow from a dot to a hash."""


def speaks_unicode() -> bool:
    """Tell whether the terminal shows more than ASCII, by the encoding of the locale."""
    return codecs.lookup(locale.getencoding()).name == "utf-8"


def plain(line: Line) -> Line:
    """Return a line in ASCII, cell by cell as wide: the desk's own signs become like ones, all others question marks."""

    def ascii_of(c: str) -> str:
        if 0x2800 <= ord(c) <= 0x28FF:
            return " .:*#"[min(4, (ord(c) - 0x2800).bit_count())]
        return c if c.isascii() else "?" * cell_len(c)

    return tuple((text if text.isascii() else "".join(map(ascii_of, text.translate(_PLAIN))), ink) for text, ink in line)


MOVE_COSTS = 8
"""Bytes a cursor movement takes: changed spans nearer to each other than this are sent as one."""


def changed_spans(old: Line, new: Line) -> Iterator[tuple[int, int]]:
    """Yield ``(start, end)`` cells in which two lines of one width differ."""
    before, after = _cells(old), _cells(new)
    if len(before) != len(after):
        yield 0, max(len(before), len(after))
        return
    start = end = -1
    for x, (was, is_now) in enumerate(zip(before, after, strict=True)):
        if was == is_now:
            continue
        if end >= 0 and x - end > MOVE_COSTS:
            yield start, end
            start = -1
        if start < 0:
            start = x
        # A wide character's second half carries no text of its own, so that two of them look alike: take it along.
        end = x + 2 if x + 1 < len(after) and after[x + 1][0] == "" else x + 1
    if start >= 0:
        yield start, end
