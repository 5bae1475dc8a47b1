"""Write the queue's changes to SQLite, many callers' changes in one synced transaction.

What is asked within one turn of the event loop is one commit. One thread owns the writing connection; while it writes, further
commits gather, and it takes all of them at once. So a sync costs the same for one caller as for a thousand, and nobody waits
for a timer. WAL with ``synchronous=FULL``: a settled change survives a power cut. Changes carry full images of entries, so none
depends on an earlier one having succeeded.
"""

import asyncio
import os
import re
import sqlite3
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import Any

import msgspec

from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError
from gexdesk.model.job import JobStatus
from gexdesk.queues.commit import Commit
from gexdesk.queues.order import Entry
from gexdesk.queues.rows import Kept, read

_TEXT = files("gexdesk.queues").joinpath("journal.sql").read_text(encoding="utf-8")
_SQL: Mapping[str, str] = dict(re.findall(r"^-- name: (\w+)\n(.*?)(?=\n+-- name:|\Z)", _TEXT, re.M | re.S))
_ROWS_AT_ONCE = (2048, 1024, 512, 256, 128, 64)
"""Rows in one statement, or any number below: each statement gives the interpreter's lock away, and may wait for it for 5 ms."""
_CHECKPOINT_PAGES = 4000  # 16 MB of WAL; at SQLite's 4 MB a burst checkpoints, and syncs twice, every few groups
_ENDS = frozenset({JobStatus.COMPLETED, JobStatus.DEAD})
_NOT_TEXT = "Could not decode to UTF-8"
_DROP_IDLE = 2048  # finished jobs whose rows go at once where nobody waits: one by one, each would write a page of its own
_DROP_AT = 16_384  # ... and under load: the more at once, the fewer pages


