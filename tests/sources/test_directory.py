"""Watching real folders."""

import asyncio
import json
import os
import socket
import stat
import time
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Arrival
from gexdesk.sources import delivered as delivered_module
from gexdesk.sources.base import Ended, Failed, Fetched, Unchanged
from gexdesk.sources.delivered import Delivered
from gexdesk.sources.directory import Directory
from gexdesk.sources.files import FileChanged, Sighting, Version, read
from tests.contracts.source_contract import Desk, Rig, SourceContract, run_until
from tests.running_clock import RunningClock

LONG_AGO = 1_750_000_000


def move_in(folder: Path, name: str, body: bytes, mtime: float = LONG_AGO) -> Path:
    """Do what a feed should do: write elsewhere, then rename."""
    written = folder.parent / f"{folder.name}.{name}.outside"
    written.write_bytes(body)
    os.utime(written, (mtime, mtime))
    return written.rename(folder / name)


class DirectoryRig:
    def __init__(self, folder: Path) -> None:
        self._folder = folder / "in"
        self._folder.mkdir()
        self._memory = folder / "memory.jsonl"
        self._count = 0

    def source(self) -> Directory:
        return Directory("drop", self._folder, clock=RunningClock(), once=False, memory=self._memory)

    def offer(self, *bodies: bytes) -> None:
        for body in bodies:
            self._count += 1
            move_in(self._folder, f"{self._count}.json", body, LONG_AGO + self._count)

    def stumble(self) -> None:
        (self._folder / "0.json").symlink_to("/etc/hostname")

    def taken(self, body: bytes) -> None:
        pass


class TestDirectoryContract(SourceContract):
    @asynccontextmanager
    async def open_rig(self, folder: Path) -> AsyncIterator[Rig]:
        yield DirectoryRig(folder)


class _NoRig:
    def taken(self, body: bytes) -> None:
        pass


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "drop.jsonl"


@pytest.fixture
def desk() -> Desk:
    return Desk(_NoRig())


Once = Callable[..., "asyncio.Future[Desk]"]


@pytest.fixture
def once(folder: Path, memory: Path) -> Once:
    """Run a new source to its end, as a restarted process would."""

    async def run(**options) -> Desk:
        desk = Desk(_NoRig())
        desk.refusals = options.pop("refusals", [])
        source = Directory("drop", folder, clock=RunningClock(), once=True, memory=memory, **options)
        async with asyncio.timeout(10):
            await source.run(desk.deliver, desk.report)
        assert desk.outcomes.count(Ended()) == 1
        assert desk.outcomes[-1] == Ended()
        return desk

    return run


def names(desk: Desk) -> list[str]:
    return [arrival.name for arrival in desk.arrivals]


async def test_what_is_there_at_the_start_comes_oldest_first_then_by_name(folder: Path, once: Once) -> None:
    for name, mtime in (("c", 30), ("a", 20), ("b", 20), ("z", 10)):
        move_in(folder, name, name.encode(), LONG_AGO + mtime)
    assert names(await once()) == ["z", "a", "b", "c"]
    assert sorted(p.name for p in folder.iterdir()) == ["a", "b", "c", "z"], "the folder is not ours to change"


async def test_a_restart_hands_over_only_what_is_new(folder: Path, once: Once) -> None:
    move_in(folder, "a.json", b"1")
    assert (await once()).bodies == [b"1"]
    assert (await once()).bodies == []
    move_in(folder, "a.json", b"2")  # another inode, the same size and mtime
    (folder / "b.json").write_bytes(b"3")
    assert (await once()).bodies == [b"2", b"3"]
    os.utime(folder / "b.json", (LONG_AGO, LONG_AGO))
    assert (await once()).bodies == [b"3"], "another mtime may mean another content"
    assert (await once()).bodies == []


async def test_a_file_is_remembered_only_once_it_was_acknowledged(folder: Path, memory: Path, desk: Desk, once: Once) -> None:
    move_in(folder, "a.json", b"1")
    desk.refusals = [StoreError("full")] * 99
    source = Directory("drop", folder, clock=RunningClock(), once=True, memory=memory)
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.failures) > 2)
    assert not memory.exists()
    assert (await once()).bodies == [b"1"]
    assert memory.exists()


