"""Files of lines that are added to after they were taken: each line is handed over once."""

import asyncio
import os
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st
from test_directory import _NoRig, move_in

from gexdesk.model.errors import PayloadError
from gexdesk.sources.appended import Taken, taken
from gexdesk.sources.base import Ended
from gexdesk.sources.directory import Directory
from tests.contracts.source_contract import Desk, run_until
from tests.running_clock import RunningClock

LINE = st.text("ab{}é", min_size=1, max_size=6)


@given(st.lists(LINE, min_size=1, max_size=6), st.lists(LINE, max_size=6), st.booleans())
def test_what_was_taken_and_what_was_added_are_the_file_and_no_line_is_cut(was: list[str], added: list[str], ended: bool) -> None:
    before = ("\n".join(was) + "\n" * ended).encode()
    after = ("\n".join(was + added) + "\n").encode()
    first = taken("a.jsonl", before, 0, "")
    assert first.news == before
    news = taken("a.jsonl", after, len(before), first.digest).news
    if len(after) > len(before):
        assert before.decode().split() + news.decode().split() == was + added
    else:
        assert news == after


def test_only_a_file_of_lines_that_begins_as_before_where_a_line_ends_was_added_to() -> None:
    first = taken("A.NDJSON", b"1\n2\n", 0, "")
    assert taken("A.NDJSON", b"1\n2\n3\n", 4, first.digest).news == b"3\n"
    assert taken("A.NDJSON", b"1\n9\n3\n", 4, first.digest).news == b"1\n9\n3\n", "another beginning"
    assert taken("A.NDJSON", b"1\n", 4, first.digest).news == b"1\n", "it was cut"
    assert taken("A.NDJSON", b"1\n2\n \n", 4, first.digest).news == b"", "blank lines are no news"
    half = taken("a.jsonl", b'{"a": 1}\n{"b"', 0, "")
    assert taken("a.jsonl", b'{"a": 1}\n{"b": 2}\n', 13, half.digest).news == b'{"a": 1}\n{"b": 2}\n', "it had half a line"
    assert taken("a.json", b"12", 1, first.digest) == Taken(b"12"), "no file of lines"


def add(path: Path, body: bytes) -> None:
    """Write to a file in place, and let it have rested long enough to be taken at the first look."""
    with path.open("ab") as file:
        file.write(body)
    os.utime(path, (path.stat().st_mtime - 60.0,) * 2)


async def once(folder: Path, memory: Path, *refusals: Exception) -> list[bytes]:
    desk = Desk(_NoRig())
    desk.refusals = list(refusals)
    async with asyncio.timeout(10):
        source = Directory("drop", folder, clock=RunningClock(), once=True, memory=memory, settle_s=0.01)
        await source.run(desk.deliver, desk.report)
    assert desk.outcomes[-1] == Ended()
    return desk.bodies


async def test_of_a_file_that_is_added_to_only_the_new_lines_are_handed_over_also_after_a_restart(tmp_path: Path) -> None:
    folder, memory = tmp_path / "in", tmp_path / "state" / "drop.jsonl"
    folder.mkdir()
    log = move_in(folder, "SPX.jsonl", b"1\n2\n")
    other = move_in(folder, "SPX.csv", b"1\n2\n")
    assert sorted(await once(folder, memory)) == [b"1\n2\n", b"1\n2\n"]
    add(log, b"3\n4\n")
    add(other, b"3\n")
    assert sorted(await once(folder, memory)) == [b"1\n2\n3\n", b"3\n4\n"]
    add(log, b"\n\n")
    assert await once(folder, memory) == []
    add(log, b"5\n")
    assert await once(folder, memory) == [b"5\n"]
    log.write_bytes(b"6\n")
    assert await once(folder, memory) == [b"6\n"], "begun anew"
    assert await once(folder, memory) == []


async def test_a_growing_file_is_followed_while_it_runs(tmp_path: Path) -> None:
    folder, desk = tmp_path / "in", Desk(_NoRig())
    folder.mkdir()
    log = move_in(folder, "SPX.jsonl", b"1\n")
    source = Directory("drop", folder, clock=RunningClock(), once=False, memory=tmp_path / "drop.jsonl", settle_s=0.02)

    def grown() -> bool:
        lines = len(b"".join(desk.bodies).splitlines())
        if lines == len(log.read_bytes().splitlines()) < 5:
            add(log, b"%d\n" % (lines + 1))
        return lines >= 5

    await run_until(source.run(desk.deliver, desk.report), grown)
    assert desk.bodies == [b"1\n", b"2\n", b"3\n", b"4\n", b"5\n"]


async def test_what_was_refused_is_handed_over_whole_once_it_was_added_to(tmp_path: Path) -> None:
    folder, memory = tmp_path / "in", tmp_path / "drop.jsonl"
    folder.mkdir()
    log = move_in(folder, "SPX.jsonl", b"1\n")
    assert await once(folder, memory, PayloadError("not now")) == []
    add(log, b"2\n")
    assert await once(folder, memory) == [b"1\n2\n"]
