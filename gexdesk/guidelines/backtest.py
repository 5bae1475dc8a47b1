"""What another set of guidelines would have decided on recorded features, against the set in force."""

from __future__ import annotations

from typing import TYPE_CHECKING

from msgspec import Struct

from gexdesk.guidelines.batch import AT, decide_batch
from gexdesk.model.errors import GuidelineError
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.market import session

if TYPE_CHECKING:
    import polars as pl

    from gexdesk.guidelines.rules import RuleSet

MOVERS = 20


class Mover(Struct, frozen=True):
    """Count a symbol's decisions that would change from one level to another."""

    symbol: str
    before: Level
    after: Level
    count: int


class Backtest(Struct, frozen=True):
    """Compare two sets over the same decisions.

    Attributes:
        rows: Decisions compared; those that an override made are left out, since no set changes them.
        confusion: Counts, ``confusion[level before][level after]``.
        movers: The most numerous changes, at most ``MOVERS``.
        critical_ratio: CRITICAL decisions after over before; None where there was none before.
        critical_peak_before, critical_peak_after: CRITICAL decisions of the busiest minute; None without their times.
        capacity_ratio: ``critical_peak_after`` over what the desk serves in a minute; None where either is not known.
    """

    rows: int
    changed: int
    version_before: str
    version_after: str
    confusion: dict[str, dict[str, int]]
    movers: tuple[Mover, ...]
    critical_before: int
    critical_after: int
    critical_ratio: float | None
    critical_peak_before: int | None
    critical_peak_after: int | None
    capacity_ratio: float | None

    @property
    def words(self) -> str:
        """Say in one line what the candidate would ask for."""
        load = f"{self.critical_after:,} CRITICAL instead of {self.critical_before:,}"
        if self.critical_ratio is not None:
            load += f" ({self.critical_ratio:.2g}x)"
        if self.capacity_ratio is not None:
            load += f"; its busiest minute would ask for {self.capacity_ratio:.2g}x the CRITICAL capacity"
        return f"{self.changed:,} of {self.rows:,} decisions would change; {load}"


def backtest(frame: pl.DataFrame, current: RuleSet, candidate: RuleSet, capacity_per_min: float | None = None) -> Backtest:
    """Decide recorded features by two sets and count what differs.

    Args:
        frame: Columns as in ``decide_batch``, such as the relation ``decisions`` offers; ``override_level`` where present marks
            what an operator decided. Session and minutes to the close come from ``decided_at`` where they were not recorded.
        capacity_per_min: How many CRITICAL payloads the reserved slots serve in a minute.

    Raises:
        GuidelineError: A column is missing or is not of its kind.
    """
    import polars as pl

    if "override_level" in frame.columns:
        frame = frame.filter(pl.col("override_level").is_null())
    frame = _with_session(frame)
    before, after = decide_batch(frame, current)["level"], decide_batch(frame, candidate)["level"]
    kept = [name for name in ("symbol", AT) if name in frame.columns]
    both = frame.select(kept).with_columns(before.alias("before"), after.alias("after"))
    confusion: dict[str, dict[str, int]] = {str(one): {str(other): 0 for other in LEVELS} for one in LEVELS}
    for one, other, count in both.group_by("before", "after").len().iter_rows():
        confusion[one][other] = count
    moved = both.filter(pl.col("before") != pl.col("after")).group_by("symbol", "before", "after").len("count")
    largest = moved.sort("count", "symbol", "before", "after", descending=[True, False, False, False]).head(MOVERS)
    critical = [int((levels == str(Level.CRITICAL)).sum()) for levels in (before, after)]
    peaks = [_peak(both, name) for name in ("before", "after")]
    return Backtest(
        rows=both.height,
        changed=int((before != after).sum()),
        version_before=current.version,
        version_after=candidate.version,
        confusion=confusion,
        movers=tuple(Mover(symbol, Level(one), Level(other), count) for symbol, one, other, count in largest.iter_rows()),
        critical_before=critical[0],
        critical_after=critical[1],
        critical_ratio=critical[1] / critical[0] if critical[0] else None,
        critical_peak_before=peaks[0],
        critical_peak_after=peaks[1],
        capacity_ratio=peaks[1] / capacity_per_min if capacity_per_min and peaks[1] is not None else None,
    )


def _peak(both: pl.DataFrame, name: str) -> int | None:
    """Return how many CRITICAL decisions the busiest minute of the clock had."""
    import polars as pl

    if AT not in both.columns:
        return None
    times = both.filter(pl.col(name) == str(Level.CRITICAL)).select((_seconds(both) // 60).alias("minute")).drop_nulls()
    return int(times.group_by("minute").len()["len"].max() or 0)  # type: ignore[arg-type]


def _seconds(frame: pl.DataFrame) -> pl.Expr:
    import polars as pl

    column = pl.col(AT)
    return column.dt.epoch("us") / 1e6 if frame.schema[AT].is_temporal() else column.cast(pl.Float64)


def _with_session(frame: pl.DataFrame) -> pl.DataFrame:
    """Add session and minutes to the close from the time of each decision, unless they were recorded."""
    import polars as pl

    if AT not in frame.columns or "session" in frame.columns:
        return frame
    try:
        moments = frame.select(_seconds(frame).alias("at"))
        first, last = moments["at"].min(), moments["at"].max()
    except pl.exceptions.PolarsError as error:
        raise GuidelineError(f"{AT} is no column of times: {str(error).partition(chr(10))[0]}") from error
    if not isinstance(first, float) or not isinstance(last, float):
        return frame
    starts, kinds, closes = [], [], []
    at = first
    while at <= last:
        found = session(at)
        starts.append(at)
        kinds.append(found.kind)
        closes.append(found.closes_at if found.kind == "regular" else None)
        at = found.changes_at
    spans = pl.DataFrame({"at": starts, "session": kinds, "closes_at": closes}, schema_overrides={"closes_at": pl.Float64})
    joined = moments.with_row_index("row").sort("at", nulls_last=False).join_asof(spans, on="at").sort("row")
    minutes = (joined["closes_at"] - joined["at"]) / 60
    return frame.with_columns(joined["session"], minutes.alias("minutes_to_close"))
