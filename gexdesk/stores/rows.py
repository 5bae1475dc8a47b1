"""Turn records into columns, as the tables of ``schema.sql`` have them."""

import math
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from itertools import chain
from typing import Any, TypeVar

import msgspec
import polars as pl

from gexdesk.model.decision import Bound, Decision, Freshness, Match, Override, ScoreParts
from gexdesk.model.errors import StoreError
from gexdesk.model.features import Features
from gexdesk.model.level import Level
from gexdesk.model.text import printable
from gexdesk.stores.base import (
    DeadLetter,
    DecisionRecord,
    GapRecord,
    GuidelineRecord,
    IncidentRecord,
    JobRecord,
    KeptSnapshot,
    OverrideRecord,
    RequestRecord,
    SourceRecord,
)

R = TypeVar("R")

TEXT_LIMIT = 1000
Columns = Mapping[str, tuple[pl.DataType, Callable[[R], Any]]]

_UNFIT = (TypeError, OverflowError, UnicodeError, pl.exceptions.PolarsError)

TEXT, REAL, WHOLE, BOOL, TIME = pl.String(), pl.Float64(), pl.Int64(), pl.Boolean(), pl.Datetime("us")
TEXTS, REALS = pl.List(pl.String), pl.List(pl.Float64)
_MATCHES = pl.List(pl.Struct({"guideline": pl.String, "level": pl.String, "score": pl.Float64, "requires": pl.String}))
_BY_EXPIRY = pl.List(pl.Struct({"expiry": pl.Date, "net_gex": pl.Float64, "gross_gex": pl.Float64}))
_LAST_S = 253_402_300_799.0  # 9999-12-31T23:59:59Z, where datetime ends


def microseconds(at: float | None) -> int | None:
    """Return UTC microseconds since the epoch of UTC seconds; None stays None.

    Raises:
        StoreError: Not a finite time between the years 1970 and 9999.
    """
    if at is None:
        return None
    if not (math.isfinite(at) and 0.0 <= at <= _LAST_S):
        raise StoreError(f"{at!r} is no time that can be stored: seconds since 1970 up to the year 9999 are allowed")
    return round(at * 1e6)


def columns_of(records: Sequence[R], columns: Columns[R]) -> pl.DataFrame:
    """Return one row a record in the given order, NaN as null, and so what its column cannot hold: a row is never lost for a value.

    Raises:
        StoreError: The records are none that these columns are of.
    """
    try:
        return pl.DataFrame(
            {
                name: _column(name, [value(record) for record in records], dtype)
                for name, (dtype, value) in columns.items()
            }
        ).with_columns(pl.col(pl.Float64).fill_nan(None))
    except _UNFIT as error:
        raise StoreError(f"a record cannot be stored: {_line(str(error).partition(chr(10))[0])}") from error


def _column(name: str, values: list[Any], dtype: pl.DataType) -> pl.Series:
    if not isinstance(dtype, pl.List):
        try:
            return pl.Series(name, values, dtype=dtype)
        except _UNFIT:
            return pl.Series(name, [value if _fits(value, dtype) else None for value in values], dtype=dtype)
    # Polars takes 3 to 20 us a row for lists as they are; flat and gathered up again by row it is under one.
    flat = _flat(name, list(chain.from_iterable(values)), dtype.inner)
    at = pl.Series("at", [row for row, some in enumerate(values) for _ in some], dtype=pl.UInt32)
    gathered = pl.DataFrame([at, flat]).group_by("at", maintain_order=True).agg(name)
    rows = pl.DataFrame(pl.Series("at", range(len(values)), dtype=pl.UInt32))
    return rows.join(gathered, on="at", how="left", maintain_order="left")[name].fill_null([])


def _fits(value: Any, dtype: pl.DataType) -> bool:
    try:
        pl.Series([value], dtype=dtype)
    except _UNFIT:
        return False
    return True


def _flat(name: str, values: list[Any], dtype: Any) -> pl.Series:
    if not isinstance(dtype, pl.Struct):
        return pl.Series(name, values, dtype=dtype)
    fields = zip(*values, strict=True) if values else ((),) * len(dtype.fields)
    columns = [pl.Series(field.name, some, dtype=field.dtype) for field, some in zip(dtype.fields, fields, strict=True)]
    return pl.DataFrame(columns).to_struct(name)


def _day(iso: str) -> date:
    return date.fromisoformat(iso)


def _line(text: str) -> str:
    """Return text fit for a terminal; the usual case costs one scan."""
    return text if text.isascii() and text.isprintable() and len(text) <= TEXT_LIMIT else printable(text, TEXT_LIMIT)


