"""The program as a person runs it: a process of its own, with a home of its own."""

import contextlib
import io
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cyclopts import App
from msgspec import Struct

from gexdesk.cli.main import app, main


def verbs_of(part: App, before: tuple[str, ...] = ()) -> Iterator[tuple[str, ...]]:
    """Yield every verb as its words, those of families included."""
    for name in part:
        if not name.startswith("-"):
            inside = list(verbs_of(part[name], (*before, name)))
            yield from inside or [(*before, name)]


VERBS = tuple(sorted(verbs_of(app)))


class Said(Struct, frozen=True):
    """Hold what a run of the program said, and how it ended."""

    code: int
    out: str
    err: str

    @property
    def document(self) -> Any:
        """Return the one JSON document on stdout."""
        return json.loads(self.out)


NOWHERE = "/nonexistent"
"""Where nothing of the user's is found, and nothing can be written."""


def in_here(*arguments: object, **more: str) -> Said:
    """Run the program in this process: quicker, where it starts no event loop and touches no signal; ``more`` is environment."""
    out, err = io.StringIO(), io.StringIO()
    with pytest.MonkeyPatch.context() as patch:
        for name, value in ({"XDG_CONFIG_HOME": NOWHERE, "XDG_STATE_HOME": NOWHERE} | more).items():
            patch.setenv(name, value)
        with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err), pytest.raises(SystemExit) as ended:
            main([str(argument) for argument in arguments])
    return Said(int(ended.value.code or 0), out.getvalue(), err.getvalue())


def environment(home: Path, **more: str) -> dict[str, str]:
    """Return an environment in which nothing of the user's is found."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("GEXDESK_", "XDG_"))}
    return kept | {"HOME": str(home), "COLUMNS": "120", "TERM": "dumb"} | more


def gexdesk(home: Path, *arguments: object, limit_s: float = 60.0, python: str | Path = sys.executable, **more: str) -> Said:
    """Run the program to its end; ``python`` is where it is installed."""
    found = subprocess.run(
        [python, "-m", "gexdesk", *map(str, arguments)],
        capture_output=True, text=True, timeout=limit_s, check=False,
        env=environment(home, **more), stdin=subprocess.DEVNULL, cwd=home,
    )  # fmt: skip
    return Said(found.returncode, found.stdout, found.stderr)


def started(home: Path, *arguments: object, python: str | Path = sys.executable, **more: str) -> "subprocess.Popen[str]":
    """Start the program and leave it running."""
    return subprocess.Popen(
        [python, "-m", "gexdesk", *map(str, arguments)],
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
        env=environment(home, **more), stdin=subprocess.DEVNULL, cwd=home,
    )  # fmt: skip
