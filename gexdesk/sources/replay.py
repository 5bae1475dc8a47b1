"""Play a recorded story as if it happened now: the sample desk's only kind of source."""

import asyncio
import gzip
import math
import zlib
from functools import lru_cache
from pathlib import Path, PurePosixPath

import msgspec

from gexdesk.model.clock import Clock
from gexdesk.model.errors import PayloadError, SettingsError, StoreError
from gexdesk.model.payload import Arrival
from gexdesk.model.text import printable
from gexdesk.sources.base import Deliver, Ended, Failed, Fetched, Report

STORY = "story.jsonl"

_CONTENT_TYPES = {".json": "application/json", ".jsonl": "application/json", ".csv": "text/csv"}


class _Line(msgspec.Struct, frozen=True):
    """Read one line of the story; which fields matter depends on ``kind``.

    Attributes:
        kind: ``start`` (first line: ``starts_at`` and ``length_s``), ``payload`` or ``fail``.
        starts_at: UTC seconds since the epoch of story second 0.
        length_s: Story seconds until it ends or begins again.
        at_s: Story seconds of the event.
        file: Path below the story's folder.
        record: Line of a JSON-lines file, from 0; None delivers the whole file.
        compressed: Deliver a gzip file as it lies.
        reason: Why the request failed.
    """

    kind: str
    starts_at: float = 0.0
    length_s: float = 0.0
    at_s: float = 0.0
    source: str = ""
    file: str = ""
    record: int | None = None
    compressed: bool = False
    reason: str = ""


_LINE = msgspec.json.Decoder(_Line)


