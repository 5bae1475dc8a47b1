"""What ``init`` writes for supervisors and scrapers is what they take."""

import re
import shutil
import subprocess
from pathlib import Path

import yaml
from prometheus_client.parser import text_string_to_metric_families

from gexdesk.api.keys import Scope
from tests.api.served_engine import on_tcp, with_key
from tests.cli.program import in_here


def test_the_unit_is_one_systemd_takes_and_starts_this_program(tmp_path: Path) -> None:
    assert in_here("init", tmp_path / "conf", "--systemd").code == 0
    text = (tmp_path / "conf" / "gexdesk.service").read_text()
    assert "@" not in re.sub(r"@system-service", "", text.partition("[Unit]")[2])
    start = re.search(r"^ExecStart=(\S+) run --config (\S+) --state /var/lib/gexdesk$", text, re.MULTILINE)
    assert start is not None
    assert start[2] == str(tmp_path / "conf" / "gexdesk.toml")
    for promise in ("Type=notify", "WatchdogSec=", "Restart=always", "NoNewPrivileges=yes", "ProtectSystem=strict", "UMask=0077"):
        assert re.search(f"^{re.escape(promise)}", text, re.MULTILINE), promise
    analyze = shutil.which("systemd-analyze")
    if analyze is not None:  # where there is systemd, it has the last word
        unit = tmp_path / "gexdesk.service"
        # The user and the program of the host it is made for are not those of this one.
        unit.write_text(re.sub(r"^ExecStart=\S+", "ExecStart=/bin/true", text, flags=re.MULTILINE).replace("=gexdesk\n", "=root\n"))
        said = subprocess.run([analyze, "verify", "--man=no", str(unit)], capture_output=True, text=True, check=False)
        assert [line for line in said.stderr.splitlines() if "gexdesk.service" in line] == []


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
