"""Write rows of a table to a file of the operator's, as CSV or JSON with every field that is known."""

import csv
import io
import json
import os
from collections.abc import Sequence
from math import isfinite
from pathlib import Path
from typing import Any

from msgspec import Struct, to_builtins

FORMULA = ("=", "+", "-", "@", "\t", "\r")
"""What a spreadsheet takes for a formula at the beginning of a text."""


def write(path: Path, rows: Sequence[Struct], form: str) -> None:
    """Write rows to a new file that its owner alone can read; one that is there is never overwritten.

    Args:
        path: Where to.
        rows: Of one kind.
        form: ``csv`` or ``json``.

    Raises:
        FileExistsError: There is one already.
        OSError: It cannot be written.
    """
    put(path, as_csv(rows) if form == "csv" else as_json(rows))


def put(path: Path, text: str) -> None:
    """Write text to a new file that its owner alone can read. Raises FileExistsError, OSError."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | getattr(os, "O_NOFOLLOW", 0), 0o600)
    with os.fdopen(handle, "w", encoding="utf-8", newline="") as file:
        file.write(text)


def as_json(rows: Sequence[Struct]) -> str:
    """Return rows as one JSON list of objects; what is unknown is null."""
    return json.dumps([_plain(to_builtins(row)) for row in rows], indent=1, ensure_ascii=False, allow_nan=False) + "\n"


def as_csv(rows: Sequence[Struct]) -> str:
    """Return rows as CSV under a line of their fields' names; what is unknown is empty, what holds several is JSON."""
    if not rows:
        return ""
    names = type(rows[0]).__struct_fields__
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(names)
    for row in rows:
        fields = _plain(to_builtins(row))
        writer.writerow([_cell(fields.get(name)) for name in names])
    return out.getvalue()


def _plain(value: Any) -> Any:
    """Put null in the place of what JSON has no number for."""
    if isinstance(value, float) and not isfinite(value):
        return None
    if isinstance(value, dict):
        return {key: _plain(each) for key, each in value.items()}
    return [_plain(each) for each in value] if isinstance(value, list | tuple) else value


def _cell(value: Any) -> str:
    if value is None:
        return ""
    if isinstance(value, str):
        return f"'{value}" if value.startswith(FORMULA) else value
    if isinstance(value, bool):
        return "true" if value else "false"
    return json.dumps(value, ensure_ascii=False) if isinstance(value, dict | list | tuple) else str(value)
