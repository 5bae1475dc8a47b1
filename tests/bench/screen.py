"""The desk in a terminal of 120 by 40: how soon it paints, how fast keys answer, what it sends and what it costs.

Every screen here has its pictures from another process over the socket, as an operator's has. An app of Textual that does next to
nothing stands beside where a machine's speed counts.
"""

import asyncio
import subprocess
import sys
import tempfile
import threading
from collections.abc import Iterator
from contextlib import ExitStack, aclosing, contextmanager, suppress
from pathlib import Path
from statistics import quantiles
from time import perf_counter, sleep

from gexdesk.api.client import Client
from gexdesk.model.errors import EngineAway
from tests.bench import Row, row
from tests.bench._documents import cboe_chain
from tests.bench._terminal import ENVIRONMENT, Terminal

STARTS, KEYS = 5, 120
SLOW_BYTES_PER_S = 32_000
WARM_S, IDLE_S = 4.0, 20.0
STILL_S = 80.0
"""Rows of a desk on which nothing changes are drawn less often from here on."""

FROZEN_S = 20.0
LARGE_CONTRACTS, LARGE_BYTES, LARGE_EACH_S = 12_600, 5_000_000, 0.5
TITLE = b"SOURCES"
PAGE_TITLE = b"INCIDENTS"
SIGN = b">"
"""Nothing on these screens but the cursor is a greater-than sign."""


def rows() -> list[Row]:
    """Measure all."""
    with ExitStack() as desks:
        quiet, busy = desks.enter_context(_serving("quiet")), desks.enter_context(_serving("busy"))
        with _screen("empty") as terminal:  # leaves bytecode behind, as an installation does
            _painted(terminal)
        with _screen("desk", quiet) as terminal:
            terminal.until(TITLE, 60.0)
        return [*_first_paint(quiet), *_keys(busy), *_keys_while_parsing(), *_bytes(quiet, busy), *_frozen_terminal()]


@contextmanager
def _serving(kind: str) -> Iterator[str]:
    """Serve the pictures of a desk in a process of its own; yields its state folder."""
    with tempfile.TemporaryDirectory() as state:
        process = subprocess.Popen([sys.executable, "-m", "tests.bench._screens", f"serve-{kind}", state])
        try:
            _until_answers(Path(state))
            yield state
        finally:
            process.kill()
            process.wait()


def _until_answers(state: Path) -> None:
    for _ in range(600):
        with suppress(EngineAway):
            asyncio.run(Client(state).view())
            return
        sleep(0.05)
    raise TimeoutError(f"no engine answers in {state}")


def _screen(kind: str, state: str = "", bytes_per_s: int = 0) -> Terminal:
    return Terminal(["-m", "tests.bench._screens", kind, state], bytes_per_s=bytes_per_s)


def _first_paint(state: str) -> list[Row]:
    """Compare starts in turns: an empty Textual app puts its alternate screen up, the desk its first line."""
    empty, desk, live = [], [], []
    for _ in range(STARTS):
        with _screen("empty") as terminal:
            empty.append(_painted(terminal))
        with _screen("desk", state) as terminal:
            desk.append(_painted(terminal))
            live.append(terminal.until(TITLE, 20.0) + desk[-1])
    return [
        row("first paint of an empty Textual app", min(empty) * 1e3, "ms"),
        row("first paint of the desk, beyond that", (min(desk) - min(empty)) * 1e3, "ms", target=150.0),
        row("live data in the tables on a running engine", min(live) * 1e3, "ms", target=600.0),
    ]


def _painted(terminal: Terminal) -> float:
    """Return the seconds to the first screen: an escape sequence that clears or fills the whole of it."""
    while not (seen := terminal.read(0.02)) or len(seen) < 200:
        if perf_counter() - terminal.began_at > 20.0:
            raise TimeoutError("nothing was painted in 20 s")
    return perf_counter() - terminal.began_at


def _keys(state: str) -> list[Row]:
    found = []
    for name, rate, goal in (("", 0, 25.0), (", on a line of 32 KB/s", SLOW_BYTES_PER_S, 50.0)):
        with _screen("desk", state, rate) as desk:
            found += _pressed(desk, f"key to repaint at 2,000 jobs/s{name}", goal, rate)
    return found


def _pressed(desk: Terminal, what: str, goal: float, rate: int = 0) -> list[Row]:
    """Press keys in turns on the desk and on an app that only moves a sign: what is slow on both is the machine."""
    with _screen("sign", bytes_per_s=rate) as sign:
        desk.until(TITLE, 30.0)
        sign.until(SIGN, 20.0)
        desk.during(WARM_S)
        taken: dict[Terminal, list[float]] = {desk: [], sign: []}
        for number in range(KEYS):
            for terminal, milliseconds in taken.items():
                began = perf_counter()
                terminal.press(b"\x1b[B" if number % 2 == 0 else b"\x1b[A")
                terminal.until(SIGN, 5.0)
                milliseconds.append((perf_counter() - began) * 1e3)
                terminal.during(0.1)
    (p50, p99), (_, sign_p99) = ((cuts[49], cuts[98]) for cuts in (quantiles(t, n=100) for t in taken.values()))
    return [
        row(f"{what}, p50", p50, "ms"),
        row(f"{what}, p99", p99, "ms", target=goal),
        row("   the same of one sign alone in Textual, p99", sign_p99, "ms"),
    ]


