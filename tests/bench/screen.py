"""The desk in a terminal of 120 by 40: how soon it paints, how fast keys answer, what it sends and what it costs."""

from statistics import quantiles
from time import perf_counter

from tests.bench import Row, row
from tests.bench._terminal import Terminal

STARTS, KEYS = 5, 120
SLOW_BYTES_PER_S = 32_000
WARM_S, IDLE_S = 4.0, 20.0
TITLE = b"SOURCES"
SIGN = b">"
"""Nothing on these screens but the cursor is a greater-than sign."""


def rows() -> list[Row]:
    """Measure all."""
    return [*_first_paint(), *_keys(), *_bytes()]


def _screen(kind: str, bytes_per_s: int = 0) -> Terminal:
    return Terminal(["-m", "tests.bench._screens", kind], bytes_per_s=bytes_per_s)


def _first_paint() -> list[Row]:
    """Compare starts in turns: an empty Textual app puts its alternate screen up, the desk its first line."""
    empty, desk, live = [], [], []
    for _ in range(STARTS):
        with _screen("empty") as terminal:
            empty.append(_painted(terminal))
        with _screen("quiet") as terminal:
            desk.append(_painted(terminal))
            live.append(terminal.until(TITLE, 20.0) + desk[-1])
    return [
        row("first paint of an empty Textual app", min(empty) * 1e3, "ms"),
        row("first paint of the desk, beyond that", (min(desk) - min(empty)) * 1e3, "ms", target=150.0),
        row("live data in the tables, from the start", min(live) * 1e3, "ms", target=600.0 + min(empty) * 1e3),
    ]


def _painted(terminal: Terminal) -> float:
    """Return the seconds to the first screen: an escape sequence that clears or fills the whole of it."""
    while not (seen := terminal.read(0.02)) or len(seen) < 200:
        if perf_counter() - terminal.began_at > 20.0:
            raise TimeoutError("nothing was painted in 20 s")
    return perf_counter() - terminal.began_at


def _keys() -> list[Row]:
    """Press keys in turns on the desk and on an app that only moves a sign, so that a busy machine slows both alike."""
    found = []
    for name, rate, allowed in (("", 0, 1.5), (", on a line of 32 KB/s", SLOW_BYTES_PER_S, 2.5)):
        with _screen("busy", rate) as desk, _screen("sign", rate) as sign:
            desk.until(TITLE, 20.0)
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
        (p50, p99), (sign_p50, sign_p99) = ((cuts[49], cuts[98]) for cuts in (quantiles(t, n=100) for t in taken.values()))
        what = f"key to repaint at 2,000 jobs/s{name}"
        found.append(row(f"{what}, p50, by one sign alone", p50, "ms", reference=sign_p50, target=3.0))
        found.append(row(f"{what}, p99, by one sign alone", p99, "ms", reference=sign_p99, target=allowed))
    return found


def _bytes() -> list[Row]:
    with _screen("busy") as terminal:
        terminal.until(TITLE, 20.0)
        terminal.during(WARM_S)
        written, packed, share = terminal.during(IDLE_S)
        busy = [
            row("sent a second at 2,000 jobs/s", written / IDLE_S, "bytes", target=4_000.0),
            row("the same as a compressing line sends it", packed / IDLE_S, "bytes", target=500.0),
            row("of a core at 2,000 jobs/s", share * 100, "%", target=3.0),
        ]
        terminal.press(b"z")
        terminal.during(2.0)
        frozen, _, _ = terminal.during(IDLE_S / 2)
        busy.append(row("sent a second while frozen", frozen / (IDLE_S / 2), "bytes", target=0.0))
    with _screen("quiet") as terminal:
        terminal.until(TITLE, 20.0)
        terminal.during(WARM_S)
        written, _, share = terminal.during(IDLE_S)
    return [
        *busy,
        row("sent a second while nothing changes", written / IDLE_S, "bytes", target=100.0),
        row("of a core while nothing changes, beyond an empty app", (share - _empty_share()) * 100, "%", target=0.3),
    ]


def _empty_share() -> float:
    with _screen("empty") as terminal:
        terminal.during(WARM_S)
        return terminal.during(IDLE_S)[2]
