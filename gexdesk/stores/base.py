"""What processing hands to the stores, and what the live cache owes."""

from collections.abc import Sequence
from typing import Protocol

from msgspec import Struct

from gexdesk.model.exposure import Exposure
from gexdesk.model.level import Level


class LiveValue(Struct, frozen=True):
    """Hold what readers get for a symbol, and the change notice's content.

    Attributes:
        changed_at: ``as_of`` of the first snapshot with these very numbers.
        revision: Goes up with each published value of the symbol.
    """

    symbol: str
    source: str
    job_id: str
    level: Level
    why: str
    received_at: float
    available_at: float
    changed_at: float
    delay_s: float
    revision: int
    exposure: Exposure


class LiveCache(Protocol):
    """Keep one live value a symbol: newest ``as_of`` of the serving source wins, a late job never overwrites a newer value."""

    async def publish(self, value: LiveValue) -> bool:
        """Make the value readable and tell subscribers; False where a newer one (or another source's) already serves."""
        ...

    def get(self, symbol: str) -> LiveValue | None:
        """Return what readers have now."""
        ...

    def all(self) -> Sequence[LiveValue]:
        """Return every live value, by symbol."""
        ...


class KeptSnapshot(Struct, frozen=True):
    """Hold one processed snapshot on its way to the durable stores.

    Attributes:
        ordinal: Position in its payload; a JSON-lines file holds many.
        strikes_arrow: Arrow IPC stream of the per-strike rows (columns of ``StrikeTable``).
    """

    job_id: str
    ordinal: int
    source: str
    payload_sha256: str
    received_at: float
    delay_s: float
    exposure: Exposure
    strikes_arrow: bytes
