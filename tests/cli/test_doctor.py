"""``doctor`` names what is at fault here, with real folders and a real Redis."""

import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from gexdesk.cli import doctor
from tests.cli.program import in_here
from tests.queues.valkey_server import ValkeyServer


def findings(tmp_path: Path, text: str = "", code: int | None = None) -> dict[str, dict[str, Any]]:
    (tmp_path / "gexdesk.toml").write_text(text)
    said = in_here("doctor", "--config", tmp_path / "gexdesk.toml", "--state", tmp_path / "state", "--json")
    found = {finding["check"]: finding for finding in said.document["findings"]}
    assert said.document["faults"] == sum(finding["state"] == "fault" for finding in found.values())
    assert said.code == (1 if said.document["faults"] else 0)
    assert code is None or said.code == code
    assert all(finding["do"] for finding in found.values() if finding["state"] != "ok")
    return found


def test_where_all_is_well_it_says_so_and_leaves_nothing_behind(tmp_path: Path) -> None:
    found = findings(tmp_path, code=0)
    assert {"python", "configuration", "state folder", "disk", "sync", "guidelines", "open files", "clock"} <= found.keys()
    assert [path.name for path in tmp_path.iterdir()] == ["gexdesk.toml"]
    shown = in_here("doctor", "--config", tmp_path / "gexdesk.toml", "--state", tmp_path / "state")
    assert "configuration" in shown.out
    assert shown.code == 0


def test_faults_of_the_configuration_are_named(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("NO_SUCH_KEY", raising=False)
    source = '[[sources]]\nname = "{}"\nkind = "{}"\n{}\n'
    found = findings(
        tmp_path,
        source.format("gone", "directory", 'path = "nowhere"')
        + source.format("keyless", "http", 'url = "https://x.example/q"\nkey_env = "NO_SUCH_KEY"\nkey_header = "X"')
        + '[guidelines]\nfile = "rules.toml"\n',
        code=1,
    )
    assert found["source gone"]["found"] == f"{tmp_path / 'nowhere'} is not there"
    asked = f'{tmp_path / "gexdesk.toml"}: source keyless: key_env = "NO_SUCH_KEY": the environment has no NO_SUCH_KEY'
    assert found["source keyless"]["found"].startswith(asked)
    assert found["source keyless"]["do"].startswith("`export NO_SUCH_KEY=...` where the engine starts")
    assert f"gexdesk guidelines check {tmp_path / 'rules.toml'}" in found["guidelines"]["do"]
    assert found["source gone"]["do"].startswith("make it, or correct `path`")
    assert not any("see what was found" in finding["do"] for finding in found.values())
    assert "rules.toml" in found["guidelines"]["found"]
    assert findings(tmp_path, "workers = 2", code=1)["configuration"]["state"] == "fault"


def test_a_state_folder_that_others_can_read_is_a_fault_one_a_group_may_pass_is_none(tmp_path: Path) -> None:
    (tmp_path / "state").mkdir()
    for mode, state in ((0o755, "fault"), (0o750, "fault"), (0o701, "fault"), (0o710, "ok"), (0o700, "ok")):
        (tmp_path / "state").chmod(mode)
        assert findings(tmp_path)["state folder"]["state"] == state, oct(mode)


def test_a_short_disk_a_slow_one_and_few_files_are_warned_of(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(doctor.shutil, "disk_usage", lambda _: usage._replace(free=1_000_000_000))
    monkeypatch.setattr(doctor, "SYNC_SLOW_S", 0.0)
    monkeypatch.setattr(doctor, "FILES_LEAST", 2**62)
    found = findings(tmp_path)
    assert found["disk"]["state"] == found["sync"]["state"] == found["open files"]["state"] == "warning"
    assert found["disk"]["found"] == "1.0 GB free"


def test_an_address_that_cannot_be_listened_on_is_told(tmp_path: Path) -> None:
    assert findings(tmp_path, 'listen = "127.0.0.1:0"', code=0)["listen"]["state"] == "ok"
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        assert findings(tmp_path, f'listen = "127.0.0.1:{port}"', code=0)["listen"]["state"] == "warning"
    assert findings(tmp_path, 'listen = "here"', code=1)["listen"]["state"] == "fault"
    assert findings(tmp_path, 'listen = "203.0.113.1:80"', code=1)["listen"]["state"] == "fault"


@pytest.fixture(scope="module")
def servers() -> Iterator[dict[str, ValkeyServer]]:
    """Run a server as a desk wants it, one that evicts and one that keeps nothing."""
    running = {
        "right": ValkeyServer("--appendonly", "yes", "--appendfsync", "always"),
        "evicts": ValkeyServer("--maxmemory-policy", "allkeys-lru"),
        "forgets": ValkeyServer("--appendonly", "no"),
    }
    yield running
    for server in running.values():
        server.close()


def test_redis_is_asked_whether_a_queue_can_be_trusted_to_it(tmp_path: Path, servers: dict[str, ValkeyServer]) -> None:
    def told(url: str, code: int) -> tuple[str, str]:
        redis = findings(tmp_path, f'[redis]\nurl = "{url}"\n', code=code)["redis"]
        return redis["state"], redis["found"]

    assert told(servers["right"].url, 0) == ("ok", "usable")
    state, found = told(servers["evicts"].url, 1)
    assert state == "fault"
    assert "maxmemory-policy allkeys-lru" in found
    state, found = told(servers["forgets"].url, 0)
    assert state == "warning"
    assert "appendonly yes" in found
    state, found = told(f"unix://{tmp_path}/nobody", 1)
    assert (state, "does not answer" in found) == ("fault", True)
    assert told("redis://user:pass@127.0.0.1:6379", 1)[0] == "fault"
    servers["right"].freeze()
    try:
        state, found = told(servers["right"].url, 1)
        assert (state, "does not answer" in found) == ("fault", True)
    finally:
        servers["right"].thaw()
