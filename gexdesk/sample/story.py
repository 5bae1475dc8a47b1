"""What happens in the sample's two minutes, and which sources tell it. Imports no numpy.

    0 s     quiet open
     7 s    SPX begins to slip
    21 s    SPX falls through its flip and back: its gamma moves by more than a tenth of gross, so it turns CRITICAL
    40 s    backfill hands over three large chains and forty symbols open at once
    41 s    gexbot-names floods: 600 small documents of the forty a second, for six seconds; more than two cores work
            off, so that a queue builds up. SPX turns CRITICAL again in the middle of it, at 44 s, and goes ahead of them all
    48 s    the flood is over and the queue drains
    65 s    gexbot-ndx answers 503 and falls silent
    75 s    gexbot-spy sends a document that ends in the middle
    85 s    gexbot-ndx is back
    89 s    SPX moves for the last time
    110 s   calm, back where it began, so that a loop is seamless
"""

import math
import random
import zlib
from collections.abc import Iterator
from dataclasses import dataclass

from gexdesk.sample import symbols
from gexdesk.sample.underlying import Underlying

START_AT = 1_772_461_800.0
"""Monday 2026-03-02 09:30 New York."""

LENGTH_S = 120.0

BACKFILL_FROM_AT = START_AT - 66.5 * 3600
"""Friday 2026-02-27 15:00 New York: what the backfill fills."""

_HIGH, _LOW, _SLIP = -0.0030, -0.0050, -0.0002
MOVES_S: tuple[int, ...] = (21, 24, 27, 30, 33, 44, 48, 52, 62, 73, 89, 95)
"""When the index goes through its flip, down and up again in turn: its gamma moves by more than a tenth of gross each time."""

SPX_LEVELS: tuple[tuple[int, float], ...] = (
    *((6 + number, round(_SLIP * number, 4)) for number in range(1, 15)),
    *((second, _HIGH if number % 2 else _LOW) for number, second in enumerate(MOVES_S)),
    *((110 - number, round(_SLIP * number, 4)) for number in reversed(range(15))),
)
"""Story second from which the index stands so far off its opening level, a fraction; before the first it stands at it.

No step is larger than what two sources of one symbol may be apart for, sampled some seconds from each other.
"""

SILENCE_S = (65.0, 85.0)
TRUNCATED_S = 75
WAVES_S = (41, 42, 43, 44, 45)
"""When the forty symbols open and come again with whole chains. A wave takes 0.3 s."""

FLOOD_S = (41.5, 47.5)
"""From when to when the forty symbols' GEXBot documents come; the first chains are there, so that volumes are known."""

FLOOD_EVERY_S = 0.06
"""How often a symbol comes in the flood; one of high impact comes every second time only, or a fifth of the flood were HIGH."""

_BETA = {"SPX": 1.0, "SPY": 1.0, "XSP": 1.0, "QQQ": 1.1, "NDX": 1.1, "RUT": 0.6, "VIX": -1.6}
_BETA |= {underlying.symbol: 0.5 for underlying in symbols.NAMES}
"""How far a symbol goes when the index moves, as a multiple of the index's own move."""

_NUMBER = {underlying.symbol: number for number, underlying in enumerate(symbols.FORTY)}
BLOCKS_EVERY_S = 1.5
"""How often a block of options trades in every fourth of the forty while they flood in: it moves their gamma by volume."""

@dataclass(frozen=True, slots=True)
class SampleSource:
    """Say how the sample desk is configured for one source.

    Attributes:
        format: Name of its format.
        every_s: Expected interval between payloads; None where nobody can expect one.
        delay_s: Known delay of its quotes: 0 is a real-time subscription, 900 the Cboe default.
        level: Standing level: one of the four, or ``auto``.
        assume_volume, assume_open_interest: Contracts, where neither the payload nor a chain of the symbol says.
    """

    name: str
    symbols: tuple[str, ...]
    format: str
    every_s: float | None
    delay_s: float
    level: str = "auto"
    assume_volume: float | None = None
    assume_open_interest: float | None = None


