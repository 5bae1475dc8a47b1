"""The first hour of a new user, with the installed program alone: set up, feed, run, submit, watch, act, scrape, verify."""

import json
import os
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.cli.program import Said, gexdesk, started
from tests.engine.desk_setting import chain_at
from tests.feed_server import Answer, FeedServer, in_a_thread
from tests.wheel import built, installed

LIMIT_S = 90.0


@pytest.fixture
def feed() -> Iterator[FeedServer]:
    """Serve a vendor on the loopback, on a loop of its own."""
    with in_a_thread(FeedServer(Answer(body=chain_at(2.0, "SPX", contracts=40)))) as server:
        yield server


class Person:
    """Type commands in a home of their own, and wait for what they expect to see."""

    def __init__(self, home: Path, python: Path) -> None:
        self.home = home
        self.python = python

    def types(self, *words: object, code: int = 0, **more: str) -> Said:
        said = gexdesk(self.home, *words, limit_s=LIMIT_S, python=self.python, **more)
        assert said.code == code, (words, said.err)
        return said

    def waits_for(self, *words: object, until: Any, **more: str) -> Any:
        give_up_at = time.monotonic() + LIMIT_S
        while not until(found := self.types(*words, "--json", **more).document):
            assert time.monotonic() < give_up_at, (words, found)
        return found


def call(url: str, key: str, body: object = None) -> Any:
    """Call the API as a script would: no library of ours."""
    data = None if body is None else json.dumps(body).encode()
    request = urllib.request.Request(url, data, {"X-API-Key": key} if key else {}, method="GET" if body is None else "POST")
    with urllib.request.build_opener(urllib.request.ProxyHandler({})).open(request, timeout=30) as answer:
        text = answer.read().decode()
    return json.loads(text) if answer.headers["content-type"] == "application/json" else text


@pytest.mark.timeout(300)
def test_the_walk_of_a_new_user(tmp_path: Path, feed: FeedServer) -> None:
    (tmp_path / "dist").mkdir()
    person = Person(tmp_path, installed(built(tmp_path / "dist"), tmp_path / "venv"))
    config = tmp_path / ".config" / "gexdesk" / "gexdesk.toml"

    # Set up: a commented configuration where the program looks for it, and a feed of the real format in it.
    assert f"wrote {config}" in person.types("init").err
    person.types("init", code=1)  # nothing is written over
    config.write_text(
        config.read_text() + f'\n[[sources]]\nname = "cboe-spx"\nkind = "http"\nurl = "{feed.url}/options/_SPX.json"\n'
        'symbols = ["SPX"]\nevery_s = 3600\nevery_outside_s = 3600\nalways = true\ndelay_s = 0\nlevel = "auto"\n'
    )  # fmt: skip
    assert person.types("doctor", "--json").document["faults"] == 0
    with socket.create_server(("127.0.0.1", 0)) as free:
        base = f"http://127.0.0.1:{free.getsockname()[1]}"
    engine = started(tmp_path, "run", "--config", config, "--listen", base.removeprefix("http://"), python=person.python)
    try:
        give_up_at = time.monotonic() + LIMIT_S
        while True:
            try:
                assert call(f"{base}/healthz", "") == {"status": "ok"}
                break
            except (urllib.error.URLError, ConnectionError):
                assert engine.poll() is None
                assert time.monotonic() < give_up_at
                time.sleep(0.1)

        # The feed is there, with numbers.
        view = person.waits_for("status", until=lambda view: view["completed"] >= 1)
        assert [source["name"] for source in view["sources"]] == ["cboe-spx"]
        [spx] = [symbol for symbol in view["symbols"] if symbol["symbol"] == "SPX"]
        assert spx["served_by"] == "cboe-spx"
        assert spx["spot"] == 6000.0
        assert spx["gross_gex"] > 0

        # Ask for one more document by hand, and watch it to its end.
        feed.answers = [Answer(body=chain_at(1.0, "SPX", spot=6010.0, contracts=40))]
        taken = person.types("submit", f"{feed.url}/options/later.json", "--symbol", "SPX", "--data-type", "real_time", "--json")
        request_id = taken.document["request_id"]
        stands = person.waits_for("status", request_id, until=lambda stands: stands["status"] in ("COMPLETED", "FAILED"))
        assert (stands["status"], stands["records_processed"], stands["error_message"]) == ("COMPLETED", 1, None)
        person.types("submit", "http://169.254.169.254/latest/meta-data", "--symbol", "SPX", code=1)

        # A script promotes it by a key of its own; one that may only read may not.
        operate = person.types("key", "create", "--scope", "operate", "--scope", "read", "--name", "script", "--json").document
        lever = {"verb": "promote", "target": "cboe-spx", "reason": "the desk asked", "for_s": 900}
        outcome = call(f"{base}/api/v1/levers", operate["key"], lever)
        assert outcome["done"] is True
        read = person.types("key", "create", "--scope", "read", "--name", "prometheus", "--json").document
        with pytest.raises(urllib.error.HTTPError) as refused:
            call(f"{base}/api/v1/levers", read["key"], lever)
        assert refused.value.code == 403
        assert f"script (key {operate['id']})" in json.dumps(call(f"{base}/api/v1/view", read["key"])["overrides"])

        # Scrape, look from another host, and end one key.
        metrics = call(f"{base}/metrics", read["key"])
        assert 'gexdesk_source_payloads_total{source="cboe-spx"} 2.0' in metrics
        elsewhere = person.types("sources", "--url", base, "--json", GEXDESK_KEY=read["key"], GEXDESK_STATE="/nowhere").document
        assert elsewhere["total_count"] == 1
        person.types("key", "revoke", operate["id"])
        with pytest.raises(urllib.error.HTTPError) as refused:
            call(f"{base}/api/v1/levers", operate["key"], lever)
        assert refused.value.code == 401
        assert person.types("query", "SELECT symbol, count(*) AS n FROM snapshots GROUP BY symbol", "--json").document == [
            {"symbol": "SPX", "n": 2}
        ]
        assert person.types("stop").err == "stopped\n"
        assert engine.wait(60) == 0
    finally:
        engine.terminate()
        engine.communicate(timeout=60)

    # Who did what is written down, and whoever changes that is found out.
    acts = [(line["act"], line["actor"].partition(" ")[0]) for line in person.types("audit", "show", "--json").document]
    me = os.environ.get("USER") or __import__("getpass").getuser()
    assert acts == [("key_create", me), ("promote", "script"), ("key_create", me), ("key_revoke", me)]
    assert person.types("audit", "verify", "--json").document == {"intact": True, "lines": 4, "broken": None}
    [audit] = (tmp_path / ".local" / "state").rglob("audit.jsonl")
    audit.write_bytes(audit.read_bytes().replace(b"the desk asked", b"nobody asked!!"))
    assert person.types("audit", "verify", "--json", code=1).document["broken"]["line"] == 2