async def test_a_refused_store_is_asked_again_more_slowly_and_keeps_the_order(folder: Path, once: Once) -> None:
    move_in(folder, "a", b"1", LONG_AGO)
    move_in(folder, "b", b"2", LONG_AGO + 1)
    waits = []

    class Clock(RunningClock):
        async def sleep(self, seconds: float) -> None:
            waits.append(seconds)
            await super().sleep(seconds)

    desk = Desk(_NoRig())
    desk.refusals = [StoreError("full")] * 8
    memory = folder.parent / "m"
    source = Directory("drop", folder, clock=Clock(), once=True, memory=memory, jitter=lambda: 1.0)
    await source.run(desk.deliver, desk.report)
    assert desk.bodies == [b"1", b"2"]
    assert waits[:8] == [2.0, *[4.0] * 7], "once there is room again nobody waits for long"


async def test_names_still_in_writing_and_subfolders_are_left_alone(folder: Path, once: Once) -> None:
    for name in (".hidden", "a.tmp", "a.json.part", "a.json~", ".a.json.swp"):
        move_in(folder, name, b"x")
    (folder / "sub").mkdir()
    move_in(folder / "sub", "deep.json", b"x")
    move_in(folder, "a.part.json", b"1")
    desk = await once()
    assert names(desk) == ["a.part.json"]
    assert desk.failures == []


async def test_links_pipes_and_sockets_are_reported_once_and_never_opened(folder: Path, memory: Path, desk: Desk) -> None:
    secret = folder.parent / "secret"
    secret.write_bytes(b"not for the desk")
    (folder / "link.json").symlink_to(secret)
    (folder / "dangling.json").symlink_to("nowhere")
    os.mkfifo(folder / "pipe.json")
    with socket.socket(socket.AF_UNIX) as listener:
        listener.bind(str(folder / "socket.json"))
    move_in(folder, "good.json", b"1")
    source = Directory("drop", folder, clock=RunningClock(), once=False, memory=memory)
    await run_until(source.run(desk.deliver, desk.report), lambda: desk.story.count("Unchanged") >= 3)
    assert desk.bodies == [b"1"]
    assert sorted(desk.failures) == [
        "dangling.json is a symbolic link: move the file itself here",
        "link.json is a symbolic link: move the file itself here",
        "pipe.json is no regular file: only those are taken",
        "socket.json is no regular file: only those are taken",
    ]


def test_what_takes_a_files_place_before_it_is_read_is_not_read(folder: Path) -> None:
    path = move_in(folder, "a.json", b"1")
    sighting = Sighting.of(path.lstat())
    assert read(path, sighting, blind=False) == b"1"
    move_in(folder, "a.json", b"1")
    with pytest.raises(FileChanged):
        read(path, sighting, blind=False)
    path.unlink()
    os.mkfifo(path)
    with pytest.raises(FileChanged):
        read(path, sighting, blind=False)
    path.unlink()
    path.symlink_to(folder.parent)
    with pytest.raises(OSError, match="symbolic links"):
        read(path, sighting, blind=False)
    path.unlink()
    path.mkdir()
    opened = len(os.listdir("/proc/self/fd"))  # none is left open
    with pytest.raises(FileChanged):
        read(path, sighting, blind=False)
    assert len(os.listdir("/proc/self/fd")) == opened


def test_a_file_that_changes_while_it_is_read_is_not_taken(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = move_in(folder, "a.json", b"1234")
    real = os.fstat

    contents = [b"12345", b"123", b"4321"]

    def look_then_write(opened: int) -> os.stat_result:
        seen = real(opened)
        path.write_bytes(contents[0])
        return seen

    while contents:
        with monkeypatch.context() as meddled:
            meddled.setattr(os, "fstat", look_then_write)
            with pytest.raises(FileChanged):
                read(path, Sighting.of(path.lstat()), blind=False)
        del contents[0]


async def test_files_being_written_in_place_are_taken_whole_or_not_at_all(folder: Path, memory: Path, desk: Desk) -> None:
    async def write(number: int) -> bytes:
        pieces = [f"{number}:{piece};".encode() * 50 for piece in range(6)]
        with (folder / f"{number}.json").open("wb", buffering=0) as file:
            for piece in pieces:
                await asyncio.sleep(0.005 * (number % 9))
                file.write(piece)
        return b"".join(pieces)

    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.25, rescan_s=0.1)
    running = asyncio.create_task(source.run(desk.deliver, desk.report))
    written = await asyncio.gather(*map(write, range(40)))
    async with asyncio.timeout(5):
        while len(desk.arrivals) < len(written):
            await asyncio.sleep(0.01)
    running.cancel()
    assert sorted(desk.bodies) == sorted(written)
    assert desk.failures == []


