"""Ask the engine what the picture does not hold."""

from typing import Any, ClassVar, Generic, TypeVar

from msgspec import Struct

Seen = TypeVar("Seen")


class Look(Struct, Generic[Seen], frozen=True, tag=True):
    """Ask for something; ``answer`` is the type of what comes back."""

    answer: ClassVar[Any]
