"""Files that somebody is still writing, and deliveries that a pause interrupts."""

import asyncio
import errno
import fcntl
import os
import subprocess
import sys
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import pytest

from gexdesk.model.clock import SystemClock
from gexdesk.model.payload import Arrival
from gexdesk.sources import directory as directory_module
from gexdesk.sources import files as files_module
from gexdesk.sources import undivided as undivided_module
from gexdesk.sources.base import Failed, Outcome
from gexdesk.sources.delivered import Delivered
from gexdesk.sources.directory import Directory
from gexdesk.sources.files import FileChanged, Sighting, StillOpen, Version, WriterUnknown, read
from tests.running_clock import RunningClock
from tests.until import until

TICK_S = 0.02  # the kernel's file times move on in ticks: two events further apart have two times
PARTS = (b"strike,gamma\n5000,0.01\n5005,0.0", b"12\n5010,0.01", b"3\n")
WHOLE = b"".join(PARTS)
LONG_AGO = 1_750_000_000

_WRITER = """
import os, sys
opened = os.open(sys.argv[1], os.O_WRONLY | os.O_CREAT | os.O_APPEND)
print(flush=True)
for line in sys.stdin:
    os.write(opened, bytes.fromhex(line))
    print(flush=True)
"""
_PAUSING_WRITER = """
import sys, time
with open(sys.argv[1], "wb", buffering=0) as file:
    for part in sys.argv[3:]:
        file.write(bytes.fromhex(part))
        time.sleep(float(sys.argv[2]))
"""


class Writer:
    """Another process that has a file open for writing until it is closed."""

    def __init__(self, path: Path) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-S", "-c", _WRITER, path], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        self._heard()

    def write(self, part: bytes) -> None:
        assert self._process.stdin
        print(part.hex(), file=self._process.stdin, flush=True)
        self._heard()

    def close(self) -> None:
        self._process.communicate()

    def _heard(self) -> None:
        assert self._process.stdout
        assert self._process.stdout.readline() == "\n"


class Taker:
    """What the source handed over, and when by its clock."""

    def __init__(self, clock: RunningClock | SystemClock) -> None:
        self.clock = clock
        self.bodies: list[bytes] = []
        self.at: list[float] = []
        self.failures: list[str] = []

    async def deliver(self, arrival: Arrival) -> None:
        self.bodies.append(arrival.body)
        self.at.append(self.clock.monotonic())

    def report(self, outcome: Outcome) -> None:
        if isinstance(outcome, Failed):
            self.failures.append(outcome.reason)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    path = tmp_path / "in"
    path.mkdir()
    return path


@pytest.fixture
def memory(tmp_path: Path) -> Path:
    return tmp_path / "state" / "taken-drop.jsonl"


@pytest.fixture
def writer_of() -> Iterator[Callable[[Path], Writer]]:
    writers: list[Writer] = []

    def start(path: Path) -> Writer:
        writers.append(Writer(path))
        return writers[-1]

    yield start
    for writer in writers:
        writer.close()


def move_in(folder: Path, name: str, body: bytes) -> None:
    written = folder.parent / f"{name}.outside"
    written.write_bytes(body)
    os.utime(written, (LONG_AGO, LONG_AGO))
    written.rename(folder / name)


async def while_running(source: Directory, taker: Taker, work: Callable[[], Awaitable[None]]) -> None:
    running = asyncio.create_task(source.run(taker.deliver, taker.report))
    try:
        await work()
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)


async def test_nothing_is_taken_while_a_process_has_it_open_however_long(
    folder: Path, memory: Path, writer_of: Callable[[Path], Writer]
) -> None:
    clock = RunningClock()
    taker = Taker(clock)
    source = Directory("drop", folder, clock=clock, once=False, memory=memory)
    writer = writer_of(folder / "slow.csv")

    async def write_slowly() -> None:
        for part in PARTS:
            writer.write(part)
            later = clock.monotonic() + 100.0
            await until(lambda later=later: clock.monotonic() > later)  # type: ignore[misc]
            assert taker.bodies == []
        writer.close()
        await until(lambda: bool(taker.bodies))

    await while_running(source, taker, write_slowly)
    assert taker.bodies == [WHOLE]
    assert taker.failures == ["slow.csv is open for writing for 60 s: it is taken once its writer closes it"]


