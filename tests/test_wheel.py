"""What is installed is whole: types, themes, sample, deploy files, and it runs in an environment of its own."""

import json
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.wheel import ROOT, built, installed

NEEDED = (
    "gexdesk/py.typed", "gexdesk/runbook.md", "gexdesk/README.md", "gexdesk/cli/starter.toml", "gexdesk/guidelines/default.toml",
    "gexdesk/cli/deploy/gexdesk.service", "gexdesk/cli/deploy/alerts.yml", "gexdesk/cli/deploy/prometheus.yml",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return built(tmp_path_factory.mktemp("dist"))


def test_every_file_the_program_reads_is_in_the_wheel(wheel: Path) -> None:
    names = set(zipfile.ZipFile(wheel).namelist())
    assert set(NEEDED) <= names
    package = ROOT / "gexdesk"
    here = {
        f"gexdesk/{path.relative_to(package)}"
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    assert here <= names
    sample = ROOT / "sample_data"
    assert {f"gexdesk/sample/data/{path.relative_to(sample)}" for path in sample.rglob("*.gz")} <= names
    assert {f"gexdesk/tui/themes/{path.name}" for path in (ROOT / "themes").glob("*.toml")} <= names
    assert not [name for name in names if name.startswith("tests") or name.endswith((".pyc", ".duckdb"))]


def test_installed_it_runs_the_sample_from_anywhere(wheel: Path, tmp_path: Path) -> None:
    python = installed(wheel, tmp_path / "venv")

    def ran(*arguments: str) -> str:
        command = [python, "-m", "gexdesk", *arguments]
        home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb"}
        return subprocess.run(command, cwd=tmp_path, env=home, check=True, capture_output=True, text=True, timeout=100).stdout

    where = [python, "-c", "import gexdesk; print(gexdesk.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found.startswith(str(tmp_path / "venv"))
    closing = json.loads(ran("run", "--sample", "--for", "6s", "--state", "state", "--json"))
    assert closing["received"] > 10
    assert closing["completed"] > 0
    assert "gexdesk" in ran("--help")
    ran("init", "conf", "--systemd", "--prometheus")
    assert {path.name for path in (tmp_path / "conf").iterdir()} == {
        "gexdesk.toml", "guidelines.toml", "gexdesk.service", "prometheus.yml", "alerts.yml",
    }  # fmt: skip