@contextmanager
def _real_desk() -> Iterator[tuple[Path, Path]]:
    """Run the engine on a folder of documents; yields its state folder and that one."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        state, config, into = folder / "state", folder / "gexdesk.toml", folder / "in"
        into.mkdir()
        (folder / "other").mkdir()
        source = '[[sources]]\nname = "{0}"\nkind = "directory"\npath = "{1}/{0}"\nformat = "cboe_json"\nlevel = "auto"\n'
        config.write_text("".join(source.format(name, folder) for name in ("in", "other")))  # two rows for the cursor to move on
        words = [sys.executable, "-m", "gexdesk", "run", "--config", str(config), "--state", str(state)]
        nowhere = subprocess.DEVNULL
        engine = subprocess.Popen(words, stdin=nowhere, stdout=nowhere, stderr=nowhere, env=ENVIRONMENT)
        try:
            _until_answers(state)
            yield state, into
        finally:
            engine.terminate()
            engine.wait(30)


@contextmanager
def _large_documents(into: Path) -> Iterator[None]:
    """Put documents of 5 MB into a folder, one after the other."""
    documents = [cboe_chain(LARGE_CONTRACTS, spot_move=move) for move in (0.0, 0.001)]
    assert min(map(len, documents)) >= LARGE_BYTES, [len(document) for document in documents]
    over = threading.Event()

    def put() -> None:
        number = 0
        while not over.wait(LARGE_EACH_S):
            written = into / f".{number}"
            written.write_bytes(documents[number % 2])
            written.rename(into / f"{number:06}.json")
            number += 1

    thread = threading.Thread(target=put)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()


def _keys_while_parsing() -> list[Row]:
    with _real_desk() as (state, into), _large_documents(into), _screen("desk", str(state)) as desk:
        return _pressed(desk, "key to repaint while payloads of 5 MB are parsed", 30.0)


def _bytes(quiet: str, busy: str) -> list[Row]:
    with _screen("desk", busy) as terminal:
        terminal.until(TITLE, 20.0)
        terminal.during(WARM_S)
        written, packed, share = terminal.during(IDLE_S)
        found = [
            row("sent a second at 2,000 jobs/s", written / IDLE_S, "bytes", target=4_000.0),
            row("the same as a compressing line sends it", packed / IDLE_S, "bytes", target=500.0),
            row("of a core at 2,000 jobs/s", share * 100, "%", target=3.0),
        ]
        terminal.press(b"z")
        terminal.during(2.0)
        frozen, _, _ = terminal.during(IDLE_S / 2)
        found.append(row("sent a second while frozen", frozen / (IDLE_S / 2), "bytes", target=0.0))
    with _screen("desk", quiet) as terminal, _screen("empty") as empty:
        terminal.until(TITLE, 20.0)
        terminal.during(STILL_S)
        written, _, share = terminal.during(IDLE_S)
        _, _, of_empty = empty.during(IDLE_S)
        terminal.press(b"i")
        terminal.until(PAGE_TITLE, 20.0)
        terminal.during(WARM_S)
        of_page, _, _ = terminal.during(IDLE_S)
    return [
        *found,
        row("sent a second while nothing changes", written / IDLE_S, "bytes", target=100.0),
        row("of a core while nothing changes", share * 100, "%", target=0.3),
        row("   the same of an empty Textual app", of_empty * 100, "%"),
        row("sent a second by the incidents page while nothing changes", of_page / IDLE_S, "bytes", target=100.0),
    ]


def _frozen_terminal() -> list[Row]:
    """Let a terminal stop reading for a while, then go; the engine must not notice, and the next screen attach at once."""
    with _real_desk() as (state, _):
        with _screen("desk", str(state)) as terminal:
            terminal.until(TITLE, 30.0)
            lag_s = asyncio.run(_worst_lag(state, terminal))
        with _screen("desk", str(state)) as again:
            again.until(TITLE, 20.0)
            attached_s = perf_counter() - again.began_at
    return [
        row("engine's worst gap while a terminal is frozen for 20 s", lag_s, "s", target=0.1),
        row("attached again after that", attached_s, "s", target=0.5),
    ]


async def _worst_lag(state: Path, terminal: Terminal) -> float:
    """Return how long the engine's own loop stood still at most, by its own pictures, while nobody reads what a screen writes."""
    worst, began = 0.0, perf_counter()
    terminal.press(b"t" * 40)  # a whole screen in another theme each time: more than a terminal holds
    async with aclosing(Client(state).views()) as views:
        async for view in views:
            if perf_counter() - began > 10.0:  # what it tells is of the last ten seconds
                worst = max(worst, view.loop_lag_s)
            if perf_counter() - began > FROZEN_S:
                return worst
    raise EngineAway("the engine ended")
