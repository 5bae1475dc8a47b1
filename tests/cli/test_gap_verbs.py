"""``gaps`` and ``backfill`` on a real engine of its own process."""

import signal
from collections.abc import Iterator
from pathlib import Path

import pytest

from gexdesk.assemble.state_folder import METADATA_NAME
from gexdesk.cli import launch
from gexdesk.stores.base import Batch, GapRecord
from gexdesk.stores.metadata import Metadata
from tests.cli.program import in_here, started
from tests.cli.test_engine_verbs import wait_for
from tests.engine.desk_setting import drop, gexbot_at

FROM_AT = 1_772_550_000.0  # 3 March 2026
CONFIGURATION = """
[[sources]]
kind = "directory"
name = "drop"
path = "in"
level = "auto"
symbols = ["SPX"]

[[symbols]]
name = "SPX"
session = "always"
history = "history"
"""


@pytest.fixture
def state(tmp_path: Path) -> Iterator[Path]:
    """Run an engine on a folder in which an earlier one noted a gap as filled."""
    (tmp_path / "gexdesk.toml").write_text(CONFIGURATION)
    (tmp_path / "in").mkdir()
    folder = tmp_path / "state"
    metadata = Metadata(folder / METADATA_NAME)
    metadata.open()
    gap = GapRecord("SPX", "drop", FROM_AT, FROM_AT + 300.0, 60, True, FROM_AT + 900.0, "drop silent for 15 s")
    metadata.write(Batch(gaps=(gap,)))
    metadata.close()
    running = started(tmp_path, "run", "--config", "gexdesk.toml", "--state", "state")
    try:
        wait_for(lambda: launch.runs(folder))
        yield folder
        assert running.poll() is None
    finally:
        running.send_signal(signal.SIGTERM)
        running.communicate(timeout=30)


def test_a_filled_gap_says_how_much_is_there_and_takes_the_rest(state: Path, tmp_path: Path) -> None:
    assert "no gap that is not filled" in in_here("gaps", "--state", state).err
    listed = in_here("gaps", "--filled", "--state", state)
    assert "0 of 60" in listed.out
    [gap] = in_here("gaps", "--filled", "--json", "--state", state).document["gaps"]
    assert (gap["brought"], gap["wanted"]) == (0, 60)
    name = gap["gap"]
    drop(tmp_path / "history", "SPX_2026-03-03.jsonl", gexbot_at(0.0, timestamp=FROM_AT + 10.0))
    done = in_here("backfill", name, "--reason", "the rest came", "--state", state)
    assert (done.code, "backfill SPX from drop: 1 file (the rest came)" in done.err) == (0, True)
    wait_for(lambda: "1 of 60" in in_here("gaps", "--filled", "--state", state).out)
