"""Ask the engine what the picture does not hold."""

from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

Seen = TypeVar("Seen")


class Look(Struct, Generic[Seen], frozen=True, tag=True, kw_only=True):
    """Ask for something; ``answer`` is the type of what comes back.

    Attributes:
        engine: Who is to say, of the engines of a fleet; empty is the one that is asked.
    """

    answer: ClassVar[Any]
    engine: str = ""
