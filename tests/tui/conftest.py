"""No test of screens reads or writes the files of whoever runs it."""

from pathlib import Path

import pytest


@pytest.fixture(autouse=True)
def own_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setenv("XDG_CONFIG_HOME", str(tmp_path / "config"))
    monkeypatch.delenv("TMUX", raising=False)
    return tmp_path / "config" / "gexdesk"


@pytest.fixture(autouse=True)
def ticks_by_hand(monkeypatch: pytest.MonkeyPatch) -> None:
    """Let screens tick when a test says so: one of their own in between, on a busy machine, would draw what is not due yet."""
    for screen in ("desk", "page"):
        monkeypatch.setattr(f"gexdesk.tui.screens.{screen}.TICK_S", 3_600.0)
