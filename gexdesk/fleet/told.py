"""What the board of a fleet tells."""

from collections.abc import Mapping

import msgspec
from msgspec import Struct


class Entry(Struct, frozen=True, array_like=True):
    """Hold what is shared under one name.

    Attributes:
        value: msgpack of the value; nil where it was ended.
        actor, host: Who set it, through which engine.
        at: UTC seconds, by that engine's clock.
        version: Of this name; goes up with each change.
    """

    value: msgspec.Raw
    actor: str
    host: str
    at: float
    version: int = 0


class Posted(Struct, frozen=True):
    """Hold everything that is shared.

    Attributes:
        birth: Mark of the board; another one where the board was wiped, or was found to have lost something.
        version: Of the whole; goes up with each change of any name.
        entries: By name, what was ended too.
    """

    birth: str
    version: int
    entries: Mapping[str, Entry]


class Heard(Struct, frozen=True):
    """Hold the last beat of one engine.

    Attributes:
        silent_s: How long ago it came, by the server's clock.
        body: What it said of itself.
    """

    engine: str
    silent_s: float
    body: bytes


class Told(Struct, frozen=True):
    """Hold what a beat learned.

    Attributes:
        now: UTC seconds of the server's clock.
        own: Units this engine owns from now on, for a lease.
        took: Those of ``own`` that are new, with the engine that had them before; empty where nobody had.
        owners: Every owned unit and its engine.
        version: Of what is shared.
        most: How many units are an engine's fair share.
        birth: Mark of the board, as ``Posted`` has it; empty until somebody read it.
    """

    now: float
    own: frozenset[str]
    took: Mapping[str, str]
    owners: Mapping[str, str]
    engines: tuple[Heard, ...]
    version: int
    most: int
    birth: str = ""
