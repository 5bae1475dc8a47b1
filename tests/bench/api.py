"""The interface of a running engine, against a bare answer of the same bytes by the same server: what our own part costs."""

import asyncio
import json
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any

import httpx2
import msgspec
from starlette.responses import Response
from websockets.asyncio.client import connect

from gexdesk.api import door
from gexdesk.api.app import make_app
from gexdesk.api.guard import Guard
from gexdesk.api.keys import KeyBook, Scope
from gexdesk.api.server import Server
from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.model.clock import SystemClock
from gexdesk.model.payload import Arrival
from gexdesk.settings.desk import Settings
from tests.bench import Row, rate, row
from tests.bench._flood import SOURCES, classic, settings

CALLS = 150
ROUNDS = 3
SCREENS = 20
WATCHED_S = 4.0
SYMBOLS = 40


def rows() -> list[Row]:
    """Measure all."""
    with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as folder:
        return asyncio.run(_rows(Path(folder)))


async def _rows(folder: Path) -> list[Row]:
    desk = settings(folder)
    engine = assemble(desk, SystemClock())
    await engine.start()
    tcp, bare_tcp = door.listen_tcp("127.0.0.1:0"), door.listen_tcp("127.0.0.1:0")
    server = Server(make_app(engine, Guard(desk.state)), door.listen(desk.state), tcp)
    await server.start()
    bare = Server(_bare(msgspec.json.encode(await engine.view())), bare_tcp)
    await bare.start()
    try:
        await _filled(engine)
        key = KeyBook(desk.state).create("bench", (Scope.READ, Scope.OPERATE), time.time(), None, 100_000_000)[0]
        return await _measured(engine, desk, tcp.getsockname()[1], bare_tcp.getsockname()[1], {"X-API-Key": key})
    finally:
        await bare.stop()
        await server.stop()
        await engine.close()


async def _measured(engine: Engine, desk: Settings, port: int, bare_port: int, key: dict[str, str]) -> list[Row]:
    view = msgspec.json.encode(await engine.view())
    lever = json.dumps({"verb": "promote", "target": "quick-0", "reason": "bench", "dry_run": True})
    async with (
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}", headers=key, trust_env=False) as client,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{bare_port}", trust_env=False) as reference,
    ):
        paths = {
            "view": ("/api/v1/view", 3.0), "queue": ("/api/v1/ingest/priority/queue", 3.0), "sources": ("/api/v1/sources", 3.0),
            "jobs, the newest 100": ("/api/v1/jobs?limit=100", None), "metrics": ("/metrics", None),
        }  # fmt: skip
        found = [
            await _against_bare(f"GET {name}", reference, lambda path=path: client.get(path), target)
            for name, (path, target) in paths.items()
        ]
        post = "/api/v1/levers"
        found.append(await _against_bare("POST a lever, dry run", reference, lambda: client.post(post, content=lever), 4.0))
    return [*found, *await _screens(engine, port, key), row(f"bytes of a view, {SYMBOLS} symbols", len(view), "bytes")]


async def _against_bare(
    name: str, bare: httpx2.AsyncClient, ask: Callable[[], Awaitable[httpx2.Response]], target: float | None = None
) -> Row:
    """Ask in turns with the bare answer, so that a busy machine slows both alike; the median round counts."""
    rounds = []
    for _ in range(ROUNDS):
        ours, theirs = [], []
        for _ in range(CALLS):
            theirs.append(await _took_s(lambda: bare.get("/")))
            ours.append(await _took_s(ask))
        rounds.append((statistics.median(ours), statistics.median(theirs)))
    ours_s, theirs_s = sorted(rounds, key=lambda pair: pair[0] / pair[1])[ROUNDS // 2]
    return row(f"{name}, median", ours_s * 1e3, "ms", reference=theirs_s * 1e3, target=target)


async def _took_s(ask: Callable[[], Awaitable[httpx2.Response]]) -> float:
    began = time.perf_counter()
    answer = await ask()
    took_s = time.perf_counter() - began
    assert answer.is_success, answer.text
    return took_s


async def _screens(engine: Engine, port: int, key: dict[str, str]) -> list[Row]:
    """Attach many screens at once and see what each gets, and what they cost the engine's loop."""
    async def watch() -> int:
        seen = 0
        async with connect(f"ws://127.0.0.1:{port}/api/v1/views", additional_headers=key, proxy=None) as socket:
            async with asyncio.timeout(WATCHED_S + 1):
                began = time.perf_counter()
                while time.perf_counter() - began < WATCHED_S:
                    await socket.recv()
                    seen += 1
        return seen

    longest, watching = 0.0, True

    async def lag() -> None:
        nonlocal longest
        while watching:
            before = time.perf_counter()
            await asyncio.sleep(0.01)
            longest = max(longest, time.perf_counter() - before - 0.01)

    lagging = asyncio.create_task(lag())
    cpu_s = time.process_time()
    counts = await asyncio.gather(*(watch() for _ in range(SCREENS)))
    cpu_s = time.process_time() - cpu_s
    watching = False
    await lagging
    return [
        rate(f"pictures a second that each of {SCREENS} screens gets", min(counts) / WATCHED_S, "/s", target=3.0),
        row(f"processor of engine and {SCREENS} readers meanwhile", cpu_s / WATCHED_S * 100, "% of a core"),
        row("longest stop of the loop meanwhile", longest * 1e3, "ms", target=250.0),
    ]


async def _filled(engine: Engine) -> None:
    """Give the desk some symbols and jobs to tell of."""
    parts = engine._parts
    for number in range(4 * SYMBOLS):
        body = classic(f"SYM{number % SYMBOLS}", time.time(), number)
        await parts.receive.deliver(Arrival(f"quick-{number % SOURCES}", body, time.time(), "application/json", "classic.json"))
    while len(parts.flights):
        await asyncio.sleep(0.01)
    await asyncio.sleep(0.5)


def _bare(body: bytes) -> Any:
    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["type"] == "http":
            await Response(body, media_type="application/json")(scope, receive, send)

    return app