SNAPSHOTS: Columns[KeptSnapshot] = {
    "symbol": (TEXT, lambda k: k.exposure.symbol),
    "as_of": (TIME, lambda k: microseconds(k.exposure.as_of)),
    "received_at": (TIME, lambda k: microseconds(k.received_at)),
    "source": (TEXT, lambda k: k.source),
    "spot": (REAL, lambda k: k.exposure.spot),
    "net_gex": (REAL, lambda k: k.exposure.net_gex),
    "gross_gex": (REAL, lambda k: k.exposure.gross_gex),
    "net_gex_volume": (REAL, lambda k: k.exposure.net_gex_volume),
    "vendor_net_gex": (REAL, lambda k: k.exposure.vendor_net_gex),
    "zero_gamma": (REAL, lambda k: k.exposure.zero_gamma.value),
    "zero_gamma_status": (TEXT, lambda k: k.exposure.zero_gamma.status),
    "call_wall": (REAL, lambda k: k.exposure.call_wall),
    "put_wall": (REAL, lambda k: k.exposure.put_wall),
    "absolute_gamma_strike": (REAL, lambda k: k.exposure.absolute_gamma_strike),
    "zero_dte_share": (REAL, lambda k: k.exposure.zero_dte_share),
    "max_pain": (REAL, lambda k: k.exposure.max_pain),
    "put_call_oi": (REAL, lambda k: k.exposure.put_call_oi),
    "put_call_volume": (REAL, lambda k: k.exposure.put_call_volume),
    "total_open_interest": (REAL, lambda k: k.exposure.total_open_interest),
    "total_volume": (REAL, lambda k: k.exposure.total_volume),
    "contracts": (WHOLE, lambda k: k.exposure.contracts),
    "expiries": (WHOLE, lambda k: k.exposure.expiries),
    "strike_count": (WHOLE, lambda k: k.exposure.strikes),
    "coverage": (REAL, lambda k: k.exposure.coverage),
    "quality": (REAL, lambda k: k.exposure.quality),
    "quality_reasons": (TEXTS, lambda k: [_line(reason) for reason in k.exposure.quality_reasons]),
    "dex": (REAL, lambda k: k.exposure.dex),
    "vex": (REAL, lambda k: k.exposure.vex),
    "chex": (REAL, lambda k: k.exposure.chex),
    "top5_share": (REAL, lambda k: k.exposure.top5_share),
    "top5_strikes": (REALS, lambda k: list(k.exposure.top5_strikes)),
    "gex_by_expiry": (_BY_EXPIRY, lambda k: [(_day(e.expiry), e.net_gex, e.gross_gex) for e in k.exposure.gex_by_expiry]),
    "zero_gamma_roots": (REALS, lambda k: list(k.exposure.zero_gamma.roots)),
    "flags": (TEXTS, lambda k: [_line(flag) for flag in k.flags]),
    "quarantined": (BOOL, lambda k: k.quarantined),
    "warnings": (TEXTS, lambda k: [_line(warning) for warning in k.exposure.warnings]),
    "format": (TEXT, lambda k: k.exposure.format),
    "conventions": (TEXT, lambda k: msgspec.json.encode(k.exposure.conventions).decode()),
    "delay_s": (REAL, lambda k: k.delay_s),
    "job_id": (TEXT, lambda k: k.job_id),
    "ordinal": (WHOLE, lambda k: k.ordinal),
    "payload_sha256": (TEXT, lambda k: k.payload_sha256),
}

JOBS: Columns[JobRecord] = {
    "job_id": (TEXT, lambda j: j.job_id),
    "source": (TEXT, lambda j: j.source),
    "symbol": (TEXT, lambda j: j.symbol),
    "level": (TEXT, lambda j: str(j.level)),
    "score": (REAL, lambda j: j.score),
    "status": (TEXT, lambda j: str(j.status)),
    "received_at": (TIME, lambda j: microseconds(j.received_at)),
    "decided_at": (TIME, lambda j: microseconds(j.decided_at)),
    "started_at": (TIME, lambda j: microseconds(j.started_at)),
    "available_at": (TIME, lambda j: microseconds(j.available_at)),
    "completed_at": (TIME, lambda j: microseconds(j.completed_at)),
    "attempts": (WHOLE, lambda j: j.attempts),
    "records": (WHOLE, lambda j: j.records),
    "size_bytes": (WHOLE, lambda j: j.size_bytes),
    "payload_sha256": (TEXT, lambda j: j.payload_sha256),
    "payload_name": (TEXT, lambda j: _line(j.payload_name)),
    "note": (TEXT, lambda j: _line(j.note)),
    "error": (TEXT, lambda j: _line(j.error)),
}

