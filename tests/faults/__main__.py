"""Hurt the desk on purpose: ``python -m tests.faults [SECTION ...] [--full]``.

A section is a file here with ``run(full: bool)``, which returns a NamedTuple of figures with a property ``sound``: whether every
promise held. Without ``--full`` each does what CI does.
"""

import importlib
import sys
import time
from pathlib import Path

HERE = Path(__file__).parent
SECTIONS = sorted(
    path.stem for path in HERE.glob("*.py") if "\ndef run(full: bool)" in path.read_text(encoding="utf-8")
)  # fmt: skip


def main(arguments: list[str]) -> int:
    """Run the sections named, all without a name; exit 1 where a promise did not hold, 2 for wrong usage."""
    names = [argument for argument in arguments if argument != "--full"]
    wrong = [name for name in names if name not in SECTIONS]
    if wrong:
        sys.stderr.write(f"no section {wrong[0]!r}; there are {', '.join(SECTIONS)}\n")
        return 2
    sound = True
    for name in names or SECTIONS:
        began = time.monotonic()
        outcome = importlib.import_module(f"tests.faults.{name}").run(full="--full" in arguments)
        sound = sound and outcome.sound
        sys.stdout.write(f"{name}: {'held' if outcome.sound else 'BROKEN'}, {time.monotonic() - began:.0f} s\n")
        for figure, value in outcome._asdict().items():
            sys.stdout.write(f"  {figure.replace('_', ' '):<28} {value}\n")
        sys.stdout.flush()
    return 0 if sound else 1


sys.path.insert(0, str(HERE.parent))  # as conftest.py does for pytest
sys.exit(main(sys.argv[1:]))