async def test_a_writer_that_pauses_longer_than_the_settle_time_is_waited_for(folder: Path, memory: Path) -> None:
    taker = Taker(SystemClock())
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.1, rescan_s=0.1)

    async def write_slowly() -> None:
        parts = [part.hex() for part in PARTS]
        writer = await asyncio.create_subprocess_exec(
            sys.executable, "-S", "-c", _PAUSING_WRITER, folder / "slow.csv", "0.4", *parts
        )
        await until(lambda: bool(taker.bodies))
        assert await writer.wait() == 0

    await while_running(source, taker, write_slowly)
    assert taker.bodies == [WHOLE]
    assert taker.failures == []


@pytest.mark.parametrize("gap_s", [0.7, 1.0, 1.9])
async def test_one_that_opens_and_closes_for_each_part_is_waited_for(folder: Path, memory: Path, gap_s: float) -> None:
    clock = RunningClock()
    taker = Taker(clock)
    source = Directory("drop", folder, clock=clock, once=False, memory=memory)
    written_at: list[float] = []

    async def append() -> None:
        for part in PARTS:
            with (folder / "slow.csv").open("ab") as file:
                file.write(part)
            written_at.append(clock.monotonic())
            await clock.sleep(gap_s)
        await until(lambda: bool(taker.bodies))

    await while_running(source, taker, append)
    assert taker.bodies == [WHOLE]
    assert taker.at[0] >= written_at[-1] + 2.0


async def test_a_change_that_sets_its_mtime_back_begins_the_settling_anew(folder: Path, memory: Path) -> None:
    path = folder / "a.csv"
    path.write_bytes(b"half")
    before = path.stat()

    class Clock(RunningClock):
        async def sleep(self, seconds: float) -> None:
            first = not self.monotonic()  # the source has seen the file and rests
            await super().sleep(1.5 if first else seconds)
            if first:
                time.sleep(TICK_S)
                path.write_bytes(b"full")
                os.utime(path, ns=(before.st_mtime_ns, before.st_mtime_ns))

    taker = Taker(Clock())
    source = Directory("drop", folder, clock=taker.clock, once=True, memory=memory)
    async with asyncio.timeout(5):
        await source.run(taker.deliver, taker.report)
    assert taker.bodies == [b"full"]
    assert taker.at == [3.5]


def test_no_writer_is_kept_waiting_while_a_file_is_read(folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = folder / "a.csv"
    path.write_bytes(b"1")
    sighting = Sighting.of(path.lstat())
    real = os.fstat
    looks: list[int] = []

    def look_while_a_writer_comes(opened: int) -> os.stat_result:
        looks.append(opened)
        if len(looks) == 2:
            os.close(os.open(path, os.O_WRONLY | os.O_NONBLOCK))  # BlockingIOError if it had to wait
        return real(opened)

    monkeypatch.setattr(os, "fstat", look_while_a_writer_comes)
    assert read(path, sighting, blind=False) == b"1"
    assert len(looks) == 3, "the last one after the reading"


def test_what_was_rewritten_since_it_was_sighted_is_not_read_though_size_and_mtime_agree(folder: Path) -> None:
    path = folder / "a.csv"
    path.write_bytes(b"half")
    seen = path.stat()
    time.sleep(TICK_S)
    path.write_bytes(b"full")
    os.utime(path, ns=(seen.st_mtime_ns, seen.st_mtime_ns))
    assert Version.of(path.stat()) == Version.of(seen)
    with pytest.raises(FileChanged):
        read(path, Sighting.of(seen), blind=True)


async def test_a_file_renamed_in_is_taken_within_half_a_second(folder: Path, memory: Path) -> None:
    taker = Taker(SystemClock())
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, rescan_s=60.0)
    waits: list[float] = []

    async def rename() -> None:
        await until(lambda: source._watch is not None)
        await asyncio.sleep(0.2)
        source._rescan_at = float("inf")  # from here on only the kernel's news can tell
        for number in range(3):
            (folder / "new.part").write_bytes(b"%d" % number)
            await asyncio.sleep(TICK_S)
            began = time.monotonic()
            (folder / "new.part").rename(folder / "new.csv")
            await until(lambda number=number: len(taker.bodies) > number)  # type: ignore[misc]
            waits.append(time.monotonic() - began)

    await while_running(source, taker, rename)
    assert taker.bodies == [b"0", b"1", b"2"]
    assert max(waits) < 0.5


