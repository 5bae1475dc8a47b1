"""Measure: ``python -m tests.bench [NAME ... | all] [--json] [--history [FILE]]``.

Without a name, or with ``all``, every bench. A table each or, with ``--json``, one list of all rows. With ``--history`` the figures
are appended to a file outside of the checkout and compared with those of the last runs on this machine.
"""

import importlib
import json
import math
import sys
from collections.abc import Sequence
from pathlib import Path

from tests.bench import Row
from tests.bench._history import History, default_file, drifted

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(arguments: list[str]) -> int:
    """Print the rows of the benches named; exit 1 where a target is missed, 2 for wrong usage."""
    names, as_json, history = _read(arguments)
    wrong = [name for name in names if name not in NAMES]
    if wrong:
        sys.stderr.write(f"no bench {wrong[0]!r}; there are {', '.join(NAMES)}, all\n")
        return 2
    found: list[Row] = []
    for name in names or NAMES:
        rows = importlib.import_module(f"tests.bench.{name}").rows()
        found += rows
        if not as_json:
            sys.stdout.write(_table(name, rows, history))
            sys.stdout.flush()
    if as_json:
        shown = [{**row._asdict(), "value": row.value if math.isfinite(row.value) else None} for row in found]
        sys.stdout.write(json.dumps(shown, indent=1) + "\n")
    if history is not None:
        history.add(found)
    return 1 if any(row.met is False for row in found) else 0


def _read(arguments: list[str]) -> tuple[list[str], bool, History | None]:
    """Return the names, whether JSON is wanted, and the history where it is."""
    left = [argument for argument in arguments if argument not in ("--json", "all")]
    if "--history" not in left:
        return left, "--json" in arguments, None
    at = left.index("--history")
    named = at + 1 < len(left) and left[at + 1] not in NAMES
    file = Path(left[at + 1]) if named else default_file()
    return left[:at] + left[at + 1 + named :], "--json" in arguments, History(file)


def _table(name: str, rows: Sequence[Row], history: History | None) -> str:
    lines = [name]
    for row in rows:
        value = f"{row.value:>10,.4g}" if math.isfinite(row.value) else f"{'-':>10}"
        against = "" if row.reference is None else f"  / {row.reference:,.4g} = {row.ratio:.2f}"
        target = "" if row.target is None else f"  target {row.target:g}  {'met' if row.met else 'MISSED'}"
        drift = history.drift(row) if history is not None else None
        moved = f"  DRIFTED to {drift:.2f} of the last runs" if drift is not None and drifted(drift) else ""
        lines.append(f"  {row.name:<58} {value} {row.unit}{against}{target}{moved}")
    return "\n".join(lines) + "\n"


sys.exit(main(sys.argv[1:]))
