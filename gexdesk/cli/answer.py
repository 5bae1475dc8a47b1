"""Answer as people and programs expect: one JSON document on stdout, words and refusals on stderr."""

import sys
from collections.abc import Sequence

import msgspec

from gexdesk.model.errors import GexdeskError
from gexdesk.model.text import printable

LINE_LIMIT = 1000
WIDE = 500
"""Columns of a table that goes to no terminal."""

FEW = 3


def as_json(value: object) -> None:
    """Print one JSON document on stdout."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=1).decode() + "\n")
    sys.stdout.flush()


def say(words: str) -> None:
    """Print one line for a person on stderr; what a file name or a feed put into it cannot steer the terminal."""
    sys.stderr.write(printable(words, LINE_LIMIT) + "\n")
    sys.stderr.flush()


def refuse(error: GexdeskError, *, as_json: bool) -> int:
    """Print why something was refused, one line on stderr, and with ``--json`` the document too; return the exit code."""
    say(f"gexdesk: {error.message}")
    if as_json:
        answer = {"error": error.kind, "message": error.message, "details": error.details}
        sys.stdout.write(msgspec.json.encode(answer).decode() + "\n")
    return 1


def table(title: str, columns: Sequence[str], rows: Sequence[Sequence[str]]) -> None:
    """Print a table on stdout; columns of figures are right-aligned; neither markup nor controls in cells mean anything."""
    from rich.console import Console
    from rich.table import Table
    from rich.text import Text

    console = Console(soft_wrap=False, width=None if sys.stdout.isatty() else WIDE)
    needed = sum(max([len(column), *(len(row[n]) for row in rows)]) + 2 for n, column in enumerate(columns))
    if needed > console.width and len(rows) <= FEW:
        # A row that does not fit is read better from top to bottom.
        for row in rows:
            for column, cell in zip(columns, row, strict=True):
                console.print(Text(f"{column:<24}  {printable(cell, LINE_LIMIT)}"))
            console.print()
        return
    shown = Table(title=Text(printable(title)), box=None, title_justify="left", pad_edge=False)
    for number, column in enumerate(columns):
        figures = all(row[number][:1] in "+-0123456789" for row in rows)
        shown.add_column(Text(column), justify="right" if figures else "left", overflow="fold")
    for row in rows:
        shown.add_row(*(Text(printable(cell, LINE_LIMIT)) for cell in row))
    console.print(shown)
