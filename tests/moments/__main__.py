"""Play the ten moments of truth, one after the other, and print what was measured: ``python -m tests.moments [NAME ...]``."""

import contextlib
import importlib
import io
import sys
import tempfile
import time
from pathlib import Path

from tests.moments.scene import Measured, Scene

MOMENTS = {
    "open": "1 Open", "frozen": "2 Frozen", "wrong_spot": "3 Wrong spot", "moving_rows": "4 Moving rows", "hung": "5 Hung",
    "outage": "6 Outage", "two_hands": "7 Two hands", "cpi": "8 CPI", "calendar": "9 Calendar", "handover": "10 Handover",
    "minute": "the operator's minute",
}  # fmt: skip
"""File to title, in their order."""


def main(names: list[str]) -> int:
    """Play them; returns 1 where anything missed its limit or could not be played."""
    unknown = sorted(set(names) - set(MOMENTS))
    if unknown:
        print(f"no moment is named {', '.join(unknown)}; there are {', '.join(MOMENTS)}")
        return 2
    missed = 0
    print(f"{'moment':<22} {'what':<52} {'limit':>8} {'measured':>9}  pass")
    for name, title in MOMENTS.items():
        if not names or name in names:
            missed += _played(name, title)
    print(f"{missed} missed" if missed else "all held")
    return 1 if missed else 0


def _played(name: str, title: str) -> int:
    """Play one, print its lines, and return how many missed."""
    play, began, told = importlib.import_module(f"tests.moments.test_{name}").play, time.monotonic(), io.StringIO()
    trouble = ""
    with tempfile.TemporaryDirectory(prefix="gexdesk-moment-") as folder, Scene(Path(folder)) as scene:
        try:
            with contextlib.redirect_stdout(told):
                play(scene)
        except BaseException as error:  # pytest's failures are none of Exception
            if isinstance(error, KeyboardInterrupt):
                raise
            trouble = f"{type(error).__name__}: {error}"
    for one in scene.measured:
        print(_line(title, one), flush=True)
    if trouble:
        print(f"{title:<22} could not be played to its end, after {time.monotonic() - began:.0f} s: {trouble}", flush=True)
    elif not scene.measured:
        trouble = "nothing measured"
        print(f"{title:<22} measured nothing", flush=True)
    return sum(not one.held for one in scene.measured) + bool(trouble)


def _line(title: str, one: Measured) -> str:
    unit = f" {one.unit}" if one.unit else ""
    value = f"{one.value:.2f}" if one.unit else f"{one.value:g}"
    return f"{title:<22} {one.what:<52} {one.limit:g}{unit:>2} {value + unit:>10}  {'yes' if one.held else 'NO'}"


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