DECISIONS: Columns[DecisionRecord] = {
    "job_id": (TEXT, lambda d: d.job_id),
    "decided_at": (TIME, lambda d: microseconds(d.at)),
    "level": (TEXT, lambda d: str(d.decision.level)),
    "score": (REAL, lambda d: d.decision.score),
    "freshness": (TEXT, lambda d: d.decision.freshness.name),
    "winner": (TEXT, lambda d: d.decision.winner),
    "reason": (TEXT, lambda d: _line(d.decision.reason)),
    "guidelines_version": (TEXT, lambda d: d.decision.guidelines_version),
    "matches": (_MATCHES, lambda d: [(m.guideline, str(m.level), float(m.score), m.requires.name) for m in d.decision.matches]),
    "override_level": (TEXT, lambda d: d.decision.override and str(d.decision.override.level)),
    "override_author": (TEXT, lambda d: d.decision.override and _line(d.decision.override.author)),
    "override_reason": (TEXT, lambda d: d.decision.override and _line(d.decision.override.reason)),
    "override_until": (TIME, lambda d: d.decision.override and microseconds(d.decision.override.until)),
    "symbol": (TEXT, lambda d: d.features.symbol),
    "source": (TEXT, lambda d: d.features.source),
    "data_type": (TEXT, lambda d: d.features.data_type),
    "volume": (REAL, lambda d: d.features.volume),
    "open_interest": (REAL, lambda d: d.features.open_interest),
    "volume_from": (TEXT, lambda d: d.features.volume_from),
    "gamma_change": (REAL, lambda d: d.features.gamma_change),
    "data_age_s": (REAL, lambda d: d.features.data_age_s),
    "clock_skew": (BOOL, lambda d: d.features.clock_skew),
    "source_reliability": (REAL, lambda d: d.features.source_reliability),
    "coverage": (REAL, lambda d: d.features.coverage),
    "session": (TEXT, lambda d: d.features.session),
    "minutes_to_close": (REAL, lambda d: d.features.minutes_to_close),
    "zero_dte_share": (REAL, lambda d: d.features.zero_dte_share),
    "spot_move": (REAL, lambda d: d.features.spot_move),
    "gamma_change_5m": (REAL, lambda d: d.features.gamma_change_5m),
    "volume_percentile": (REAL, lambda d: d.features.volume_percentile),
    "open_interest_percentile": (REAL, lambda d: d.features.open_interest_percentile),
    "change_percentile": (REAL, lambda d: d.features.change_percentile),
    "minutes_since_changed": (REAL, lambda d: d.features.minutes_since_changed),
    "expected_records": (WHOLE, lambda d: d.features.expected_records),
    "data_quality": (TEXT, lambda d: d.features.data_quality),
    "priority_hint": (TEXT, lambda d: d.features.priority_hint),
    "score_impact": (REAL, lambda d: d.decision.parts.impact),
    "score_change": (REAL, lambda d: d.decision.parts.change),
    "score_freshness": (REAL, lambda d: d.decision.parts.freshness),
    "score_reliability": (REAL, lambda d: d.decision.parts.reliability),
    "score_urgency": (REAL, lambda d: d.decision.parts.urgency),
    "override_bound": (TEXT, lambda d: d.decision.override and str(d.decision.override.bound)),
}

def decision_of(row: Mapping[str, Any]) -> DecisionRecord:
    """Return a decision from its row, times as seconds; what an older engine did not write is unknown."""
    override = None
    if row["override_level"] is not None:
        bound = Bound(row["override_bound"] or Bound.EXACTLY)
        author, reason = row["override_author"] or "", row["override_reason"] or ""
        # Since when it stood is not kept with the decision: it did at the moment of it.
        override = Override(Level(row["override_level"]), author, reason, row["decided_at"], row["override_until"], bound)
    features = {name: row[name] for name in Features.__struct_fields__}
    features["data_age_s"] = math.nan if row["data_age_s"] is None else row["data_age_s"]
    parts = {name: row[f"score_{name}"] or 0.0 for name in ScoreParts.__struct_fields__}
    matches = [Match(m["guideline"], Level(m["level"]), m["score"], Freshness[m["requires"]]) for m in row["matches"]]
    decision = Decision(
        level=Level(row["level"]), score=row["score"], freshness=Freshness[row["freshness"]], winner=row["winner"],
        matches=tuple(matches), guidelines_version=row["guidelines_version"], reason=row["reason"], override=override,
        parts=ScoreParts(**parts),
    )  # fmt: skip
    return DecisionRecord(row["job_id"], row["decided_at"], Features(**features), decision)


