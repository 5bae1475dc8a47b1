"""The operator's own paging command: given the incident, bounded in time, its failures told, nothing held up."""

import asyncio
import json
import os
import sys
import tempfile
import time
from pathlib import Path

import pytest

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.pager import Page, Pager, Paging
from gexdesk.model.clock import SystemClock
from gexdesk.model.view.incident import IncidentView

INCIDENT = IncidentView(41, 2, "QQQ", "cboe-qqq fails: 503", 9.0, None, "the vendor", kind="feed_failing", readers=("risk",))


def a_pager(*command: str, timeout_s: float = 10.0) -> tuple[Pager, Chronicle]:
    chronicle = Chronicle(SystemClock())
    return Pager(Paging(command=command, timeout_s=timeout_s), chronicle), chronicle


def python(code: str) -> tuple[str, ...]:
    return sys.executable, "-S", "-c", code


async def test_the_command_gets_the_incident_as_json_on_stdin(tmp_path: Path) -> None:
    pager, chronicle = a_pager(*python(f"import sys; open({str(tmp_path / 'page')!r}, 'a').write(sys.stdin.read() + chr(10))"))
    assert pager.state == "ok"
    pager.send(Page("opened", INCIDENT))
    pager.send(Page("worse", INCIDENT))
    await pager.stop()
    pages = [json.loads(line) for line in (tmp_path / "page").read_text().splitlines()]
    assert [page["what"] for page in pages] == ["opened", "worse"]
    expected = {"number": 41, "subject": "QQQ", "readers": ["risk"], "kind": "feed_failing"}
    assert {name: pages[0]["incident"][name] for name in expected} == expected
    assert [line.text for line in chronicle.lines()] == ["page #41 opened sent", "page #41 worse sent"]


async def test_a_command_that_fails_is_told_with_its_last_words_until_a_page_goes_through(tmp_path: Path) -> None:
    flag = tmp_path / "works"
    code = f"import os, sys; sys.stderr.write('a\\nno \\x1b[2Jroute\\n'); sys.exit(0 if os.path.exists({str(flag)!r}) else 7)"
    pager, chronicle = a_pager(*python(code))
    pager.send(Page("opened", INCIDENT))
    await pager.stop()
    assert pager.state == f"failing: {sys.executable} ended with 7: no  [2Jroute"
    assert chronicle.lines()[-1].grave
    flag.touch()
    pager.send(Page("opened", INCIDENT))
    await pager.stop()
    assert pager.state == "ok"


async def test_a_command_that_is_not_there_is_told() -> None:
    pager, _ = a_pager("/no/such/pager")
    pager.send(Page("opened", INCIDENT))
    await pager.stop()
    assert pager.state.startswith("failing: /no/such/pager cannot be started: ")


async def test_a_command_that_hangs_is_killed_with_its_children_and_holds_nothing_up(tmp_path: Path) -> None:
    pager, _ = a_pager("/bin/sh", "-c", f"(sleep 1.5; touch {tmp_path / 'late'}) & sleep 60", timeout_s=0.3)
    began = time.monotonic()
    pager.send(Page("opened", INCIDENT))
    assert time.monotonic() - began < 0.1
    await pager.stop()
    assert time.monotonic() - began < 1.4
    assert pager.state == "failing: /bin/sh took longer than 0.3 s and was killed"
    await asyncio.sleep(1.6)
    assert not (tmp_path / "late").exists()


async def test_a_command_that_leaves_something_running_is_done_when_it_ends_itself(tmp_path: Path) -> None:
    pager, _ = a_pager("/bin/sh", "-c", f"(sleep 0.4; touch {tmp_path / 'sent'}) & echo on its way >&2")
    began = time.monotonic()
    pager.send(Page("opened", INCIDENT))
    await pager.stop()
    assert time.monotonic() - began < 0.4
    assert pager.state == "ok"
    await asyncio.sleep(0.6)
    assert (tmp_path / "sent").exists()


async def test_a_disk_that_takes_no_file_keeps_no_page_back(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "gone"))
    code = f"import sys; open({str(tmp_path / 'page')!r}, 'w').write(sys.stdin.read()); print(1, file=sys.stderr)"
    pager, _ = a_pager(*python(code))
    pager.send(Page("opened", INCIDENT))
    await pager.stop()
    assert json.loads((tmp_path / "page").read_text())["incident"]["number"] == 41
    assert pager.state == "ok"


async def test_what_keeps_a_page_back_is_told_and_the_next_one_goes_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    pager, chronicle = a_pager(*python(f"open({str(tmp_path / 'page')!r}, 'a').write('x')"))
    files, memfd = [OSError(24, "Too many open files")], os.memfd_create

    def scarce(name: str) -> int:
        if files:
            raise files.pop()
        return memfd(name)

    monkeypatch.setattr(os, "memfd_create", scarce)
    pager.send(Page("opened", INCIDENT))
    pager.send(Page("worse", INCIDENT))
    await pager.stop()
    assert (tmp_path / "page").read_text() == "x"
    first, second = [line.text for line in chronicle.lines()]
    assert "page #41 opened was not sent" in first
    assert "Too many open files" in first
    assert second == "page #41 worse sent"


async def test_a_command_that_ends_as_it_is_killed_is_told_as_too_slow(monkeypatch: pytest.MonkeyPatch) -> None:
    kill = os.killpg

    def gone(group: int, number: int) -> None:
        kill(group, number)
        raise ProcessLookupError(3, "No such process")

    monkeypatch.setattr(os, "killpg", gone)
    pager, _ = a_pager("/bin/sh", "-c", "sleep 60", timeout_s=0.2)
    pager.send(Page("opened", INCIDENT))
    await pager.stop()
    assert pager.state == "failing: /bin/sh took longer than 0.2 s and was killed"


def test_what_is_wanted_is_what_is_configured() -> None:
    chronicle = Chronicle(SystemClock())
    wants = Pager(Paging(command=("page",), min_severity=2), chronicle).wants
    assert [wants(what, 2) for what in ("opened", "worse", "closed")] == [True, True, False]
    assert not wants("opened", 1)
    asked = Pager(Paging(command=("page",), min_severity=1, on_worse=False, on_closed=True), chronicle).wants
    assert [asked(what, 1) for what in ("opened", "worse", "closed")] == [True, False, True]
    assert not Pager(Paging(), chronicle).wants("opened", 2)
