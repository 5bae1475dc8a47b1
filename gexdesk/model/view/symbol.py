"""One symbol: what its readers have now."""

from msgspec import Struct

from gexdesk.model.level import Level


class SymbolView(Struct, frozen=True):
    """Show what readers have of one symbol.

    Attributes:
        served_by: Source of the live value; empty while there is none.
        level, why: Of the live value; None and empty without one, as all that belongs to it.
        as_of: Stamp of the live value.
        delay_s: Known delay of the serving source's quotes, to be added to the age.
        changed_at: When the numbers last changed; later stamps with the same numbers do not move it.
        added_s: Receipt to available of the live value: what the desk itself added.
        net_gex: USD per 1% move; None where unknown.
        check: What is worst about it, in a word: ``MISSING`` (expected, and no value), ``QUARANTINE``, ``FROZEN``, ``SILENT``,
            ``REPEATS`` (the same document again and again), ``DISAGREE``, ``PAUSED``, ``old``, ``qual 71%``, ``D15`` (delayed by
            15 minutes, and nothing else), ``flagged`` (the checks said something), ``waiting`` (nothing yet, and none is due),
            ``closed`` (nothing yet, and its market is), ``ok``.
        check_text: The same in one line, with its figures; empty where it is ok.
        expected: Somebody is to be served with it, so that no value is a fault.
        serving: Source that is to serve it; ``served_by`` follows with its next value.
        standby, standby_delay_s, standby_as_of: What ``failover`` would serve it from, and its last good stamp; empty and None
            where there is none.
        readers: Who reads it.
        flags: What the checks before publishing said of the live value, one word each.
        quarantined: Snapshots of any of its sources that are held back now.
        failed_over: Who made another source than the first one serve it, why and since when; empty while that serves.
        revision: Goes up when its serving source changes; a lever names the one it saw.
    """

    symbol: str
    served_by: str
    level: Level | None
    why: str
    as_of: float | None
    delay_s: float
    changed_at: float | None
    available_at: float | None
    added_s: float | None
    spot: float | None
    net_gex: float | None
    gross_gex: float | None
    zero_gamma: float | None
    call_wall: float | None
    put_wall: float | None
    coverage: float | None
    check: str
    check_text: str = ""
    expected: bool = False
    serving: str = ""
    standby: str = ""
    standby_delay_s: float | None = None
    standby_as_of: float | None = None
    readers: tuple[str, ...] = ()
    flags: tuple[str, ...] = ()
    quarantined: int = 0
    failed_over: str = ""
    revision: int = 1