SOURCES: tuple[SampleSource, ...] = (
    SampleSource("gexbot-spx", ("SPX",), "gexbot", 1.0, 0.0, "auto", 600_000, 1_400_000),
    SampleSource("gexbot-ndx", ("NDX",), "gexbot", 1.0, 0.0, "auto", 30_000, 80_000),
    SampleSource("gexbot-spy", ("SPY",), "gexbot", 1.0, 0.0, "auto", 45_000, 90_000),
    SampleSource("gexbot-names", tuple(u.symbol for u in symbols.FORTY), "gexbot", None, 0.0, "auto", 5_000, 10_000),
    SampleSource("cboe-spx", ("SPX",), "cboe_json", 8.0, 0.0),
    SampleSource("cboe-qqq", ("QQQ",), "cboe_json", 10.0, 0.0),
    SampleSource("cboe-names", tuple(u.symbol for u in symbols.NAMES), "cboe_json", 2.5, 0.0),
    SampleSource("cboe-burst", tuple(u.symbol for u in symbols.FORTY), "cboe_json", None, 0.0),
    SampleSource("cboe-spy", ("SPY",), "cboe_json", 30.0, 900.0),
    SampleSource("csv-xsp", ("XSP",), "cboe_csv", 60.0, 900.0),
    SampleSource("inhouse-rut", ("RUT",), "canonical", 5.0, 0.0),
    SampleSource("inhouse-vix", ("VIX",), "canonical", 15.0, 0.0, "MEDIUM"),
    SampleSource("backfill", ("NDX",), "cboe_json", None, 0.0, "LOW"),
)
"""The sources of the sample desk, in the order a screen lists them."""


@dataclass(frozen=True, slots=True)
class Moment:
    """Plan one event of the story.

    Attributes:
        at_s: Story seconds of its delivery, 0 to ``LENGTH_S``.
        stamp_s: Story seconds of the stamp that goes into the payload; never after ``at_s``. A GEXBot document cuts it to
            seconds, a quote table to minutes.
        reason: Why the request failed; empty for a payload.
        truncated: The payload ends in the middle.
        wave: Which wave of the burst it belongs to, from 1; 0 outside of the burst.
    """

    at_s: float
    source: str
    underlying: Underlying
    stamp_s: float
    reason: str = ""
    truncated: bool = False
    wave: int = 0


def spot(underlying: Underlying, at_s: float) -> float:
    """Return the underlying's price in points at a story second; the last one joins on to the first."""
    phase = zlib.crc32(underlying.symbol.encode()) % 628 / 100
    waves = 0.0005 * math.sin(2 * math.pi * at_s / 40 + phase) + 0.0003 * math.sin(2 * math.pi * at_s / 24 + 2 * phase)
    level = next((level for second, level in reversed(SPX_LEVELS) if at_s >= second), 0.0)
    move = _BETA.get(underlying.symbol, 0.0) * level
    number = _NUMBER.get(underlying.symbol)
    if number is not None:
        # A tick or two, so that no document is like the one before.
        move += 0.0008 * math.sin(at_s * 9 + phase) + 0.0004 * math.sin(at_s * 3.7 + 2 * phase)
    return round(underlying.spot * (1 + waves + move), 2)


def blocks(underlying: Underlying, at_s: float) -> int:
    """Return how many blocks have traded in an underlying by a story second."""
    number = _NUMBER.get(underlying.symbol)
    if number is None or number % 4:
        return 0
    since_s = min(at_s, FLOOD_S[1]) - FLOOD_S[0] - BLOCKS_EVERY_S * (number / len(_NUMBER))
    return max(0, math.ceil(since_s / BLOCKS_EVERY_S))


def traded(underlying: Underlying, at_s: float) -> float:
    """Return the share of the last volume that has been traded by a story second; overnight sessions traded the most of it.

    The forty trade most of their day in the flood, so that each of its documents has something new.
    """
    if underlying.symbol not in _NUMBER:
        return 0.7 + 0.3 * at_s / LENGTH_S
    flooded = min(max(at_s - FLOOD_S[0], 0.0) / (FLOOD_S[1] - FLOOD_S[0]), 1.0)
    return 0.7 + 0.25 * flooded + 0.05 * at_s / LENGTH_S