async def test_a_file_that_stood_still_too_short_is_not_taken_yet(folder: Path, memory: Path) -> None:
    clock = RunningClock()
    taken_at: list[float] = []
    grown_at: list[float] = []
    (folder / "a.json").write_bytes(b"1")

    async def deliver(arrival: Arrival) -> None:
        taken_at.append(clock.monotonic())

    class Growing(RunningClock):
        async def sleep(self, seconds: float) -> None:
            await super().sleep(seconds)
            if self.monotonic() < 3:
                with (folder / "a.json").open("ab") as file:
                    file.write(b"more")
                grown_at.append(self.monotonic())

    clock = Growing()
    await Directory("drop", folder, clock=clock, once=True, memory=memory, settle_s=0.5).run(deliver, lambda outcome: None)
    assert len(grown_at) >= 4
    assert len(taken_at) == 1
    assert taken_at[0] >= grown_at[-1] + 0.5


async def test_a_file_moved_in_is_taken_at_once(folder: Path, memory: Path, desk: Desk) -> None:
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=3.0, rescan_s=60.0)

    async def move_some() -> None:
        await asyncio.sleep(0.3)
        move_in(folder, "a.json", b"1")
        (folder / "b.json.part").write_bytes(b"2")
        await asyncio.sleep(0.02)  # the kernel's file times move on in ticks
        (folder / "b.json.part").rename(folder / "b.json")

    moving = asyncio.create_task(move_some())
    began = time.monotonic()
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == 2)
    await moving
    assert desk.bodies == [b"1", b"2"]
    assert time.monotonic() - began < 1.5


async def test_a_name_the_watch_cannot_spell_does_not_deafen_it(folder: Path, memory: Path, desk: Desk) -> None:
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.05, rescan_s=0.2)
    odd = os.fsdecode(b"odd\xff\x1b[2J.json")

    async def move_some() -> None:
        await asyncio.sleep(0.2)
        move_in(folder, odd, b"1")
        await asyncio.sleep(0.3)
        move_in(folder, "plain.json", b"2")

    async def move_some_more() -> None:
        await move_some()
        await asyncio.sleep(0.5)
        source._rescan_at = float("inf")  # from here on only the watch can tell
        move_in(folder, "third.json", b"3")

    moving = asyncio.create_task(move_some_more())
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == 3)
    await moving
    assert names(desk) == ["odd [2J.json", "plain.json", "third.json"]
    again = Desk(_NoRig())
    await Directory("drop", folder, clock=RunningClock(), once=True, memory=memory).run(again.deliver, again.report)
    assert again.arrivals == [], "remembered by its true name"


async def test_too_large_and_empty_files_are_reported_once_until_they_change(folder: Path, memory: Path, desk: Desk) -> None:
    (folder / "empty.json").touch()
    move_in(folder, "large.json", b"x" * 101)
    move_in(folder, "just.json", b"x" * 100)
    clock = RunningClock()
    source = Directory("drop", folder, clock=clock, once=False, memory=memory, cap_bytes=100)
    await run_until(source.run(desk.deliver, desk.report), lambda: desk.story.count("Unchanged") >= 3)
    assert names(desk) == ["just.json"]
    assert sorted(desk.failures) == [
        "empty.json is empty: it is taken once it holds something",
        "large.json has 101 bytes: at most 100 are taken",
    ]
    (folder / "empty.json").write_bytes(b"1")
    move_in(folder, "large.json", b"2")
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) >= 3)
    assert sorted(desk.bodies[1:]) == [b"1", b"2"]
    assert len(desk.failures) == 2


