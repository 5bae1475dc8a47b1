"""Decode gexdesk's own snapshot JSON: one object, or one object a line.

``{market_symbol, snapshot_date, snapshot_time, strikes: [{strike_price, call_open_interest, put_open_interest,
call_volume?, put_volume?, call_bid?, call_ask?, put_bid?, put_ask?, gamma?, ...}], total_open_interest?,
total_volume?, metadata?, ...}``

``gamma`` is the strike's net gamma exposure from open interest in USD per 1% move, as its maker computed it.
``metadata.spot`` is the underlying's price in points. ``snapshot_time`` always says its offset from UTC.
"""

import math
import re
from collections.abc import Sequence
from datetime import UTC, date, datetime, timedelta

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.ranges import spot_in_range, stamp_in_range, symbol_at
from gexdesk.formats.strikes import canonical_table
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Snapshot, StrikeTable
from gexdesk.model.text import printable

_DATE = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_TIME = re.compile(r"(?:(\d{4}-\d{2}-\d{2})T)?(\d{2}:\d{2}(?::\d{2}(?:\.\d{1,6})?)?)(Z|[+-]\d{2}:\d{2})", re.ASCII)
_TIME_ALLOWED = "HH:MM:SS with Z or +HH:MM behind it, or a full YYYY-MM-DDTHH:MM:SS with Z or +HH:MM"


class _Strike(msgspec.Struct, gc=False):
    strike_price: float
    call_open_interest: float
    put_open_interest: float
    call_volume: float | None = None
    put_volume: float | None = None
    call_bid: float | None = None
    call_ask: float | None = None
    put_bid: float | None = None
    put_ask: float | None = None
    gamma: float | None = None


class _Metadata(msgspec.Struct, gc=False):
    spot: float | None = None


class _Record(msgspec.Struct, gc=False):
    market_symbol: str
    snapshot_time: str
    strikes: list[_Strike]
    snapshot_date: str | None = None
    total_open_interest: float | None = None
    total_volume: float | None = None
    metadata: _Metadata | None = None


_RECORD = msgspec.json.Decoder(_Record)
_STRIKE = msgspec.json.Decoder(_Strike)


class Canonical:
    """Turn canonical snapshots into snapshots with a given strike table."""

    name = "canonical"
    default_delay_s = 0.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        whole = len(head) < json_text.HEAD_BYTES
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not head.startswith(b"{"):
            return "not a JSON object"
        needed = ("market_symbol", "snapshot_time", "strikes") if whole else ("strike_price",)
        missing = [name for name in needed if f'"{name}"'.encode() not in head]
        return f"no `{missing[0]}`" if missing else ""

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode every record, in file order.

        Raises:
            MalformedPayload: What was found, in which record, what is allowed.
        """
        body = json_text.utf8(body)
        try:
            return [self._snapshot(row, where, time_shift_s) for where, row in json_text.records(body, arrays=False)]
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise

    def _snapshot(self, row: bytes, where: str, time_shift_s: float) -> Snapshot:
        record = json_text.decode_listing(_RECORD, row, where, "strikes", _STRIKE)
        json_text.refuse_repeated_keys(row, where)
        quoted_at = utc_of(record.snapshot_date, record.snapshot_time, where)
        spot = record.metadata.spot if record.metadata is not None else None
        given = _table(record.strikes, where)
        return Snapshot(
            format=self.name,
            symbol=symbol_at(record.market_symbol, json_text.at(where, "market_symbol")),
            as_of=quoted_at + time_shift_s,
            quoted_at=quoted_at,
            spot=None if spot is None else spot_in_range(spot, json_text.at(where, "metadata.spot")),
            given=given,
            warnings=_total_warnings(record, given),
        )


def utc_of(day: str | None, time: str, where: str) -> float:
    """Join date and time to UTC seconds; the time's own date, where it has one, may be a day off the session's.

    Raises:
        MalformedPayload: No time with an offset from UTC, no date, the two more than a day apart, or outside 1990 to 2100.
    """
    field = json_text.at(where, "snapshot_time")
    match = _TIME.fullmatch(time)
    if match is None:
        raise MalformedPayload(f"{field} is '{printable(time, 40)}'; allowed: {_TIME_ALLOWED}")
    if day is not None and not _DATE.fullmatch(day):
        raise MalformedPayload(f"{json_text.at(where, 'snapshot_date')} is '{printable(day, 40)}'; allowed: YYYY-MM-DD")
    written, clock, offset = match.groups()
    if written is None and day is None:
        raise MalformedPayload(f"{json_text.at(where, 'snapshot_date')} is missing; allowed: YYYY-MM-DD, or a full snapshot_time")
    try:
        at = datetime.fromisoformat(f"{written or day}T{clock}{offset}")
        apart = at.date() - date.fromisoformat(day) if day is not None else timedelta()
        seconds = at.astimezone(UTC).timestamp()
    except (ValueError, OverflowError) as error:
        found = f"'{printable(f'{day or str()} {time}'.strip(), 60)}' ({printable(str(error), 60)})"
        raise MalformedPayload(f"{field} is {found}; allowed: {_TIME_ALLOWED}") from None
    if abs(apart) > timedelta(days=1):
        raise MalformedPayload(f"{field} is of {at.date()}, snapshot_date is {day}; allowed: at most a day apart")
    return stamp_in_range(seconds, field)


def _table(strikes: list[_Strike], where: str) -> StrikeTable:
    if not strikes:
        raise MalformedPayload(f"{json_text.at(where, 'strikes')} is empty; allowed: one strike or more")

    def row(i: int) -> str:
        return json_text.at(where, f"strikes[{i}] (strike_price {strikes[i].strike_price:.15g})")

    def column(name: str) -> F8:
        return np.array([getattr(strike, name) for strike in strikes], dtype=np.float64)  # None becomes NaN

    return canonical_table(column, row)


def _total_warnings(record: _Record, given: StrikeTable) -> tuple[str, ...]:
    """Compare the totals that are given with the sums over the strikes."""
    sums = {
        "total_open_interest": (record.total_open_interest, given.call_open_interest, given.put_open_interest),
        "total_volume": (record.total_volume, given.call_volume, given.put_volume),
    }
    warnings = []
    for name, (total, calls, puts) in sums.items():
        summed = float(np.sum(calls) + np.sum(puts))
        if total is not None and not math.isnan(summed) and not math.isclose(total, summed, rel_tol=1e-9, abs_tol=0.5):
            warnings.append(f"{name} is {total:.15g}, but the strikes add up to {summed:.15g}")
    return tuple(warnings)