def moments(seed: int) -> tuple[Moment, ...]:
    """Plan the story, in the order of delivery; the seed decides the jitter of the deliveries only."""
    jitter = random.Random(seed)  # noqa: S311
    plan = [*_gexbot(jitter), *_chains(jitter), *_burst(), *_flood(), *_inhouse(jitter), *_backfill()]
    return tuple(sorted(plan, key=lambda moment: (moment.at_s, moment.source)))


def _gexbot(jitter: random.Random) -> Iterator[Moment]:
    rows = (("gexbot-spx", symbols.SPX, 0.25), ("gexbot-ndx", symbols.NDX, 0.5), ("gexbot-spy", symbols.SPY, 0.75))
    for source, underlying, offset in rows:
        for second in range(1, int(LENGTH_S)):
            at_s = round(second + offset + jitter.uniform(-0.1, 0.1), 3)
            if underlying is symbols.NDX and SILENCE_S[0] <= at_s < SILENCE_S[1]:
                if second % 2:
                    yield Moment(at_s, source, underlying, second, reason="503 Service Unavailable")
                continue
            # One record in ten repeats the previous one, as the vendor's do.
            repeats = second % 10 == 6
            truncated = underlying is symbols.SPY and second == TRUNCATED_S
            yield Moment(at_s, source, underlying, second - 1 if repeats else second, truncated=truncated)


def _chains(jitter: random.Random) -> Iterator[Moment]:
    rows = (
        ("cboe-spx", (symbols.SPX,), 2.0, 8.0),
        ("cboe-qqq", (symbols.QQQ,), 5.0, 10.0),
        ("cboe-names", symbols.NAMES, 1.0, 2.5),
        ("cboe-spy", (symbols.SPY,), 3.0, 30.0),
        ("csv-xsp", (symbols.XSP,), 4.0, 60.0),
    )
    for source, underlyings, first_s, every_s in rows:
        for number in range(math.ceil((LENGTH_S - first_s) / every_s)):
            due_s = first_s + number * every_s
            at_s = round(due_s + 0.4 + jitter.uniform(-0.1, 0.1), 3)
            yield Moment(at_s, source, underlyings[number % len(underlyings)], math.floor(due_s))


def _burst() -> Iterator[Moment]:
    for wave, first_s in enumerate(WAVES_S, start=1):
        for number, underlying in enumerate(symbols.FORTY):
            at_s = round(first_s + 0.1 + 0.3 * number / len(symbols.FORTY), 4)
            yield Moment(at_s, "cboe-burst", underlying, first_s, wave=wave)


def _flood() -> Iterator[Moment]:
    first_s, end_s = FLOOD_S
    for number, underlying in enumerate(symbols.FORTY):
        times = 2 if underlying.volume > 50_000 else 1
        every_s = FLOOD_EVERY_S * times
        # The second half of those that come every second time comes in the other rounds.
        phase_s = FLOOD_EVERY_S * (number % times) + FLOOD_EVERY_S * number / len(symbols.FORTY)
        for turn in range(round((end_s - first_s) / every_s)):
            # One in ten repeats the previous one here, too, each symbol at another time.
            repeats = (turn + number) % 10 == 0 and turn > 0
            due_s = first_s + turn * every_s
            stamp_s = round(due_s - every_s if repeats else due_s, 3)
            yield Moment(round(due_s + phase_s, 4), "gexbot-names", underlying, stamp_s)


def _inhouse(jitter: random.Random) -> Iterator[Moment]:
    for source, underlying, first_s, every_s in (("inhouse-rut", symbols.RUT, 1.5, 5.0), ("inhouse-vix", symbols.VIX, 3.5, 15.0)):
        for number in range(math.ceil((LENGTH_S - first_s) / every_s)):
            stamp_s = first_s + number * every_s
            yield Moment(round(stamp_s + 0.12 + jitter.uniform(-0.05, 0.05), 3), source, underlying, stamp_s)


def _backfill() -> Iterator[Moment]:
    for number, at_s in enumerate((40.4, 41.3, 43.2)):
        yield Moment(at_s, "backfill", symbols.NDX, BACKFILL_FROM_AT - START_AT + number * 900.0)
