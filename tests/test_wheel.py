"""What is installed is whole: types, themes, sample, deploy files, and it runs in an environment of its own."""

import json
import subprocess
import sys
import sysconfig
import venv
import zipfile
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parent.parent
NEEDED = (
    "gexdesk/py.typed", "gexdesk/runbook.md", "gexdesk/README.md", "gexdesk/cli/starter.toml", "gexdesk/guidelines/default.toml",
    "gexdesk/cli/deploy/gexdesk.service", "gexdesk/cli/deploy/alerts.yml", "gexdesk/cli/deploy/prometheus.yml",
)  # fmt: skip


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel."""
    folder = tmp_path_factory.mktemp("dist")
    command = [sys.executable, "-m", "hatchling", "build", "-t", "wheel", "-d", str(folder)]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    [built] = folder.glob("*.whl")
    return built


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
    """The libraries come from here; the program from the wheel alone."""
    venv.create(tmp_path / "venv", with_pip=False)
    python = tmp_path / "venv" / "bin" / "python"
    site = next((tmp_path / "venv" / "lib").glob("python*/site-packages"))
    zipfile.ZipFile(wheel).extractall(site)
    (site / "libraries.pth").write_text(sysconfig.get_path("purelib") + "\n")

    def ran(*arguments: str) -> str:
        command = [python, "-m", "gexdesk", *arguments]
        home = {"HOME": str(tmp_path), "PATH": "/usr/bin:/bin", "TERM": "dumb"}
        return subprocess.run(command, cwd=tmp_path, env=home, check=True, capture_output=True, text=True, timeout=100).stdout

    where = [python, "-c", "import gexdesk; print(gexdesk.__file__)"]
    found = subprocess.run(where, cwd=tmp_path, check=True, capture_output=True, text=True).stdout
    assert found.startswith(str(site))
    closing = json.loads(ran("run", "--sample", "--for", "6s", "--state", "state", "--json"))
    assert closing["received"] > 10
    assert closing["completed"] > 0
    assert "gexdesk" in ran("--help")
    ran("init", "conf", "--systemd", "--prometheus")
    assert {path.name for path in (tmp_path / "conf").iterdir()} == {
        "gexdesk.toml", "guidelines.toml", "gexdesk.service", "prometheus.yml", "alerts.yml",
    }  # fmt: skip
