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
        text = _text(self.file)
        return text if self.record is None else text.split(b"\n")[self.record]

    @property
    def document(self) -> Any:
        return json.loads(self.body)


@cache
def _text(file: str) -> bytes:
    return gzip.decompress((FOLDER / file).read_bytes())


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