class Journal:
    """Keep the queue on disk.

    Attributes:
        warning: What was wrong with the file and where it was put aside; empty when nothing was.
        pruned: Finished jobs forgotten so far.
    """

    def __init__(self, path: Path, clock: Clock, replaced: Callable[[], None]) -> None:
        """Prepare; ``replaced`` is called on the event loop after a damaged file gave way to an empty one while running."""
        self.warning = ""
        self.pruned = 0
        self._path = path
        self._clock = clock
        self._replaced = replaced
        self._open: Commit | None = None
        self._waiting: list[Commit] = []
        self._wake = threading.Condition()
        self._closing = False
        self._gone: list[int] = []  # finished, rows still there; always the last ones that finished
        self._idle_at = _DROP_IDLE  # rows of finished jobs that go when nobody waits
        self._damage: sqlite3.DatabaseError | None = None
        self._writer: sqlite3.Connection
        self._reader: sqlite3.Connection | None = None

    async def open(self) -> Kept:
        """Open or create the file and return what it holds.

        A file that SQLite cannot read is put aside as ``<name>.broken-<seconds>`` and an empty one started.

        Raises:
            StoreError: The file cannot be opened or created.
        """
        self._loop = asyncio.get_running_loop()
        opened: asyncio.Future[Kept] = self._loop.create_future()
        self._thread = threading.Thread(target=self._run, args=(opened,), name="queue-journal", daemon=True)
        self._thread.start()
        kept = await opened
        self._reader = _connect(self._path)
        return kept

    async def close(self) -> None:
        """Write what waits, fold the WAL into the file and let go of it."""
        self.send()
        with self._wake:
            self._closing = True
            self._wake.notify()
        await asyncio.to_thread(self._thread.join)
        if self._reader is not None:
            self._reader.close()
            self._reader = None

    def commit(self) -> Commit:
        """Return the commit that the changes of this turn of the event loop join.

        Raises:
            StoreError: The journal is closed.
        """
        if self._open is None:
            if self._closing:
                raise StoreError(f"the queue journal {self._path} is closed; the change was not made")
            self._open = Commit()
            self._loop.call_soon(self.send)
        return self._open

    async def flush(self) -> None:
        """Return once what was asked for before is durable or refused. Raises StoreError: it was refused."""
        commit = self.commit()
        commit.then(None, None)
        await commit

    def send(self) -> None:
        """Let the commit go that changes joined so far; done by itself at the end of the turn."""
        commit, self._open = self._open, None
        if commit is None:
            return
        commit.is_open = False
        if commit.is_empty():
            commit.settle(None)
            return
        with self._wake:
            self._waiting.append(commit)
            self._wake.notify()

    def statuses(self, job_ids: Sequence[str]) -> dict[str, JobStatus]:
        """Return the status of those of the jobs that are finished.

        Raises:
            StoreError: The journal is closed or does not answer.
        """
        if self._damage is not None:
            return {}  # until the writer has replaced the file these count as never seen: at worst they are run again
        rows = (row for part in _parts(job_ids) for row in self._ask("statuses", part))
        return {job_id: JobStatus(status) for job_id, status in rows if status in _ENDS}  # another word is damage: as never seen

    def dead(self, job_ids: Sequence[str]) -> list[Entry]:
        """Return those of the jobs that are DEAD, as they were.

        Raises:
            StoreError: The journal is closed or does not answer.
        """
        if self._damage is not None:
            return []
        rows = [row for part in _parts(job_ids) for row in self._ask("dead", part)]
        return [read(body).entry(seq) for seq, body in rows]

    def _ask(self, name: str, values: Sequence[object]) -> list[tuple[Any, ...]]:
        if self._reader is None:
            raise StoreError(f"the queue journal {self._path} is closed")
        try:
            return self._reader.execute(_repeat(name, len(values)), values).fetchall()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise StoreError(f"the queue journal {self._path} does not answer: {error}") from error
            self._damage = error
            self.commit().damage = error
            return []

    def _take_back(self, group: Sequence[Commit], error: StoreError) -> None:
        """Tell what could not be written, and all that came since: it rests on what is taken back now, latest first."""
        with self._wake:
            later, self._waiting = self._waiting, []
        commit, self._open = self._open, None
        if commit is not None:
            commit.is_open = False
            later.append(commit)
        for refused in reversed([*group, *later]):
            refused.settle(error)

    # ---- the thread ----

    def _run(self, opened: asyncio.Future[Kept]) -> None:
        try:
            kept = self._load()
        except (sqlite3.Error, OSError, StoreError) as error:
            self._closing = True
            self._call(_fail, opened, StoreError(f"the queue journal {self._path} cannot be opened: {error}"))
            return
        self._call(opened.set_result, kept)
        while True:
            with self._wake:
                while not self._waiting and not self._closing and len(self._gone) < self._idle_at:
                    self._wake.wait()
                group, self._waiting = self._waiting, []
            if group:
                if (refusal := self._commit(group)) is None:
                    self._call(_settle, group)
                else:
                    self._call_and_wait(self._take_back, group, refusal)
            elif self._closing:
                break
            else:
                self._drop()
        self._writer.close()  # the last connection but the reader; WAL content is safe either way

    def _load(self) -> Kept:
        try:
            self._start()
            return self._read()
        except sqlite3.DatabaseError as error:
            if not _is_damage(error):
                raise
            self._put_aside(error)
            self._start()
            return self._read()

    def _start(self) -> None:
        self._gone = []
        self._path.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
        os.close(os.open(self._path, os.O_RDWR | os.O_CREAT, 0o600))  # SQLite gives its WAL the mode of the file
        self._writer = _connect(self._path)
        self._writer.execute("PRAGMA journal_mode=WAL")
        self._writer.execute("PRAGMA synchronous=FULL")
        self._writer.execute(f"PRAGMA wal_autocheckpoint={_CHECKPOINT_PAGES}")
        self._writer.executescript(_SQL["schema"])

    def _read(self) -> Kept:
        entries: list[Entry] = []
        eligible: dict[int, tuple[float, float]] = {}
        gone: list[int] = []
        unreadable = 0
        last_finished = {job_id for (job_id,) in self._writer.execute(_SQL["last_finished"], (_DROP_AT,))}
        for seq, body in self._writer.execute(_SQL["jobs"]):
            try:
                row = read(body)
            except (msgspec.MsgspecError, ValueError):
                unreadable += 1
                gone.append(seq)
                continue
            if row.job.job_id in last_finished:
                gone.append(seq)
                continue
            entries.append(row.entry(seq))
            if row.eligible_at is not None:
                eligible[seq] = (row.eligible_at, row.after_s)
        if unreadable:
            self.warning = f"{unreadable} jobs in the queue journal {self._path} are damaged and were dropped from it"
        for part in _parts(gone):  # now, as their numbers may be given again
            self._writer.execute(_repeat("drop", len(part)), part)
        held = {source for (source,) in self._writer.execute(_SQL["held"])}
        (newest,) = self._writer.execute(_SQL["newest_finished"]).fetchone()
        (last_dead,) = self._writer.execute(_SQL["last_dead"]).fetchone()
        return Kept(entries, eligible, held, newest or "", last_dead)

    def _commit(self, group: Sequence[Commit]) -> StoreError | None:
        try:
            try:
                for met in (commit.damage for commit in group if commit.damage is not None):
                    raise met  # by the reader; the writer may not see it yet for the pages that it has in memory
                self._transact(group)
            except sqlite3.DatabaseError as error:
                if not _is_damage(error):
                    raise
                self._put_aside(error)
                self._start()
                self._transact(group)
                self._call(self._resume_after_damage)
        except Exception as error:  # whatever it is, the callers must hear of it and the thread must live
            return StoreError(f"the queue journal {self._path} could not be written, nothing was changed: {error}")
        return None

    def _drop(self) -> None:
        try:
            self._run_all(_statements("drop", sorted(self._gone), 1))
        except sqlite3.Error:
            # A full disk, or damage: the next commit meets it too, and its callers hear of it. Rows left over do no harm, as
            # long as their ends are among the last that are looked at; what is too much goes with a commit.
            self._idle_at = len(self._gone) + _DROP_IDLE
        else:
            self._gone, self._idle_at = [], _DROP_IDLE

    def _transact(self, group: Sequence[Commit]) -> None:
        steps: list[tuple[str, Sequence[object]]] = []
        hold: dict[str, bool] = {}
        revive: dict[int, str] = {}
        for commit in group:
            hold.update(commit.hold)
            revive.update(commit.revive)
        ids = list(revive.values())  # first: who is revived may have ended again within the group
        steps += [*_statements("revive", ids, 1), *_statements("undie", ids, 1)]
        steps += _statements("keep", [value for commit in group for value in commit.keep], 2)
        steps += _statements("drop", sorted(seq for commit in group for seq in commit.drop), 1)  # after what was kept of them
        steps += _statements("finish", [value for commit in group for value in commit.finish], 4)
        steps += _statements("die", [value for commit in group for value in commit.die], 4)
        gone = [seq for commit in group for seq in commit.gone]
        gone = [*(seq for seq in self._gone if seq not in revive), *gone] if revive else self._gone + gone
        prune_before = [commit.prune_before for commit in group if commit.prune_before is not None]
        if len(gone) >= _DROP_AT or prune_before:
            steps += _statements("drop", sorted(gone), 1)
            gone = []
        steps.extend((_repeat("hold" if on else "release", 1), (source,)) for source, on in hold.items())
        steps.extend((_SQL[name], (before,)) for before in prune_before for name in ("prune", "prune_dead"))
        self._run_all(steps)
        self._gone = gone

    def _run_all(self, steps: Sequence[tuple[str, Sequence[object]]]) -> None:
        run = self._writer.execute
        if len(steps) != 1:  # a single statement is a transaction by itself, and each one more waits for the interpreter's lock
            run("BEGIN IMMEDIATE")
        pruned = 0
        try:
            for statement, values in steps:
                changed = run(statement, values).rowcount
                pruned += changed if statement is _SQL["prune"] else 0
            if len(steps) != 1:
                run("COMMIT")
        except BaseException:
            if self._writer.in_transaction:
                run("ROLLBACK")
            raise
        self.pruned += pruned

    def _put_aside(self, error: sqlite3.DatabaseError) -> None:
        self._writer.close()
        at = int(self._clock.now())
        while (aside := self._path.with_name(f"{self._path.name}.broken-{at}")).exists():
            at += 1
        for suffix in ("", "-wal", "-shm"):
            part = self._path.with_name(self._path.name + suffix)
            if part.exists():
                part.rename(aside.with_name(aside.name + suffix))
        self.warning = f"the queue journal {self._path} was damaged ({error}) and put aside as {aside.name}; a new one was started"

    def _call_and_wait(self, function: Callable[..., object], *values: object) -> None:
        """Let the loop do it before anything else is written."""
        done = threading.Event()

        def do() -> None:
            try:
                function(*values)
            finally:
                done.set()

        if self._call(do):
            done.wait()

    def _call(self, function: Callable[..., object], *values: object) -> bool:
        try:
            self._loop.call_soon_threadsafe(function, *values)
        except RuntimeError:  # the loop is closed: nobody waits any more
            return False
        return True

    def _resume_after_damage(self) -> None:
        if self._reader is not None:
            self._reader.close()
            self._reader = _connect(self._path)
            self._damage = None
            self._replaced()