async def test_a_file_renamed_in_while_its_writer_has_it_open_is_not_taken(
    folder: Path, memory: Path, writer_of: Callable[[Path], Writer]
) -> None:
    clock = RunningClock()
    taker = Taker(clock)
    writer = writer_of(folder / "new.part")
    writer.write(PARTS[0])
    time.sleep(TICK_S)
    (folder / "new.part").rename(folder / "new.csv")
    source = Directory("drop", folder, clock=clock, once=False, memory=memory)

    async def write_the_rest() -> None:
        await until(lambda: clock.monotonic() > 30.0)
        assert taker.bodies == []
        writer.write(PARTS[1])
        writer.write(PARTS[2])
        writer.close()
        await until(lambda: bool(taker.bodies))

    await while_running(source, taker, write_the_rest)
    assert taker.bodies == [WHOLE]


async def test_until_idle_waits_for_an_open_file_too(folder: Path, memory: Path, writer_of: Callable[[Path], Writer]) -> None:
    clock = RunningClock()
    taker = Taker(clock)
    writer = writer_of(folder / "slow.csv")
    writer.write(PARTS[0])

    async def finish() -> None:
        await until(lambda: clock.monotonic() > 30.0)
        writer.write(PARTS[1] + PARTS[2])
        writer.close()

    finishing = asyncio.create_task(finish())
    async with asyncio.timeout(10):
        await Directory("drop", folder, clock=clock, once=True, memory=memory).run(taker.deliver, taker.report)
    await finishing
    assert taker.bodies == [WHOLE]


@pytest.mark.parametrize("refusal", [errno.EACCES, errno.EINVAL, errno.ENOLCK])
async def test_where_the_kernel_does_not_tell_a_file_stands_still_for_longer(
    folder: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, refusal: int
) -> None:
    real = fcntl.fcntl

    def refuse(opened: int, command: int, value: int) -> int:
        if command == fcntl.F_SETLEASE:
            raise OSError(refusal, os.strerror(refusal))
        return real(opened, command, value)

    monkeypatch.setattr(fcntl, "fcntl", refuse)
    clock = RunningClock()
    taker = Taker(clock)
    (folder / "copied.csv").write_bytes(b"copied")
    move_in(folder, "renamed.csv", b"renamed")
    source = Directory("drop", folder, clock=clock, once=True, memory=memory)
    await source.run(taker.deliver, taker.report)
    assert taker.bodies == [b"renamed", b"copied"]
    assert taker.at == [0.0, 5.0]
    assert taker.failures == []


def test_a_server_that_lends_nothing_is_no_writer(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, writer_of: Callable[[Path], Writer]
) -> None:
    path = folder / "a.csv"
    writer_of(path).write(b"1")
    seen = path.stat()
    with pytest.raises(StillOpen):
        read(path, Sighting.of(seen), blind=True)
    device = f"{os.major(seen.st_dev)}:{os.minor(seen.st_dev)}"
    mounts = tmp_path / "mountinfo"
    mounts.write_text(
        "22 1 0:0 / / rw,relatime shared:1 - ext4 /dev/other rw\n"
        f"36 35 {device} / /mnt/feed rw,noatime shared:7 master:1 - nfs4 server:/feed rw,vers=4.2\n"
    )
    monkeypatch.setattr(files_module, "_MOUNTS", mounts)
    with pytest.raises(WriterUnknown):
        read(path, Sighting.of(seen), blind=False)
    assert read(path, Sighting.of(seen), blind=True) == b"1"


