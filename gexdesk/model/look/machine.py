"""How the engine works inside."""

from typing import Any, ClassVar

from msgspec import Struct

from gexdesk.model.look.base import Look
from gexdesk.model.record_view import PartsView, SlotView


class MachineSeen(Struct, frozen=True):
    """Tell how the engine works inside.

    Attributes:
        load: Runnable processes of the host over the last minute; None where it does not say.
        cpu_share: Share of one core that the engine and its pool took since they were last asked; None the first time.
        memory_bytes: The engine's own, without its pool.
        dispatches, deviating: Dispatches, and those made while something that mattered more was waiting.
        slots: Who works on what; ``pool``: who decodes what.
        pool_backlog: Payloads that wait for a pool process.
        history_bytes, history_from: Pictures a second in memory, and since when; None without one.
        history_disk_bytes: Pictures a minute.
        spool_bytes, spool_open: On disk, and payloads in it that nobody has finished with.
        metadata_bytes, free_bytes: The database, and what is free on its disk.
        parts: By level, of the decisions of the last ``parts_s`` seconds.
    """

    engine_id: str
    host: str
    pid: int
    version: str
    since: float
    state_folder: str
    cores: int
    load: float | None
    cpu_share: float | None
    memory_bytes: int
    dispatches: int
    deviating: int
    slots: tuple[SlotView, ...]
    pool: tuple[SlotView, ...]
    pool_backlog: int
    in_flight: int
    undecided: int
    storing: int
    store_lag_s: float
    history_bytes: int
    history_from: float | None
    history_disk_bytes: int
    spool_bytes: int
    spool_open: int
    metadata_bytes: int
    free_bytes: int
    parts_s: float
    parts: tuple[PartsView, ...]


class MachineLook(Look[MachineSeen], frozen=True):
    """Ask how the engine works inside."""

    answer: ClassVar[Any] = MachineSeen
