"""History files through the whole program: with an engine of its own, and into one that runs."""

import json
from pathlib import Path

from tests.cli.program import gexdesk, started
from tests.formats.format_samples import gexbot


def history(folder: Path, count: int) -> Path:
    for number in range(count):
        day = folder / "SPX" / "2026-03-02"
        day.mkdir(parents=True, exist_ok=True)
        body = gexbot().replace(b"1772463600", str(1_772_463_600 + number).encode())
        (day / f"{number:03d}.json").write_bytes(body)
    return folder


def snapshots(home: Path, state: Path) -> list[dict[str, object]]:
    asked = "SELECT count(*) AS n, count(DISTINCT as_of) AS stamps, min(symbol) AS symbol FROM snapshots"
    return gexdesk(home, "query", asked, "--state", state, "--json").document  # type: ignore[no-any-return]


def test_files_are_imported_once_without_an_engine(tmp_path: Path) -> None:
    files, state = history(tmp_path / "history", 5), tmp_path / "state"
    (files / "broken.json").write_bytes(b'{"strikes": [')
    said = gexdesk(tmp_path, "import", files, "--state", state, "--json")
    assert said.document == {"files": 6, "completed": 5, "repeated": 0, "dead": 1}, said.err
    assert said.code == 1
    assert snapshots(tmp_path, state) == [{"n": 5, "stamps": 5, "symbol": "SPX"}]
    levels = "SELECT DISTINCT level FROM jobs WHERE status = 'COMPLETED'"
    assert gexdesk(tmp_path, "query", levels, "--state", state, "--json").document == [{"level": "LOW"}]
    (files / "broken.json").unlink()
    again = gexdesk(tmp_path, "import", files, "--state", state)
    assert again.code == 0
    assert again.err.splitlines()[-1].startswith("5 of 5 files imported")
    assert snapshots(tmp_path, state) == [{"n": 5, "stamps": 5, "symbol": "SPX"}]
    assert list((state / "import").iterdir()) == []


def test_a_running_engine_takes_files_in(tmp_path: Path) -> None:
    files, state = history(tmp_path / "history", 3), tmp_path / "state"
    engine = started(tmp_path, "run", "--state", state, "--json")
    try:
        assert engine.stderr is not None
        while not (state / "engine.sock").exists():
            assert engine.poll() is None
        said = gexdesk(tmp_path, "import", files / "SPX", "--state", state, "--json")
        assert (said.code, said.document) == (0, {"files": 3, "completed": 3, "repeated": 0, "dead": 0}), said.err
        assert gexdesk(tmp_path, "stop", "--state", state).code == 0
        assert json.loads(engine.communicate(timeout=30)[0])["completed"] == 3
    finally:
        engine.kill()
        engine.wait()


def test_what_is_not_there_imports_nothing(tmp_path: Path) -> None:
    said = gexdesk(tmp_path, "import", tmp_path / "nowhere", "--state", tmp_path / "state")
    assert (said.code, said.err) == (1, f"gexdesk: {tmp_path}/nowhere is neither a file nor a folder; nothing was imported\n")
    (tmp_path / "empty").mkdir()
    assert gexdesk(tmp_path, "import", tmp_path / "empty", "--state", tmp_path / "state").code == 1
    assert not (tmp_path / "state").exists()
