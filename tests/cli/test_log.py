"""The engine's log: a file that can be rotated, ids in it, and nobody's key."""

import asyncio
import json
import logging
import os
import stat
from collections.abc import Iterator
from pathlib import Path

import pytest

from gexdesk.api.client import Client
from gexdesk.cli import launch
from gexdesk.cli.log import open_log
from gexdesk.model.errors import SettingsError
from gexdesk.model.view.log import LogLine
from gexdesk.settings.engine import LogSettings
from gexdesk.sources.secret import Secret
from tests.api.served_engine import ask_raw
from tests.cli.program import gexdesk, started
from tests.engine.desk_setting import gexbot_at
from tests.feed_server import Answer, FeedServer
from tests.until import until

KEY = "Kanarienvogel-7/8+x=="
CANARY = "Kanarienvogel"


@pytest.fixture
def root() -> Iterator[logging.Logger]:
    """Give the root logger back as it was."""
    logger = logging.getLogger()
    before = list(logger.handlers)
    yield logger
    for handler in set(logger.handlers) - set(before):
        logger.removeHandler(handler)
        handler.close()


def lines(path: Path) -> list[dict[str, object]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def test_json_lines_say_when_what_and_about_which_job(tmp_path: Path, root: logging.Logger) -> None:
    before = os.umask(0)
    try:
        tell = open_log(LogSettings(file=tmp_path / "desk.log", format="json"), lambda words: words)
    finally:
        os.umask(before)
    tell(LogLine(7, 1_763_000_000.25, "dead", "drop dead letter: a\x1b[2J.json\nx", grave=True), {"job": "j-1", "request": "req-1"})
    tell(LogLine(8, 1_763_000_001.0, "decision", "SPX HIGH 0.81 r (drop)"), {"job": "j-2"})
    logging.getLogger("somebody").warning("a library\nwarns")
    assert stat.S_IMODE((tmp_path / "desk.log").stat().st_mode) == 0o600
    first, second, third = lines(tmp_path / "desk.log")
    assert first == {
        "time": "2025-11-13T02:13:20.250Z", "level": "warning", "logger": "gexdesk", "kind": "dead", "sequence": 7, "job": "j-1",
        "request": "req-1", "event": first["event"],
    }  # fmt: skip
    assert "dead letter: a" in str(first["event"])
    assert (second["level"], second["job"], "request" in second) == ("info", "j-2", False)
    assert (third["level"], third["logger"]) == ("warning", "somebody")


def test_text_lines_are_one_line_each_whatever_is_in_them(tmp_path: Path, root: logging.Logger) -> None:
    tell = open_log(LogSettings(file=tmp_path / "desk.log"), lambda words: words)
    tell(LogLine(1, 0.0, "source", 'a "b"\r\nlevel=error faked=1\x1b[31m'), {"job": "j-1"})
    try:
        raise ValueError("first\nsecond")
    except ValueError:
        logging.getLogger("x").exception("it broke")
    text = (tmp_path / "desk.log").read_text()
    assert text.count("\n") == 2
    assert "\x1b" not in text
    assert text.splitlines()[0].startswith("time=1970-01-01T00:00:00.000Z ")
    assert "job=j-1" in text
    assert "ValueError: first" in text


def test_a_renamed_file_is_followed_by_a_new_one(tmp_path: Path, root: logging.Logger) -> None:
    log = tmp_path / "desk.log"
    tell = open_log(LogSettings(file=log, format="json"), lambda words: words)
    for number in range(6):
        tell(LogLine(number, 0.0, "source", "x"), {})
        if number % 2:
            log.rename(tmp_path / f"desk.log.{number}")
    kept = [[line["sequence"] for line in lines(tmp_path / f"desk.log.{number}")] for number in (1, 3, 5)]
    assert kept == [[0, 1], [2, 3], [4, 5]]
    assert all(stat.S_IMODE(path.stat().st_mode) == 0o600 for path in tmp_path.iterdir())


def test_a_file_that_cannot_be_written_is_named(tmp_path: Path, root: logging.Logger) -> None:
    with pytest.raises(SettingsError, match=r"log\.file: .*missing/desk\.log cannot be written: No such file"):
        open_log(LogSettings(file=tmp_path / "missing" / "desk.log"), lambda words: words)


@pytest.mark.parametrize("settings", ["file", "stderr"])
def test_no_key_is_logged_not_even_in_a_traceback(
    tmp_path: Path, root: logging.Logger, capsys: pytest.CaptureFixture[str], settings: str
) -> None:
    file = tmp_path / "desk.log"
    open_log(LogSettings(file=file if settings == "file" else None), Secret(KEY).redact)
    try:
        raise RuntimeError(f"GET https://x.example/q?key={KEY} for gxd_abcdefgh12345678 and Kanarienvogel-7%2F8%2Bx%3D%3D")
    except RuntimeError as error:
        logging.getLogger("asyncio").error("Task exception was never retrieved", exc_info=error)
        logging.getLogger("asyncio").error("%r", {"X-API-Key": "gxd_abcdefgh12345678"})
    text = file.read_text() if settings == "file" else capsys.readouterr().err
    assert "RuntimeError" in text
    assert "gxd_***" in text
    assert CANARY not in text
    assert "gxd_abcdefgh" not in text


async def test_the_canary_is_nowhere_a_desk_writes(tmp_path: Path) -> None:
    """A vendor's key and a caller's key, on a desk where everything that can fail does: then every file, view and error is read."""
    refused = Answer(status=401, body=f"no key {KEY}".encode(), headers={"X-Why": KEY})
    async with FeedServer(Answer(body=gexbot_at(2.0)), refused) as feed:
        (tmp_path / "gexdesk.toml").write_text(
            f'[log]\nfile = "desk.log"\nformat = "json"\n'
            f'[[sources]]\nname = "own"\nkind = "http"\nurl = "{feed.url}/q/SPX.json"\nevery_s = 0.3\nevery_outside_s = 0.3\n'
            'level = "auto"\nkey_env = "VENDOR_KEY"\nkey_param = "key"\n'
        )
        made = gexdesk(tmp_path, "key", "create", "--scope", "admin", "--name", "loader", "--state", "state", "--json")
        key = made.document["key"]
        engine = started(
            tmp_path, "run", "--config", "gexdesk.toml", "--state", "state", "--listen", "127.0.0.1:0", VENDOR_KEY=KEY
        )
        try:
            await until(lambda: launch.runs(tmp_path / "state"), limit_s=60)
            client = Client(tmp_path / "state", timeout_s=30)

            async def failing() -> bool:
                view = await client.view()
                return view.sources[0].errors_5m > 0 and view.completed > 0

            await until(failing, limit_s=60)
            asked = {"source_url": f"{feed.url}/q/other.json?key={key}", "data_type": "snapshot", "market_symbol": "SPX"}
            status, taken = await asyncio.to_thread(
                ask_raw, tmp_path / "state", "POST", "/api/v1/ingest/priority", json.dumps(asked).encode()
            )
            assert status == 202

            async def failed() -> bool:
                return (await client.request(taken["request_id"])).status == "FAILED"

            await until(failed, limit_s=60)
            shown = [str(await client.view()), str(await client.request(taken["request_id"]))]
            for path in ("requests", "decisions", "audit", "dead-letters", "jobs"):
                shown.append(json.dumps((await asyncio.to_thread(ask_raw, tmp_path / "state", "GET", f"/api/v1/{path}"))[1]))
        finally:
            engine.terminate()
            shown += await asyncio.to_thread(engine.communicate, timeout=60)
    assert any(request.query.get("key") == KEY for request in feed.requests)  # it was sent, and is still nowhere
    logged = lines(tmp_path / "desk.log")
    assert any(line.get("request") == taken["request_id"] for line in logged)
    assert any(line["kind"] == "decision" and line["job"] for line in logged if "kind" in line)
    files = {path: path.read_bytes() for path in tmp_path.rglob("*") if path.is_file()}
    assert len(files) > 8
    wrong = [str(path) for path, content in files.items() if CANARY.encode() in content]
    assert wrong == []
    # The URL that was asked for is kept for the next engine, owner-only; nothing else has the caller's key.
    holding = {path.name for path, content in files.items() if key.encode() in content}
    assert holding <= {"requests.jsonl"}
    assert stat.S_IMODE((tmp_path / "state" / "requests.jsonl").stat().st_mode) == 0o600
    assert not any(CANARY in text or key in text for text in shown)
