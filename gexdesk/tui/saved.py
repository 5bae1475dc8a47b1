"""Arrangements of the desk that an operator keeps under a name: one TOML file each."""

import json
import os
import re
import tomllib
from pathlib import Path
from typing import NamedTuple

NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,31}")
SAVE = "save"


class Arrangement(NamedTuple):
    """Hold what a saved view brings back.

    Attributes:
        hidden: Panels that are put away.
        table: ``sources`` or ``symbols``: where the cursor is.
        filters: What each of the two tables is filtered by.
        faults: The tables that show faults alone.
    """

    hidden: frozenset[int]
    table: str
    filters: dict[str, str]
    faults: frozenset[str]


TABLES = ("sources", "symbols")


def names(folder: Path) -> list[str]:
    """Return what is saved, by name."""
    return sorted(path.stem for path in folder.glob("views/*.toml") if NAME.fullmatch(path.stem))


def save(folder: Path, name: str, kept: Arrangement) -> Path:
    """Keep an arrangement under a name, in the place of one that had it.

    Raises:
        ValueError: The name is none: what is allowed.
        OSError: It cannot be written.
    """
    if not NAME.fullmatch(name) or name == SAVE:
        raise ValueError(f"a view's name is letters, digits, - and _, at most 32; not {name!r}")
    path = folder / "views" / f"{name}.toml"
    path.parent.mkdir(parents=True, exist_ok=True)
    lines = [f"hidden = {sorted(kept.hidden)}", f'table = "{kept.table}"', f"faults = {json.dumps(sorted(kept.faults))}"]
    lines += ["[filters]"]
    lines += [f"{table} = {json.dumps(text)}" for table, text in sorted(kept.filters.items())]
    fresh = path.with_suffix(".new")
    fresh.write_text("\n".join([*lines, ""]), encoding="utf-8")
    os.replace(fresh, path)
    return path


def load(folder: Path, name: str) -> Arrangement:
    """Return what was kept under a name.

    Raises:
        ValueError: Nothing was, or the file is no view: the message says which.
    """
    if name not in names(folder):
        raise ValueError(f"no view {name}; {', '.join(names(folder)) or 'none is saved yet: view save NAME'}")
    path = folder / "views" / f"{name}.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
        table = found["table"]
        filters = {str(k): str(v) for k, v in found.get("filters", {}).items() if k in TABLES}
        hidden = frozenset(int(n) for n in found.get("hidden", ()) if int(n) in range(1, 7))
        faults = frozenset(str(t) for t in found.get("faults", ()) if t in TABLES)
    except (OSError, tomllib.TOMLDecodeError, KeyError, TypeError, ValueError, AttributeError) as error:
        raise ValueError(f"views/{path.name}: {error}; save the view again") from None
    if table not in TABLES or {3, 4} <= hidden:
        raise ValueError(f"views/{path.name}: table has to be sources or symbols, and not both 3 and 4 hidden; save the view again")
    return Arrangement(hidden, table, filters, faults)
