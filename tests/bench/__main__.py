"""Run one bench by name and print its rows as a table or, with ``--json``, as a list."""

import importlib
import json
import sys
from pathlib import Path

NAMES = sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_"))


def main(arguments: list[str]) -> int:
    """Print the rows of the benches named, of all without a name; exit 1 where a target is missed, 2 for wrong usage."""
    names = [argument for argument in arguments if argument != "--json"]
    wrong = [name for name in names if name not in NAMES]
    if wrong:
        sys.stderr.write(f"no bench {wrong[0]!r}; there are {', '.join(NAMES)}\n")
        return 2
    rows = [row for name in names or NAMES for row in importlib.import_module(f"tests.bench.{name}").rows()]
    if "--json" in arguments:
        sys.stdout.write(json.dumps([row._asdict() for row in rows], indent=1) + "\n")
    else:
        for row in rows:
            against = "" if row.reference is None else f"  / {row.reference:,.4g} = {row.ratio:.2f}"
            target = "" if row.target is None else f"  target {row.target:g}  {'met' if row.met else 'MISSED'}"
            sys.stdout.write(f"{row.name:<58} {row.value:>10,.4g} {row.unit}{against}{target}\n")
    return 1 if any(row.met is False for row in rows) else 0


sys.exit(main(sys.argv[1:]))