def test_a_writer_that_comes_while_the_kernel_is_asked_does_not_kill_the_desk(folder: Path) -> None:
    path = folder / "a.csv"
    path.write_bytes(b"1")
    script = """
import fcntl, os, sys, time
from pathlib import Path
from gexdesk.sources.files import Sighting, read
path, real = Path(sys.argv[1]), fcntl.fcntl
def meddle(opened, command, value):
    answer = real(opened, command, value)
    if (command, value) == (fcntl.F_SETLEASE, fcntl.F_RDLCK):
        try:
            os.open(path, os.O_WRONLY | os.O_NONBLOCK)
        except BlockingIOError:
            print("broke the lease")
    return answer
fcntl.fcntl = meddle
print(read(path, Sighting.of(path.lstat()), blind=False))
"""
    done = subprocess.run([sys.executable, "-c", script, path], capture_output=True, text=True, check=False)
    assert (done.returncode, done.stdout, done.stderr) == (0, "broke the lease\nb'1'\n", "")


async def test_sixty_pauses_in_the_midst_of_deliveries_repeat_and_lose_nothing(folder: Path, memory: Path) -> None:
    wanted = [b"%03d" % number for number in range(250)]
    for body in wanted:
        move_in(folder, f"{body.decode()}.csv", body)
    taken: list[bytes] = []

    async def deliver(arrival: Arrival) -> None:
        await asyncio.sleep(0.001)
        taken.append(arrival.body)  # synced from here on
        await asyncio.sleep(0.001)

    def source() -> Directory:
        return Directory("drop", folder, clock=SystemClock(), once=True, memory=memory)

    paused = source()
    interrupted = 0
    for cycle in range(60):
        if cycle % 10 == 9:
            paused = source()  # a restart
        running = asyncio.create_task(paused.run(deliver, lambda outcome: None))
        before = len(taken)
        while len(taken) == before and not running.done():
            await asyncio.sleep(0)
        for _ in range(cycle % 4):
            await asyncio.sleep(0.0005)
        running.cancel()
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
        interrupted += running.cancelled()
    assert interrupted == 60
    assert len(taken) < len(wanted), "all came before the last pause: too little was tested"
    await paused.run(deliver, lambda outcome: None)
    assert taken == wanted


async def test_a_delivery_that_never_ends_does_not_keep_the_source_from_stopping(
    folder: Path, memory: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(undivided_module, "FINISH_S", 0.05)
    move_in(folder, "a.csv", b"1")
    began = asyncio.Event()

    async def stuck(arrival: Arrival) -> None:
        began.set()
        await asyncio.Event().wait()

    source = Directory("drop", folder, clock=SystemClock(), once=True, memory=memory)
    running = asyncio.create_task(source.run(stuck, lambda outcome: None))
    await began.wait()
    running.cancel()
    async with asyncio.timeout(2):
        await asyncio.gather(running, return_exceptions=True)
    assert running.cancelled()
    taker = Taker(SystemClock())
    await source.run(taker.deliver, taker.report)
    assert taker.bodies == [b"1"], "what was not acknowledged comes again"


@pytest.mark.parametrize(
    ("spoilt", "said"),
    [
        (b"[" * 100_000 + b"\n", "1 line could not be read and was set aside; its file is taken again"),
        (b"\xff\x00\n{}\n" + b"[" * 100_000 + b"\n", "3 lines could not be read and were set aside; those files are taken again"),
    ],
    ids=["deeply nested", "garbage"],
)
async def test_unreadable_lines_are_set_aside_and_told_once(folder: Path, memory: Path, spoilt: bytes, said: str) -> None:
    move_in(folder, "a.csv", b"1")
    memory.parent.mkdir()

    async def start() -> Taker:
        taker = Taker(RunningClock())
        source = Directory("drop", folder, clock=taker.clock, once=True, memory=memory)
        await source.run(taker.deliver, taker.report)
        await source.run(taker.deliver, taker.report)  # a pause and its end: nothing is told anew
        return taker

    assert (await start()).bodies == [b"1"]
    for number in (1, 2):
        held = spoilt + memory.read_bytes()
        memory.write_bytes(held)
        move_in(folder, "b.csv", b"2")
        taker = await start()
        assert taker.bodies == [b"2"], "the good line is used"
        assert taker.failures == [f"taken-drop.jsonl: {said}"]
        aside = memory.with_name(f"taken-drop.jsonl.broken-{number}")
        assert aside.read_bytes() == held
        assert aside.stat().st_mode & 0o777 == 0o600
        assert (await start()).failures == []
    assert len(list(memory.parent.iterdir())) == 3


def test_a_memory_is_loaded_and_set_aside_once_however_often_a_start_is_cut_short(memory: Path) -> None:
    memory.parent.mkdir()
    memory.write_bytes(b'nonsense\n["a", 1, 2, 3]\n')
    delivered = Delivered(memory)
    delivered.load()
    delivered.load()
    assert delivered.unreadable == 1
    assert delivered.holds("a", Version(1, 2, 3))
    assert sorted(path.name for path in memory.parent.iterdir()) == ["taken-drop.jsonl", "taken-drop.jsonl.broken-1"]


async def test_files_renamed_in_within_a_tick_are_taken_at_once_and_in_order(folder: Path, memory: Path) -> None:
    """The way most programs drop a file: written aside and renamed right after, when its times tell nothing."""
    taker = Taker(SystemClock())
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, rescan_s=60.0)
    waits: list[float] = []

    async def drop() -> None:
        await until(lambda: source._watch is not None)
        for number in range(200):
            began = time.monotonic()
            (folder / f".{number}").write_bytes(b"%d" % number)
            (folder / f".{number}").rename(folder / f"{199 - number}.csv")
            if number % 3 == 0:
                await until(lambda number=number: len(taker.bodies) > number)  # type: ignore[misc]
                waits.append(time.monotonic() - began)
        await until(lambda: len(taker.bodies) == 200)

    await while_running(source, taker, drop)
    times = [(folder / f"{199 - number}.csv").stat() for number in range(200)]
    assert any(seen.st_mtime_ns == seen.st_ctime_ns for seen in times), "no rename fell into the tick of its write"
    assert [int(body) for body in taker.bodies] == list(range(200))
    assert max(waits) < 0.5


