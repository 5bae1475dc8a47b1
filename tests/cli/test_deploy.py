"""What ``init`` writes for supervisors and scrapers is what they take."""

import re
import shutil
import stat
import subprocess
from pathlib import Path

import pytest
import yaml
from prometheus_client.parser import text_string_to_metric_families

from gexdesk.api.keys import Scope
from gexdesk.settings.load import load_settings
from tests.api.served_engine import on_tcp, with_key
from tests.cli.program import in_here


def test_the_unit_is_one_systemd_takes_and_starts_this_program(tmp_path: Path) -> None:
    assert in_here("init", tmp_path / "conf", "--systemd").code == 0
    text = (tmp_path / "conf" / "gexdesk.service").read_text()
    assert "@" not in re.sub(r"@system-service", "", text.partition("[Unit]")[2])
    start = re.search(r"^ExecStart=(\S.*) run --config (\S+)$", text, re.MULTILINE)
    assert start is not None
    assert start[2] == str(tmp_path / "conf" / "gexdesk.toml")
    assert Path(start[1].split()[0]).is_file()
    for promise in ("Type=notify", "WatchdogSec=", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077"):
        assert re.search(f"^{re.escape(promise)}", text, re.MULTILINE), promise
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:  # where there is systemd, it has the last word
        unit = tmp_path / "gexdesk.service"
        # The user and the program of the host it is made for are not those of this one.
        unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE).replace("=gexdesk\n", "=root\n"))
        said = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
        assert [line for line in said.stderr.splitlines() if "gexdesk.service" in line] == []


def test_the_configuration_of_a_service_says_alone_where_its_state_is_and_who_operates(tmp_path: Path) -> None:
    """Whoever opens the desk by the configuration meets the service's engine, and starts no other."""
    folder = tmp_path / "conf"
    said = in_here("init", folder, "--systemd")
    settings = load_settings(folder / "gexdesk.toml")
    assert (settings.state, settings.socket_group) == (Path("/var/lib/gexdesk"), "gexdesk")
    unit = (folder / "gexdesk.service").read_text()
    assert "--state" not in unit.partition("[Unit]")[2]
    # The group passes to the socket and nobody else does: what the unit makes is what the door then leaves.
    assert {"StateDirectory=gexdesk", "StateDirectoryMode=0710", "UMask=0077"} <= set(unit.splitlines())
    steps = ("useradd --system", f"chown root:gexdesk {folder}", f"chmod 0750 {folder}", "daemon-reload", "systemctl enable --now")
    for told in (said.err, unit.partition("[Unit]")[0]):
        places = [told.index(step) for step in steps]
        assert places == sorted(places)
        assert "usermod -aG gexdesk NAME" in told
        assert "gexdesk attach --state /var/lib/gexdesk" in told


def test_what_init_writes_for_a_service_its_group_reads_and_nobody_else(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def modes(folder: Path) -> tuple[int, set[int]]:
        return stat.S_IMODE(folder.stat().st_mode), {stat.S_IMODE(path.stat().st_mode) for path in folder.iterdir()}

    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    assert f"{tmp_path / 'etc'} lies in a home" not in in_here("init", tmp_path / "etc", "--systemd", "--prometheus").err
    assert modes(tmp_path / "etc") == (0o750, {0o640})
    (tmp_path / "mine").mkdir(mode=0o700)
    assert in_here("init", tmp_path / "mine", "--systemd").code == 0
    assert modes(tmp_path / "mine") == (0o700, {0o640}), "a folder that was there keeps its mode"
    said = in_here("init", tmp_path / "home" / "conf", "--systemd")
    assert modes(tmp_path / "home" / "conf")[0] == 0o700
    assert f"{tmp_path / 'home' / 'conf'} lies in a home, which user gexdesk cannot pass" in said.err
    assert in_here("init", tmp_path / "plain").code == 0
    assert modes(tmp_path / "plain")[0] == 0o700
    assert load_settings(tmp_path / "plain" / "gexdesk.toml").socket_group is None


async def test_every_alert_rests_on_a_figure_that_is_there(tmp_path: Path) -> None:
    assert in_here("init", tmp_path / "conf", "--prometheus").code == 0
    rules = yaml.safe_load((tmp_path / "conf" / "alerts.yml").read_text())["groups"][0]["rules"]
    assert len(rules) >= 5
    async with on_tcp(tmp_path) as desk:
        text = (await desk.http.get("/metrics", headers=with_key(desk.key(Scope.READ)))).text
    known = {sample.name for family in text_string_to_metric_families(text) for sample in family.samples}
    for rule in rules:
        assert set(re.findall(r"gexdesk_\w+", rule["expr"])) <= known, rule["alert"]
        assert rule["labels"]["severity"] in ("page", "ticket")
        assert rule["annotations"]["first"]
    scrape = yaml.safe_load((tmp_path / "conf" / "prometheus.yml").read_text())[0]
    assert scrape["authorization"]["type"] == "Bearer"
    assert scrape.get("metrics_path", "/metrics") == "/metrics"
