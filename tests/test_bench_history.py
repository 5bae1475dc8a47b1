import json
import math
import subprocess
import sys
from pathlib import Path

import pytest

from tests.bench import Row, rate, row
from tests.bench._history import History, default_file, drifted


def test_a_figure_that_moved_against_the_last_runs_is_told(tmp_path: Path) -> None:
    file = tmp_path / "kept" / "history.jsonl"
    for value in (1.0, 1.1, 0.9):
        assert History(file, "here").drift(row("a figure", 5 * value, "ms", reference=5.0)) is None
        History(file, "here").add([row("a figure", 5 * value, "ms", reference=5.0)])
    kept = History(file, "here")
    assert kept.drift(row("a figure", 10.0, "ms", reference=5.0)) == pytest.approx(2.0)
    assert kept.drift(row("a figure", 50.0, "ms", reference=50.0)) == pytest.approx(1.0)  # its reference moved with it
    assert kept.drift(row("another", 10.0, "ms")) is None
    assert History(file, "elsewhere").drift(row("a figure", 10.0, "ms", reference=5.0)) is None
    assert drifted(2.0)
    assert drifted(0.5)
    assert not drifted(1.1)
    assert not drifted(None)


def test_what_was_not_measured_is_not_kept_and_a_spoilt_line_is_no_obstacle(tmp_path: Path) -> None:
    file = tmp_path / "history.jsonl"
    History(file, "here").add([Row("nothing", math.nan, "not installed", None, None, None, met=None), rate("some", 3.0, "/s")])
    with file.open("a") as kept:
        kept.write("{half a li\n[1]\n")
    for _ in range(2):
        History(file, "here").add([rate("some", 3.0, "/s")])
    assert History(file, "here").drift(rate("some", 6.0, "/s")) == pytest.approx(2.0)
    assert all(json.loads(line)["name"] == "some" for line in file.read_text().splitlines() if line.startswith('{"at"'))


def test_the_history_lies_outside_of_the_checkout(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", str(tmp_path))
    assert default_file() == tmp_path / "gexdesk" / "bench-history.jsonl"


def test_an_unknown_bench_is_wrong_usage() -> None:
    done = subprocess.run([sys.executable, "-m", "tests.bench", "speed"], capture_output=True, text=True, check=False)
    assert done.returncode == 2
    assert "no bench 'speed'; there are api, engine" in done.stderr