async def test_what_was_renamed_in_and_is_written_again_has_to_rest(folder: Path, memory: Path) -> None:
    taker = Taker(SystemClock())
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.4, rescan_s=60.0)
    path = folder / "late.csv"

    async def drop() -> None:
        await until(lambda: source._watch is not None)
        (folder / ".late").write_bytes(PARTS[0])
        (folder / ".late").rename(path)
        for part in PARTS[1:]:  # opened, written and closed again, before anybody looked
            with path.open("ab") as file:
                file.write(part)
        await until(lambda: bool(taker.bodies))

    await while_running(source, taker, drop)
    assert taker.bodies == [WHOLE]
    assert taker.failures == []


async def test_what_rested_before_anybody_looked_need_not_rest_again(folder: Path, memory: Path) -> None:
    (folder / "old.csv").write_bytes(WHOLE)
    await asyncio.sleep(0.5)
    taker = Taker(SystemClock())
    began = time.monotonic()
    source = Directory("drop", folder, clock=SystemClock(), once=True, memory=memory, settle_s=0.45)
    await source.run(taker.deliver, lambda outcome: None)
    assert taker.bodies == [WHOLE]
    assert time.monotonic() - began < 0.4


@pytest.mark.parametrize("want", [errno.EMFILE, errno.ENFILE, errno.ENOMEM])
async def test_a_file_that_the_machine_could_not_open_is_tried_again(
    folder: Path, memory: Path, monkeypatch: pytest.MonkeyPatch, want: int
) -> None:
    taker, refused = Taker(SystemClock()), 0
    source = Directory("drop", folder, clock=SystemClock(), once=False, memory=memory, settle_s=0.1, rescan_s=60.0)

    def short(path: Path, sighting: Sighting, *, blind: bool) -> bytes:
        nonlocal refused
        refused += 1
        if refused < 3:
            raise OSError(want, os.strerror(want))
        return read(path, sighting, blind=blind)

    monkeypatch.setattr(directory_module, "read", short)

    async def drop() -> None:
        await until(lambda: source._watch is not None)
        move_in(folder, "a.csv", WHOLE)
        await until(lambda: bool(taker.bodies))

    await while_running(source, taker, drop)
    assert taker.bodies == [WHOLE]
    assert taker.failures == [f"a.csv cannot be read now ({os.strerror(want)}): it is tried again"] * 2
