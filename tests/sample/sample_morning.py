"""Read the committed sample with nothing but the standard library, as a stranger would."""

import gzip
import json
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).parents[2] / "sample_data"


@dataclass(frozen=True)
class Event:
    at_s: float
    source: str
    kind: str
    file: str
    record: int | None
    reason: str
    compressed: bool

    @property
    def body(self) -> bytes:
        """The payload, expanded."""
        return _text(self.file) if self.record is None else _lines(self.file)[self.record]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@cache
def _text(file: str) -> bytes:
    return gzip.decompress((FOLDER / file).read_bytes())


@cache
def _lines(file: str) -> list[bytes]:
    return _text(file).split(b"\n")


@cache
def start() -> dict[str, Any]:
    return json.loads((FOLDER / "story.jsonl").read_text().splitlines()[0])


@cache
def events(source: str = "") -> tuple[Event, ...]:
    """All events, or those of the sources whose name begins so."""
    rows = [json.loads(line) for line in (FOLDER / "story.jsonl").read_text().splitlines()[1:]]
    made = [Event(**{"reason": "", "compressed": False, **row}) for row in rows]
    return tuple(event for event in made if event.source.startswith(source))


def payloads(source: str) -> tuple[Event, ...]:
    return tuple(event for event in events(source) if event.kind == "payload")
