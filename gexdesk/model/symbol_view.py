"""What screens see of one symbol: its figures and strikes, its sources side by side, what is held back, what is missing."""

from msgspec import Struct

from gexdesk.model.level import Level


class Figures(Struct, frozen=True):
    """Hold the numbers of one snapshot that are compared with another's; GEX in USD per 1% move, None where unknown.

    Attributes:
        implied_spot: What the chain's own quotes say the spot is, by put-call parity; points.
        contracts, strikes: Rows of the chain and distinct strikes.
    """

    as_of: float
    spot: float | None = None
    net_gex: float | None = None
    gross_gex: float | None = None
    zero_gamma: float | None = None
    call_wall: float | None = None
    put_wall: float | None = None
    total_open_interest: float | None = None
    total_volume: float | None = None
    coverage: float | None = None
    contracts: int | None = None
    strikes: int = 0
    implied_spot: float | None = None


class StrikeRow(Struct, frozen=True):
    """Show one strike; contracts and USD per 1% move, None where unknown.

    Attributes:
        net_gex_change: Since the snapshot before, of the same source; None where that had no such strike, or is not at hand.
    """

    strike: float
    call_open_interest: float | None
    put_open_interest: float | None
    call_volume: float | None
    put_volume: float | None
    net_gex: float | None
    net_gex_volume: float | None
    call_gex: float | None = None
    put_gex: float | None = None
    net_gex_change: float | None = None


class Point(Struct, frozen=True):
    """Show what readers had at one moment of the session."""

    as_of: float
    spot: float | None
    net_gex: float | None
    zero_gamma: float | None


class FeedOfSymbol(Struct, frozen=True):
    """Show one source of a symbol.

    Attributes:
        role: ``serving``, ``standby`` or ``other``.
        state: ``ok``, ``FROZEN``, ``SILENT``, ``REPEATS`` (answers, but with the same document), ``QUARANTINE``, ``waiting``
            (nothing yet), ``closed`` (its market is), ``paused``, ``ended`` or ``history``.
        text: Why, in one line; empty where it is ok.
        as_of: Stamp of its last snapshot that passed; None before the first.
        last_at: Receipt of its last snapshot, whatever came of it.
        changed_at: Receipt of the first snapshot with its present numbers.
        interval_s: How far apart its snapshots are expected; None where nobody knows.
        quarantined: Snapshots of it that are held back now.
    """

    source: str
    role: str
    state: str
    text: str
    as_of: float | None
    last_at: float | None
    changed_at: float | None
    interval_s: float | None
    delay_s: float
    figures: Figures | None = None
    flags: tuple[str, ...] = ()
    quarantined: int = 0


class FindingView(Struct, frozen=True):
    """Show what one check found.

    Attributes:
        gate: ``spot``, ``jump``, ``open_interest``, ``coverage``, ``ordering``, ``skew`` or ``identity``.
        outcome: ``flag`` or ``quarantine``.
        word: The flag as it stands in value and notice, e.g. ``spot_off``.
        text: One line, both figures in it.
        found, expected: The two figures, None where they are no numbers.
    """

    gate: str
    outcome: str
    word: str
    text: str
    found: float | None = None
    expected: float | None = None


class QuarantineCase(Struct, frozen=True):
    """Show what is held back of one source and symbol: an unbroken row of snapshots that the checks stopped.

    Attributes:
        number: Names it for ``release`` and ``refuse``.
        state: ``held``, ``released`` or ``refused``.
        count: Snapshots in it.
        findings: Of the newest.
        suspect: The newest snapshot that is held back.
        good: The last good one of the same source; None where there was none.
        live: What readers have instead, of a settled case what they had then; None where they have nothing.
        live_source: Whose that is.
        settled_by: ``rule`` or who released or refused it; empty while it is held.
        revision: Goes up when the checks find something else in it, or it is settled; a lever names the one it saw.
        job_id: The job of the newest snapshot that is held back.
    """

    number: int
    symbol: str
    source: str
    state: str
    count: int
    first_at: float
    last_at: float
    level: Level
    findings: tuple[FindingView, ...]
    suspect: Figures
    good: Figures | None
    live: Figures | None
    live_source: str
    readers: tuple[str, ...] = ()
    settled_by: str = ""
    settled_reason: str = ""
    settled_at: float | None = None
    revision: int = 1
    job_id: str = ""


class CompareRow(Struct, frozen=True):
    """Show one figure of two sources.

    Attributes:
        name: ``net_gex``, ``gross_gex``, ``zero_gamma``, ``call_wall``, ``put_wall``, ``spot`` or ``age_s``.
        difference: In the unit of ``tolerance``; None where one of the two is unknown.
        tolerance: A share of gross GEX for ``net_gex`` and ``gross_gex``, a share of spot for strikes and spots, seconds for age.
        agrees: None where it cannot be said.
    """

    name: str
    left: float | None
    right: float | None
    difference: float | None
    tolerance: float
    agrees: bool | None


class GapView(Struct, frozen=True):
    """Show a time in which something expected did not come.

    Attributes:
        gap: Its name for ``backfill``.
        to_at: None while it lasts.
        missed: Snapshots that should have come; None where nobody knows.
        fillable: History for it can be had; ``how`` says from where, or why not.
        filling_since: When a backfill of it was begun; None before, and once that has ended.
        filled_at: When history had nine in ten of what was missed, or all that history of its pace can have.
        brought, wanted: Snapshots inside of it that history has, of how many that would fill it; None where none was stored yet.
    """

    gap: str
    symbol: str
    source: str
    from_at: float
    to_at: float | None
    missed: int | None
    fillable: bool
    how: str
    filled_at: float | None
    reason: str
    filling_since: float | None = None
    brought: int = 0
    wanted: int | None = None

    @property
    def short(self) -> bool:
        """Say whether it is filled, and yet less is there than was missed."""
        return self.filled_at is not None and self.wanted is not None and self.brought < (self.missed or 1)

    @property
    def there(self) -> str:
        """Say how much of what was missed is there, e.g. ``57 of 60``; empty where nobody counted."""
        if self.wanted is None:
            return ""
        return f"{self.brought:,} of {(self.missed or 1) if self.filled_at is not None else self.wanted:,}"
