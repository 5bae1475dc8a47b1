"""Flood the interface over TCP: bodies, headers, wrong keys and sockets without end, while CRITICAL data goes on.

``run(full=False)`` floods for 5 s, ``run(full=True)`` for 60 s. Every flooder holds a key that may submit, so that it is let in as
far as anybody is; each kind of flood must be refused in the contract's words and cost CRITICAL nothing that readers would notice.
"""

import asyncio
import contextlib
import json
import math
import os
import socket
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import NamedTuple

import numpy as np

from gexdesk.api.client import Client
from gexdesk.api.keys import KeyBook, Scope
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.errors import GexdeskError
from tests.cli.program import started
from tests.engine.desk_setting import gexbot_at, rows
from tests.until import until

P99_S = 1.0
EVERY_S = 0.1
SHORT_S, FULL_S = 5.0, 60.0
REFUSALS = frozenset({0, 400, 401, 408, 429, 431, 503})
"""What a flood may be answered; 0 is a connection that was closed."""

A_KIND = 8
"""So many connections of each kind of flood."""


ALL_IS_CRITICAL = '[[guideline]]\nname = "all"\nlevel = "CRITICAL"\nwhen = "data_age_s < 3600"\n'


class Outcome(NamedTuple):
    """Count what became of CRITICAL, and of the flood.

    Attributes:
        lost: Documents handed over that were not available at the end.
        answers: Status codes that the flood got; 0 is a connection that was closed without one.
    """

    critical: int
    p99_s: float
    max_s: float
    lost: int
    requests: int
    answers: dict[int, int]
    calm_after: bool

    @property
    def sound(self) -> bool:
        """Say whether CRITICAL was in time, nothing was let in, and the engine answers as before."""
        return set(self.answers) <= REFUSALS and self.p99_s < P99_S and not self.lost and self.calm_after and self.requests > 100


def run(full: bool) -> Outcome:
    """Flood."""
    with tempfile.TemporaryDirectory() as folder:
        return asyncio.run(_flooded(Path(folder), FULL_S if full else SHORT_S))


async def _flooded(home: Path, seconds: float) -> Outcome:
    (home / "in").mkdir()
    config = home / "gexdesk.toml"
    (home / "rules.toml").write_text(DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0] + ALL_IS_CRITICAL)
    source = '[[sources]]\nname = "drop"\nkind = "directory"\npath = "in"\nlevel = "auto"\nformat = "gexbot"\n'
    config.write_text(f'guidelines = "rules.toml"\n{source}')
    state = home / "state"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    engine = started(home, "run", "--config", config, "--state", state, "--listen", f"127.0.0.1:{port}")
    try:
        client = Client(state)
        await until(lambda: _answers(client), limit_s=60)
        key = KeyBook(state).create("flood", (Scope.SUBMIT,), time.time(), None, 100_000_000)[0]
        said: Counter[int] = Counter()
        ends_at = time.monotonic() + seconds
        flood = [asyncio.create_task(kind(port, key, ends_at, said)) for kind in _KINDS for _ in range(A_KIND)]
        given = await _hand_over(home / "in", ends_at)
        await asyncio.gather(*flood)
        await until(lambda: _completed(client, given), limit_s=60)
        calm = await _answers(client) and engine.poll() is None
    finally:
        engine.terminate()
        await asyncio.to_thread(engine.communicate, timeout=60)
    sql = "SELECT epoch(available_at) - epoch(received_at) AS s FROM jobs WHERE level = 'CRITICAL' AND status = 'COMPLETED'"
    took = np.array([row["s"] for row in rows(sql, state)])
    return Outcome(
        critical=len(took),
        p99_s=float(np.percentile(took, 99)) if len(took) else math.inf,
        max_s=float(took.max()) if len(took) else math.inf,
        lost=given - len(took),
        requests=sum(said.values()),
        answers=dict(sorted(said.items())),
        calm_after=calm,
    )


async def _answers(client: Client) -> bool:
    try:
        await client.view()
    except (GexdeskError, OSError):
        return False
    return True


async def _completed(client: Client, count: int) -> bool:
    return (await client.view()).completed >= count


async def _hand_over(folder: Path, ends_at: float) -> int:
    number = 0
    while time.monotonic() < ends_at:
        aside = folder / f".{number}"
        with aside.open("wb") as file:
            file.write(gexbot_at(0.5, "SPX", net=float(number)))
            os.fsync(file.fileno())
        aside.rename(folder / f"{number}.json")
        number += 1
        await asyncio.sleep(EVERY_S)
    return number


async def _large_bodies(port: int, key: str, ends_at: float, said: Counter[int]) -> None:
    head = _head("POST", key, ("Content-Length: 50000000",))
    await _again(port, ends_at, said, head, b"x" * 262_144, 1)


async def _bodies_without_end(port: int, key: str, ends_at: float, said: Counter[int]) -> None:
    head = _head("POST", key, ("Transfer-Encoding: chunked",))
    await _again(port, ends_at, said, head, b"40000\r\n" + b"x" * 0x40000 + b"\r\n", 200)


async def _bodies_that_are_none(port: int, key: str, ends_at: float, said: Counter[int]) -> None:
    body = json.dumps({"source_url": "https://example.com/x", "data_type": "snapshot", "market_symbol": "S" * 60_000}).encode()
    await _again(port, ends_at, said, _head("POST", key, (f"Content-Length: {len(body)}",)), body, 1)


async def _large_heads(port: int, key: str, ends_at: float, said: Counter[int]) -> None:
    await _again(port, ends_at, said, _head("GET", key, ())[:-2], b"X-More: " + b"y" * 8_000 + b"\r\n", 200)


async def _wrong_keys(port: int, key: str, ends_at: float, said: Counter[int]) -> None:
    await _again(port, ends_at, said, _head("GET", "no-" + key[::-1], ()), b"", 0)


_KINDS = (_large_bodies, _bodies_without_end, _bodies_that_are_none, _large_heads, _wrong_keys)


def _head(verb: str, key: str, more: tuple[str, ...]) -> bytes:
    path = "/api/v1/ingest/priority" if verb == "POST" else "/api/v1/ingest/priority/queue"
    return "\r\n".join((f"{verb} {path} HTTP/1.1", "Host: x", f"X-API-Key: {key}", *more, "", "")).encode()


async def _again(port: int, ends_at: float, said: Counter[int], head: bytes, piece: bytes, pieces: int) -> None:
    """Send the same over a new connection each time, until it is refused; count how."""
    while time.monotonic() < ends_at:
        code = 0
        with contextlib.suppress(OSError, asyncio.IncompleteReadError, TimeoutError):
            reader, writer = await asyncio.open_connection("127.0.0.1", port)
            try:
                with contextlib.suppress(OSError):
                    writer.write(head)
                    for _ in range(pieces):
                        writer.write(piece)
                        await asyncio.wait_for(writer.drain(), 2.0)
                line = await asyncio.wait_for(reader.readline(), 5.0)
                code = int(line.split()[1]) if line.startswith(b"HTTP/") else 0
            finally:
                writer.close()
        said[code] += 1
        await asyncio.sleep(0)