async def test_an_unreadable_file_is_reported_once_and_read_when_it_may_be(
    folder: Path, memory: Path, desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    path = move_in(folder, "a.json", b"1")

    def refuse(path: Path, sighting: Sighting, *, blind: bool) -> bytes:
        if stat.S_IMODE(path.lstat().st_mode) == 0:  # root could read it all the same
            raise PermissionError(13, "Permission denied")
        return read(path, sighting, blind=blind)

    monkeypatch.setattr("gexdesk.sources.directory.read", refuse)
    path.chmod(0)
    source = Directory("drop", folder, clock=RunningClock(), once=False, memory=memory)
    await run_until(source.run(desk.deliver, desk.report), lambda: desk.story.count("Unchanged") >= 3)
    assert desk.failures == ["a.json cannot be read: Permission denied"]
    path.chmod(0o600)
    await run_until(source.run(desk.deliver, desk.report), lambda: len(desk.arrivals) == 1)


async def test_a_file_that_changes_while_it_is_handed_over_comes_again(folder: Path, once: Once, memory: Path) -> None:
    (folder / "a.json").write_bytes(b"1")
    bodies: list[bytes] = []

    async def deliver(arrival: Arrival) -> None:
        bodies.append(arrival.body)
        if len(bodies) == 1:
            (folder / "a.json").write_bytes(b"newer")

    await Directory("drop", folder, clock=RunningClock(), once=True, memory=memory).run(deliver, lambda outcome: None)
    assert bodies == [b"1", b"newer"]


async def test_a_missing_folder_is_reported_and_looked_for_again(folder: Path, memory: Path, desk: Desk) -> None:
    folder.rmdir()
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.05, rescan_s=0.1)
    task = asyncio.create_task(source.run(desk.deliver, desk.report))

    async def until(done: Callable[[], bool]) -> None:
        async with asyncio.timeout(5):
            while not done():
                assert not task.done()
                await asyncio.sleep(0.01)

    await until(lambda: len(desk.failures) >= 2)
    assert set(desk.failures) == {f"{folder} cannot be read (No such file or directory): create it, allow it or correct the path"}
    folder.mkdir()
    move_in(folder, "a.json", b"1")
    await until(lambda: len(desk.arrivals) == 1)
    folder.rename(folder.with_name("away"))
    seen = len(desk.failures)
    await until(lambda: len(desk.failures) > seen)
    folder.mkdir()
    move_in(folder, "a.json", b"2")
    await until(lambda: len(desk.arrivals) == 2)
    task.cancel()


async def test_a_missing_folder_is_looked_for_at_the_pace_of_scans(folder: Path, memory: Path) -> None:
    folder.rmdir()
    clock = RunningClock()
    at: list[float] = []
    source = Directory("drop", folder, clock=clock, once=False, memory=memory, rescan_s=5.0)
    await run_until(source.run(Desk(_NoRig()).deliver, lambda outcome: at.append(clock.monotonic())), lambda: len(at) > 3)
    assert at[:4] == [0.0, 5.0, 10.0, 15.0]


async def test_another_folder_in_its_place_is_watched(folder: Path, memory: Path, desk: Desk) -> None:
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.05, rescan_s=0.3)
    running = asyncio.create_task(source.run(desk.deliver, desk.report))
    await asyncio.sleep(0.2)
    folder.rename(folder.with_name("away"))
    folder.mkdir()
    await asyncio.sleep(0.8)
    source._rescan_at = float("inf")  # from here on only the watch can tell
    move_in(folder, "a.json", b"1")
    async with asyncio.timeout(2):
        while not desk.arrivals:
            await asyncio.sleep(0.01)
    running.cancel()


async def test_until_idle_waits_for_what_is_settling_and_ends_without_a_folder(folder: Path, once: Once, memory: Path) -> None:
    (folder / "a.json").write_bytes(b"1")
    assert (await once(settle_s=30.0)).bodies == [b"1"]
    desk = await once()
    assert desk.outcomes == [Ended()]
    (folder / "a.json").unlink()
    folder.rmdir()
    desk = await once()
    assert [type(outcome) for outcome in desk.outcomes] == [Failed, Ended]


async def test_a_quiet_folder_is_reported_unchanged_at_its_pace(folder: Path, memory: Path) -> None:
    clock = RunningClock()
    at: list[float] = []

    def report(outcome: object) -> None:
        assert isinstance(outcome, Unchanged)
        at.append(clock.monotonic())

    async def deliver(arrival: Arrival) -> None:
        raise AssertionError

    source = Directory("drop", folder, clock=clock, once=False, memory=memory, rescan_s=5.0)
    await run_until(source.run(deliver, report), lambda: len(at) > 4)
    assert at[:5] == [0.0, 2.0, 7.0, 12.0, 17.0]


