"""A whole engine on a state folder that something has damaged: see ``damaged``.

It reads cases, a line of JSON each, and forks for every one of them. The engine is the real one, with a clock that goes twenty
times as fast as the world's; its pool is a thread here, since what is damaged are the engine's own files. Whatever starts threads
of its own as it is imported waits until the process is forked.
"""

import asyncio
import hashlib
import json
import os
import signal
import sys
import time
import traceback
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from gexdesk.api.guard import Guard
from gexdesk.api.keys import KeyBook, Scope
from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.engine.pool import Pool
from gexdesk.engine.pool_child import answer
from gexdesk.engine.standing import Standing
from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from gexdesk.model.market import session_id, settles_at
from gexdesk.model.payload import Arrival
from gexdesk.settings.load import load_settings
from gexdesk.stores.audit import verify
from gexdesk.stores.base import RequestRecord
from gexdesk.stores.cache import EmbeddedCache
from gexdesk.stores.spool import Spool, read_payload
from tests.faults.paced_engine import PacedClock

PACE = 20.0
IDLE_S = 6.0
"""Of the world: an engine that has not worked off what is left by then does not get on."""

DIES_S = 40
_BAD_EVERY = 8


def _clock() -> PacedClock:
    now = time.time()
    return PacedClock(now, now, PACE)


def _alone() -> None:
    """Let the pool be a thread of this process."""

    async def start(self: Pool) -> None:
        settles_at("SPX", 20_000)

    async def run(self: Pool, task: Any, level: Level) -> Any:
        return await asyncio.to_thread(answer, task)

    Pool.start, Pool.run = start, run  # type: ignore[method-assign]


class _Left:
    """Leave a state folder as a killed engine does; know what it had acknowledged."""

    def __init__(self, home: Path) -> None:
        self._home = home
        self._good: list[str] = []
        self._bad: list[str] = []
        self._count = 0

    def _document(self, **fields: Any) -> bytes:
        from tests.engine.desk_setting import gexbot_at

        self._count += 1
        bad = self._count % _BAD_EVERY == 0
        body = b"{" if bad else gexbot_at(2.0, f"S{self._count % 7}", net=float(self._count), **fields)
        body += b" " * self._count
        (self._bad if bad else self._good).append(hashlib.sha256(body).hexdigest())
        return body

    def _drop(self, count: int) -> None:
        from tests.engine.desk_setting import drop

        for _ in range(count):
            body = self._document()
            drop(self._home / "in", f"{self._count:04d}.json", body)

    async def leave(self) -> None:
        """Run two engines, the second of which is killed here."""
        from tests.engine.desk_setting import hand_in, parts_of, pull

        settings = load_settings(self._home / "gexdesk.toml", self._home / "state")
        self._drop(24)
        first = assemble(settings, _clock(), once=True)
        await first.start()
        await first.idle()
        await first.close()
        self._drop(12)
        second = assemble(settings, _clock(), once=True)
        await second.start()
        await second.idle()
        parts = parts_of(second)
        book = KeyBook(settings.state)
        book.create("desk-2", (Scope.READ,), time.time())
        book.revoke(book.create("left", (Scope.OPERATE,), time.time())[1].id, time.time())
        for number, status in enumerate(("COMPLETED", "FAILED", "COMPLETED", "QUEUED")):
            await parts.requests._log.append(_request(number, status))
        for level in (Level.HIGH, Level.MEDIUM, Level.HIGH):
            await pull(second, Verb.OVERRIDE, "drop", level=level)
        await second._house.save()
        await parts.queue.stop_all(True)  # the queue alone: the next engine lets go
        bodies = [self._document() for _ in range(16)]
        strikes = [[6000 + number / 10, 1.0 + number, 2.0, [0] * 5] for number in range(4_000)]
        await hand_in(second, "drop", *bodies, *[self._document(strikes=strikes) for _ in range(2)])
        for _ in range(3):
            body = self._document()
            await parts.receive.deliver(Arrival("drop", body, parts.clock.now()))
        left = {"good": self._good, "bad": self._bad, "read": _read_back(settings.state)}
        (self._home / "left.json").write_text(json.dumps(left))
        os._exit(0)


def _request(number: int, status: str) -> RequestRecord:
    ended_at = time.time() if status != "QUEUED" else None
    return RequestRecord(
        f"r{number}", f"https://feed{number}.example/q", "snapshot", "SPX", time.time(), "jm", Level.HIGH, None, status,
        completed_at=ended_at,
    )  # fmt: skip


