"""Submissions and looks from another process, as programs send them: durable acceptances, and status while the engine drains."""

import asyncio
import contextlib
import json
import os
import socket
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import AsyncIterator
from contextlib import aclosing, asynccontextmanager
from pathlib import Path

from gexdesk.api.client import Client
from gexdesk.api.keys import KeyBook, Scope
from tests.bench import Row, rate, row
from tests.bench._flood import classic
from tests.feed_server import Answer, FeedServer

SUBMITS = 4_000
LINES = 16
ROUNDS = 3
BURST = 6_000
SYNCS = 200


def rows() -> list[Row]:
    """Measure all."""
    with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as folder:
        return [*asyncio.run(_engine(Path(folder))), _help()]


async def _engine(folder: Path) -> list[Row]:
    async with FeedServer(Answer(status=404)) as feed, _running(folder, feed) as (state, port):
        key = KeyBook(state).create("bench", (Scope.READ, Scope.SUBMIT), time.time(), None, 100_000_000)[0]
        attach_s = min([await _first_view(f"http://127.0.0.1:{port}", key) for _ in range(5)])
        rates = [await _submits(feed, port, key, SUBMITS) for _ in range(ROUNDS)]
        syncs = 1 / _sync_s(folder)
        status = await _status_while_draining(folder, state, port, key)
    return [
        rate("submissions accepted durably, best of 3", max(rates), "/s", target=1_000),
        rate("the same, median", statistics.median(rates), "/s"),
        rate("bare synced writes of a line, one after the other", syncs, "/s"),
        row("GET status while the engine drains, median", status[0] * 1e3, "ms"),
        row("GET status while the engine drains, p99", status[1] * 1e3, "ms", target=20),
        rate("documents a second it drained meanwhile", status[2], "/s"),
        row("attach over TCP to the first live picture, best of 5", attach_s * 1e3, "ms", target=600),
    ]


@asynccontextmanager
async def _running(folder: Path, feed: FeedServer) -> AsyncIterator[tuple[Path, int]]:
    (folder / "in").mkdir()
    (folder / "gexdesk.toml").write_text(
        f'[[sources]]\nname = "own"\nkind = "http"\nurl = "{feed.url}/feed/SPX.json"\nevery_s = 3600\nlevel = "LOW"\n'
        '[[sources]]\nname = "drop"\nkind = "directory"\npath = "in"\nlevel = "auto"\nformat = "gexbot"\n'
    )
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    state = folder / "state"
    command = [sys.executable, "-m", "gexdesk", "run", "--config", folder / "gexdesk.toml", "--state", state,
               "--listen", f"127.0.0.1:{port}"]  # fmt: skip
    with open(folder / "engine.log", "w") as log:
        engine = subprocess.Popen(command, stdout=log, stderr=log)
    try:
        client = Client(state)
        give_up_at = time.monotonic() + 60
        while True:
            try:
                await client.view()
                break
            except Exception:
                assert engine.poll() is None, (folder / "engine.log").read_text()
                assert time.monotonic() < give_up_at
                await asyncio.sleep(0.05)
        yield state, port
    finally:
        engine.terminate()
        await asyncio.to_thread(engine.wait, 60)


async def _first_view(url: str, key: str) -> float:
    began = time.perf_counter()
    async with aclosing(Client(url, key=key).views()) as views:
        await anext(views)
    return time.perf_counter() - began


class _Line:
    """Send requests over one connection and read their answers: cheap, so that the engine is what is measured."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self.writer = writer

    async def ask(self, request: bytes) -> tuple[int, bytes]:
        self.writer.write(request)
        head = await self._reader.readuntil(b"\r\n\r\n")
        length = int(head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0])
        return int(head[9:12]), await self._reader.readexactly(length)


@asynccontextmanager
async def _lines(port: int, count: int) -> AsyncIterator[list[_Line]]:
    lines = [_Line(*await asyncio.open_connection("127.0.0.1", port)) for _ in range(count)]
    try:
        yield lines
    finally:
        for line in lines:
            line.writer.close()


def _post(feed: FeedServer, key: str, number: int) -> bytes:
    asked = {"source_url": f"{feed.url}/feed/{number}.json", "data_type": "snapshot", "market_symbol": "SPX"}
    body = json.dumps(asked).encode()
    head = f"POST /api/v1/ingest/priority HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\nContent-Length: {len(body)}\r\n\r\n"
    return head.encode() + body


async def _submits(feed: FeedServer, port: int, key: str, count: int) -> float:
    async with _lines(port, LINES) as lines:

        async def send(line: _Line, numbers: range) -> None:
            for number in numbers:
                status, body = await line.ask(_post(feed, key, number))
                assert status == 202, body

        began = time.perf_counter()
        await asyncio.gather(*(send(line, range(place, count, LINES)) for place, line in enumerate(lines)))
        return count / (time.perf_counter() - began)


async def _status_while_draining(folder: Path, state: Path, port: int, key: str) -> tuple[float, float, float]:
    """Return median and p99 seconds of a status call, and documents a second, while a folder full of documents is drained."""
    aside = folder / "aside"
    aside.mkdir()
    for number in range(BURST):
        (aside / f"{number:05d}.json").write_bytes(classic(f"SYM{number % 40}", time.time(), number))
    client, took = Client(state, timeout_s=30), list[float]()
    before = (await client.view()).completed
    async with _lines(port, 1) as [line]:
        began = time.perf_counter()
        for path in sorted(aside.iterdir()):
            path.rename(folder / "in" / path.name)
        request = f"GET /api/v1/ingest/priority/queue HTTP/1.1\r\nHost: x\r\nX-API-Key: {key}\r\n\r\n".encode()
        while (await client.view()).completed - before < BURST:
            for _ in range(50):
                asked = time.perf_counter()
                status, _ = await line.ask(request)
                took.append(time.perf_counter() - asked)
                assert status == 200
                await asyncio.sleep(0.005)
        drained = BURST / (time.perf_counter() - began)
    took.sort()
    return statistics.median(took), took[int(len(took) * 0.99)], drained


def _sync_s(folder: Path) -> float:
    fd = os.open(folder / "sync", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    began = time.perf_counter()
    for _ in range(SYNCS):
        os.write(fd, b"x" * 500)
        os.fdatasync(fd)
    took_s = time.perf_counter() - began
    os.close(fd)
    return took_s / SYNCS


def _help() -> Row:
    best = float("inf")
    for _ in range(7):
        began = time.perf_counter()
        with contextlib.suppress(subprocess.CalledProcessError):
            subprocess.run([sys.executable, "-m", "gexdesk", "--help"], check=True, capture_output=True)
        best = min(best, time.perf_counter() - began)
    return row("gexdesk --help, best of 7", best * 1e3, "ms", target=300)