@pytest.mark.parametrize(
    ("name", "kind"),
    [
        ("a.json", "application/json"),
        ("a.JSON", "application/json"),
        ("a.jsonl", "application/x-ndjson"),
        ("a.csv", "text/csv"),
        ("a.json.gz", "application/gzip"),
        ("a.csv.zst", "application/zstd"),
        ("a.parquet", "application/vnd.apache.parquet"),
        ("a.exe", ""),
        ("json", ""),
    ],
)
async def test_the_suffix_tells_the_content_type(folder: Path, once: Once, name: str, kind: str) -> None:
    move_in(folder, name, b"1")
    assert [(a.name, a.content_type, a.source) for a in (await once()).arrivals] == [(name, kind, "drop")]


@pytest.mark.parametrize(
    "spoilt",
    [
        b'["b.json", 1, 2',
        b"\xff\xfe\x00garbage\n",
        b'{"a": 1}\n[1, 2, 3, 4]\n["x", "y", 1, 2]\nnull\n\n',
        b'["b.json", 1, 2, 3, 4]\n',
    ],
    ids=["torn", "bytes", "other shapes", "too long"],
)
async def test_a_spoilt_memory_keeps_its_good_lines(folder: Path, memory: Path, once: Once, spoilt: bytes) -> None:
    move_in(folder, "a.json", b"1")
    await once()
    memory.write_bytes(memory.read_bytes() + spoilt)
    move_in(folder, "b.json", b"2")
    assert (await once()).bodies == [b"2"]
    assert (await once()).bodies == []
    assert all(len(json.loads(line)) == 4 for line in memory.read_bytes().splitlines())


async def test_a_memory_that_cannot_be_read_stops_everything_rather_than_repeat_it(folder: Path, memory: Path, once: Once) -> None:
    move_in(folder, "a.json", b"1")
    memory.mkdir(parents=True)
    desk = await once()
    assert desk.arrivals == []
    assert desk.failures == [f"{memory} cannot be read (Is a directory): create it, allow it or correct the path"]


async def test_what_cannot_be_remembered_is_reported_and_not_repeated(folder: Path, desk: Desk) -> None:
    move_in(folder, "a.json", b"1")
    source = Directory("drop", folder, clock=RunningClock(), once=False, memory=Path("/proc/nothing/memory"))
    await run_until(source.run(desk.deliver, desk.report), lambda: desk.story.count("Unchanged") >= 3)
    assert desk.bodies == [b"1"]
    assert len(desk.failures) == 1
    assert desk.failures[0].startswith("a.json: cannot be remembered")
    assert [type(o) for o in desk.outcomes].count(Fetched) == 1


def test_the_memory_is_ours_alone_and_compacted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(delivered_module, "_KEPT_VANISHED", 2)
    path = tmp_path / "state" / "memory"
    umask = os.umask(0)
    try:
        delivered = Delivered(path)
        for number in range(5):
            for name in ("kept", "other", f"vanished{number}"):
                delivered.add(name, Version(1, 2, number))
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        assert stat.S_IMODE(path.parent.stat().st_mode) == 0o700
        delivered.compact({"kept", "other"})
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
    finally:
        os.umask(umask)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert sorted(lines) == [["kept", 1, 2, 4], ["other", 1, 2, 4], ["vanished3", 1, 2, 3], ["vanished4", 1, 2, 4]]
    again = Delivered(path)
    again.load()
    assert again.holds("kept", Version(1, 2, 4))
    assert not again.holds("kept", Version(1, 2, 3))
    assert not again.holds("vanished0", Version(1, 2, 0))


def test_a_line_the_disk_cut_short_does_not_spoil_the_next(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "memory"
    delivered = Delivered(path)
    delivered.add("a", Version(1, 1, 1))
    real = os.write
    with monkeypatch.context() as full:
        full.setattr(os, "write", lambda opened, data: real(opened, data[:5]))
        delivered.add("b", Version(2, 2, 2))
    delivered.add("c", Version(3, 3, 3))
    again = Delivered(path)
    again.load()
    assert again.holds("a", Version(1, 1, 1))
    assert again.holds("c", Version(3, 3, 3))
    assert not again.holds("b", Version(2, 2, 2))