def _settle(group: Sequence[Commit]) -> None:
    for commit in group:
        commit.settle(None)


def _fail(opened: asyncio.Future[Kept], error: StoreError) -> None:
    if not opened.done():
        opened.set_exception(error)


def _connect(path: Path) -> sqlite3.Connection:
    # Handed from the thread to nobody; the check would only forbid closing it after the thread has ended.
    return sqlite3.connect(path, timeout=10.0, isolation_level=None, check_same_thread=False, cached_statements=256)


def _parts(values: Sequence[Any], width: int = 1) -> Iterator[Sequence[Any]]:
    """Cut values into rows enough for one statement; few sizes, so that each is prepared once."""
    at, rows = 0, len(values) // width
    while at < rows:
        size = next((size for size in _ROWS_AT_ONCE if size <= rows - at), rows - at)
        yield values if size == rows else values[at * width : (at + size) * width]
        at += size


def _statements(name: str, values: Sequence[object], width: int) -> list[tuple[str, Sequence[object]]]:
    return [(_repeat(name, len(part) // width), part) for part in _parts(values, width)]


@cache
def _repeat(name: str, count: int) -> str:
    """Return a statement for several rows: its bracket repeated, or filled up where it stands after IN."""

    def several(match: re.Match[str]) -> str:
        is_set, row = match.groups()
        return f"IN ({', '.join('?' * count)})" if is_set else ", ".join([row] * count)

    return re.sub(r"(IN )?(\(\?(?:, \?)*\))", several, _SQL[name])


def _is_damage(error: sqlite3.DatabaseError) -> bool:
    """Say whether an error means that the file is damaged: as SQLite says, or a text in it that is none any more."""
    code = getattr(error, "sqlite_errorcode", 0) & 0xFF  # 0 where it is Python that cannot read a text
    return code in (sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB) or (not code and _NOT_TEXT in str(error))