class Replay:
    """Deliver one source's part of a story, made current.

    Where it stands follows from the clock alone: cancelled and run again it goes on at the present second and what is past is
    lost, as with a live feed. Within one run nothing is left out: what is due while a delivery waits comes late, and
    shows its age, unless a whole story length has gone by.

    Every stamp is as old at its due time as it was in the story, at any speed.

    Attributes:
        name: The source whose events are played.
        length_s: Story seconds of one round.

    Args:
        folder: Holds ``story.jsonl`` and the files it names.
        started_at: UTC seconds since the epoch at which story second 0 is played.
        loop: Begin again at the end, for ever; else report ``Ended``.
        speed: Story seconds per second.

    Raises:
        SettingsError: The story is missing, broken, names a file that is not there, or knows nothing of the source.
    """

    def __init__(self, name: str, folder: Path, *, started_at: float, clock: Clock, loop: bool, speed: float = 1.0) -> None:
        if not (math.isfinite(speed) and speed > 0):
            raise SettingsError(f"replay speed of {printable(name)} is {speed:g}; allowed: above 0")
        start, events = _read_story(folder)
        own = tuple(event for event in events if event.source == name)
        if not own:
            known = ", ".join(sorted({printable(event.source) for event in events}))
            raise SettingsError(f"{folder / STORY} has nothing of source {printable(name)}; it tells of: {known}")
        self.name = name
        self.length_s = start.length_s
        self._starts_at = start.starts_at
        self._events = own
        self._folder = folder
        self._started_at = started_at
        self._clock = clock
        self._loop = loop
        self._speed = speed
        self._open: tuple[str, list[bytes]] = ("", [])

    @property
    def position_s(self) -> float:
        """Return where the story stands, 0 to ``length_s``; it begins again where it loops and else stays at its end."""
        played_s = max(0.0, (self._clock.now() - self._started_at) * self._speed)
        return played_s % self.length_s if self._loop else min(played_s, self.length_s)

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Play from the present second on, until cancelled or, without loop, until the last event is over."""
        number = self._next_number()
        while self._loop or number < len(self._events):
            due_at = self._due_at(number)
            if (self._clock.now() - due_at) * self._speed > self.length_s:
                number = self._next_number()
                continue
            while (rest_s := due_at - self._clock.now()) > 0:
                await self._clock.sleep(rest_s)
            await self._play(self._events[number % len(self._events)], due_at, deliver, report)
            number += 1
        report(Ended())

    async def _play(self, event: _Line, due_at: float, deliver: Deliver, report: Report) -> None:
        """Deliver one payload or report why there is none; nothing of one event ends the run."""
        if event.kind == "fail":
            report(Failed(printable(event.reason)))
            return
        began = self._clock.monotonic()
        try:
            body = await asyncio.to_thread(self._body, event)
        except (OSError, EOFError, zlib.error, ValueError) as error:
            report(Failed(printable(f"{event.file}: {error}")))
            return
        elapsed_s = self._clock.monotonic() - began
        arrival = Arrival(
            source=self.name,
            body=body,
            received_at=self._clock.now(),
            content_type="application/gzip" if event.compressed else _content_type(event.file),
            name=printable(event.file if event.record is None else f"{event.file}#{event.record}"),
            time_shift_s=due_at - (self._starts_at + event.at_s),
        )
        try:
            await deliver(arrival)
        except (PayloadError, StoreError) as error:
            report(Failed(printable(error.message)))
            return
        report(Fetched(elapsed_s))

    def _due_at(self, number: int) -> float:
        """Return when an event is due; numbers go on counting from round to round."""
        round_number, index = divmod(number, len(self._events))
        return self._started_at + (round_number * self.length_s + self._events[index].at_s) / self._speed

    def _next_number(self) -> int:
        """Return the number of the first event that is not past."""
        now = self._clock.now()
        number = max(0, math.floor((now - self._started_at) * self._speed / self.length_s)) * len(self._events)
        while self._due_at(number) < now:
            number += 1
        return number

    def _body(self, event: _Line) -> bytes:
        """Read a payload, in a thread; of JSON-lines files the one in use stays in memory."""
        path = self._folder / event.file
        if event.record is None:
            raw = path.read_bytes()
            return raw if event.compressed else _expanded(event.file, raw)
        if self._open[0] != event.file:
            self._open = (event.file, _expanded(event.file, path.read_bytes()).splitlines())
        records = self._open[1]
        if event.record >= len(records):
            raise ValueError(f"record {event.record} is asked for, it has {len(records)} from 0")
        return records[event.record]


def _expanded(file: str, raw: bytes) -> bytes:
    return gzip.decompress(raw) if file.endswith(".gz") else raw


def _content_type(file: str) -> str:
    return _CONTENT_TYPES.get(PurePosixPath(file.removesuffix(".gz")).suffix, "")


def _read_story(folder: Path) -> tuple[_Line, list[_Line]]:
    """Return the first line and the events, in order of time."""
    path = folder / STORY
    try:
        return _parse_story(folder, path.read_bytes())
    except OSError as error:
        raise SettingsError(f"no story to replay: {path}: {error.strerror}; `gexdesk sample {folder}` writes one") from error


@lru_cache(maxsize=1)  # every source of a desk plays its part of the same story
def _parse_story(folder: Path, text: bytes) -> tuple[_Line, list[_Line]]:
    path = folder / STORY
    lines = [_line(path, number, row) for number, row in enumerate(text.splitlines(), start=1)]
    if not lines or lines[0].kind != "start" or lines[0].starts_at <= 0 or lines[0].length_s <= 0:
        raise SettingsError(f"{path}: line 1 must be of kind start, with `starts_at` and `length_s` above 0")
    start, events = lines[0], lines[1:]
    here: dict[str, bool] = {}
    for number, event in enumerate(events, start=2):
        if fault := _fault(event, start.length_s):
            raise SettingsError(f"{path}: line {number}: {fault}")
        if event.kind == "payload" and not here.setdefault(event.file, (folder / event.file).is_file()):
            raise SettingsError(f"{path}: line {number} names {printable(event.file)}, which is not in {folder}")
    return start, sorted(events, key=lambda event: event.at_s)


def _line(path: Path, number: int, row: bytes) -> _Line:
    try:
        return _LINE.decode(row)
    except (msgspec.DecodeError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: line {number}: {printable(str(error))}; each line is one JSON object of the story") from error


def _fault(event: _Line, length_s: float) -> str:
    """Say what is wrong with an event; empty when nothing is."""
    if event.kind not in ("payload", "fail"):
        return f"kind is {printable(event.kind)!r}; allowed: payload, fail"
    if not 0 <= event.at_s < length_s:
        return f"at_s is {event.at_s:g}; allowed: 0 to below {length_s:g}"
    if event.kind == "payload":
        file = PurePosixPath(event.file)
        if not event.file or file.is_absolute() or ".." in file.parts:
            return f"file is {printable(event.file)!r}; allowed: a path below the story's folder"
        if event.record is not None and event.record < 0:
            return f"record is {event.record}; allowed: 0 and up, or null"
    return ""