def _read_back(state: Path) -> dict[str, str]:
    """Return what files that hold no payloads say, by name: their content, or ``DAMAGED`` and how that is told."""
    return {name: _said_by(read, state / name) for name, read in _READERS.items()}


def _said_by(read: Callable[[Path], object], path: Path) -> str:
    try:
        return hashlib.sha256(repr(read(path)).encode()).hexdigest()
    except StoreError as error:
        return f"DAMAGED {error.message}"


def _live(path: Path) -> object:
    cache = EmbeddedCache()
    cache.load(path)
    return cache.all()


def _standing(path: Path) -> object:
    standing = Standing(path)
    standing.open()
    return standing._kept


def _chain(path: Path) -> object:
    found = verify(path)
    if not isinstance(found, int):
        raise StoreError(found.why)
    return found


_READERS: dict[str, Callable[[Path], object]] = {
    "live.msgpack": _live,
    "keys.json": lambda path: KeyBook(path.parent).all(),
    "standing.json": _standing,
    "audit.jsonl": _chain,
}


async def _live_on(state: Path, config: Path, left: dict[str, list[str]]) -> dict[str, Any]:
    lines: list[str] = []
    found: dict[str, Any] = {"lines": lines, "read": _read_back(state)}
    engine = assemble(load_settings(config, state), _clock(), once=True, log=lambda line, _: lines.append(line.text))
    try:
        if fault := Guard(state).fault():
            engine.tell(fault)
        await engine.start()
    except GexdeskError as error:
        return found | {"refused": error.message}
    found["stuck"] = not await _gets_on(engine)
    with suppress(TimeoutError):
        async with asyncio.timeout(IDLE_S):
            await engine.close()
    return found | {"fault": engine.fault} | await _reckon(state, left)


async def _gets_on(engine: Engine) -> bool:
    with suppress(TimeoutError):
        async with asyncio.timeout(IDLE_S):
            await engine.idle()
            await asyncio.sleep(0.1)  # what is looked at in the background is found
            return True
    return False


async def _reckon(state: Path, left: dict[str, list[str]]) -> dict[str, Any]:
    """Return what has not ended as it should, with where it is and what its letter says; and rows that are there twice."""
    spool = Spool(state / "spool", clock=_clock())
    await spool.open()
    kept = {payload.sha256: ref for payload, ref in spool.scan()}
    await spool.close()
    ends: dict[str, list[tuple[str, str]]] = {}
    with duckdb.connect(str(state / "metadata.duckdb"), read_only=True) as tables:
        for digest, status, error in tables.execute("SELECT payload_sha256, status, error FROM jobs").fetchall():
            ends.setdefault(digest, []).append((status, error))
        snapshots = dict(tables.execute("SELECT payload_sha256, count(*) FROM snapshots GROUP BY ALL").fetchall())
    amiss = []
    for wanted, digests in (("COMPLETED", left["good"]), ("DEAD", left["bad"])):
        for digest in digests:
            ended = {status for status, _ in ends.get(digest, [])}
            if wanted in ended and (wanted == "DEAD" or digest in snapshots):
                continue
            amiss.append({"wanted": wanted, "readable": _readable(kept.get(digest)), "ends": ends.get(digest, [])})
    return {"amiss": amiss, "twice": sum(n - 1 for n in snapshots.values())}


def _readable(ref: Any) -> bool:
    try:
        return ref is not None and bool(read_payload(ref))
    except StoreError:
        return False


def _do(case: dict[str, str]) -> None:
    _alone()
    home = Path(case["home"])
    signal.alarm(DIES_S)
    if "state" not in case:
        asyncio.run(_Left(home).leave())
    signal.alarm(DIES_S)
    try:
        found = asyncio.run(_live_on(Path(case["state"]), home / "gexdesk.toml", json.loads((home / "left.json").read_text())))
    except BaseException:
        found = {"traceback": traceback.format_exc()[-1500:]}
    Path(case["found"]).write_bytes(msgspec.json.encode(found))
    os._exit(0)


def main() -> None:
    """Answer each case with the signal that ended it, 0 for none."""
    session_id(time.time())
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            try:
                _do(json.loads(line))
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 256 * os.WEXITSTATUS(status), flush=True)


if __name__ == "__main__":
    main()