DEAD_LETTERS: Columns[DeadLetter] = {
    "job_id": (TEXT, lambda d: d.job_id),
    "source": (TEXT, lambda d: d.source),
    "payload_name": (TEXT, lambda d: _line(d.payload_name)),
    "payload_sha256": (TEXT, lambda d: d.payload_sha256),
    "size_bytes": (WHOLE, lambda d: d.size_bytes),
    "received_at": (TIME, lambda d: microseconds(d.received_at)),
    "buried_at": (TIME, lambda d: microseconds(d.buried_at)),
    "stage": (TEXT, lambda d: d.stage),
    "kind": (TEXT, lambda d: d.kind),
    "reason": (TEXT, lambda d: _line(d.reason)),
    "attempts": (WHOLE, lambda d: d.attempts),
}

OVERRIDES: Columns[OverrideRecord] = {
    "target_kind": (TEXT, lambda o: o.target_kind),
    "target": (TEXT, lambda o: o.target),
    "level": (TEXT, lambda o: str(o.override.level)),
    "author": (TEXT, lambda o: _line(o.override.author)),
    "reason": (TEXT, lambda o: _line(o.override.reason)),
    "since": (TIME, lambda o: microseconds(o.override.since)),
    "until": (TIME, lambda o: microseconds(o.override.until)),
    "ended_at": (TIME, lambda o: microseconds(o.ended_at)),
    "bound": (TEXT, lambda o: str(o.override.bound)),
}

SOURCES: Columns[SourceRecord] = {
    "name": (TEXT, lambda s: s.name),
    "kind": (TEXT, lambda s: s.kind),
    "symbols": (TEXTS, lambda s: list(s.symbols)),
    "format": (TEXT, lambda s: s.format),
    "standing": (TEXT, lambda s: s.standing),
    "delay_s": (REAL, lambda s: s.delay_s),
    "paused": (BOOL, lambda s: s.paused),
    "requests": (WHOLE, lambda s: s.requests),
    "successes": (WHOLE, lambda s: s.successes),
    "last_success_at": (TIME, lambda s: microseconds(s.last_success_at)),
    "last_error": (TEXT, lambda s: _line(s.last_error)),
    "updated_at": (TIME, lambda s: microseconds(s.updated_at)),
}

REQUESTS: Columns[RequestRecord] = {
    "request_id": (TEXT, lambda r: r.request_id),
    "source_url": (TEXT, lambda r: _line(r.source_url)),
    "data_type": (TEXT, lambda r: r.data_type),
    "symbol": (TEXT, lambda r: r.symbol),
    "requested_at": (TIME, lambda r: microseconds(r.requested_at)),
    "requested_by": (TEXT, lambda r: _line(r.requested_by)),
    "level": (TEXT, lambda r: str(r.level)),
    "score": (REAL, lambda r: r.score),
    "status": (TEXT, lambda r: r.status),
    "estimated_s": (REAL, lambda r: r.estimated_s),
    "expected_records": (WHOLE, lambda r: r.expected_records),
    "data_quality": (TEXT, lambda r: r.data_quality),
    "priority_hint": (TEXT, lambda r: r.priority_hint),
    "job_id": (TEXT, lambda r: r.job_id),
    "started_at": (TIME, lambda r: microseconds(r.started_at)),
    "completed_at": (TIME, lambda r: microseconds(r.completed_at)),
    "records": (WHOLE, lambda r: r.records),
    "error": (TEXT, lambda r: _line(r.error)),
}

GUIDELINES: Columns[GuidelineRecord] = {
    "version": (TEXT, lambda g: g.version),
    "author": (TEXT, lambda g: _line(g.author)),
    "applied_at": (TIME, lambda g: microseconds(g.at)),
    "reason": (TEXT, lambda g: _line(g.reason)),
    "text": (TEXT, lambda g: g.text),
}

INCIDENTS: Columns[IncidentRecord] = {
    "number": (WHOLE, lambda i: i.number),
    "kind": (TEXT, lambda i: i.kind),
    "severity": (WHOLE, lambda i: i.severity),
    "subject": (TEXT, lambda i: _line(i.subject)),
    "text": (TEXT, lambda i: _line(i.text)),
    "opened_at": (TIME, lambda i: microseconds(i.opened_at)),
    "closed_at": (TIME, lambda i: microseconds(i.closed_at)),
    "owner": (TEXT, lambda i: _line(i.owner)),
    "timeline": (TEXT, lambda i: i.timeline),
}

GAPS: Columns[GapRecord] = {
    "symbol": (TEXT, lambda g: g.symbol),
    "source": (TEXT, lambda g: g.source),
    "from_at": (TIME, lambda g: microseconds(g.from_at)),
    "to_at": (TIME, lambda g: microseconds(g.to_at)),
    "missed": (WHOLE, lambda g: g.missed),
    "fillable": (BOOL, lambda g: g.fillable),
    "filled_at": (TIME, lambda g: microseconds(g.filled_at)),
    "reason": (TEXT, lambda g: _line(g.reason)),
}
