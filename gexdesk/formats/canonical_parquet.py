"""Decode gexdesk's own snapshots as Parquet, by strike or by contract; one snapshot or more a file.

Every row has ``market_symbol`` (text), ``snapshot_time`` (a timestamp with a zone, or text that says its offset) and, where it
is known, ``spot``. By strike the other columns are those of a strike in the canonical JSON (``strike_price``,
``call_open_interest``, ...); by contract they are ``option`` (an OSI symbol), ``open_interest`` and, where known, ``bid``,
``ask``, ``iv``, ``gamma``, ``delta`` and ``volume``. Null and NaN mean unknown. Other columns are passed over.

A crafted Parquet file can abort the process that reads it: this format runs in pool processes only, as every format does.
"""

import io
import math
from collections.abc import Sequence
from typing import TYPE_CHECKING, cast

import numpy as np

from gexdesk.formats.canonical import utc_of
from gexdesk.formats.chain import build
from gexdesk.formats.osi import parse_contracts
from gexdesk.formats.ranges import refuse_rows, spot_in_range, stamp_in_range, symbol_at
from gexdesk.formats.roots import other_roots_warning
from gexdesk.formats.strikes import canonical_table
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Snapshot
from gexdesk.model.text import printable

if TYPE_CHECKING:
    import polars as pl

_MAGIC = b"PAR1"
_MAX_COLUMNS = 1000
_MAX_ROWS = 2_000_000
_MAX_SNAPSHOTS = 50_000
_ROW = "row of the file"
_KEY = ("market_symbol", "snapshot_time")
_STRIKES = (
    "strike_price", "call_open_interest", "put_open_interest", "call_volume", "put_volume", "call_bid", "call_ask", "put_bid",
    "put_ask", "gamma",
)  # fmt: skip
_CONTRACTS = ("open_interest", "bid", "ask", "iv", "gamma", "delta", "volume")
_NEVER_NULL = ("strike_price", "call_open_interest", "put_open_interest")


class CanonicalParquet:
    """Turn a Parquet file into snapshots, in the order in which each first appears."""

    name = "canonical_parquet"
    default_delay_s = 0.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        return "" if head.startswith(_MAGIC) else "not a Parquet file"

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode a file.

        Raises:
            MalformedPayload: What was found, in which column or row, what is allowed.
        """
        _refuse_torn(body)
        import polars as pl  # a quarter of a second that other formats need not pay

        try:
            frame = _read(body)
            parts = frame.partition_by(_KEY, maintain_order=True)
        except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError, OverflowError, ValueError) as error:
            raise MalformedPayload(f"the Parquet file is broken: {printable(str(error), 200)}") from None
        if len(parts) > _MAX_SNAPSHOTS:
            raise MalformedPayload(f"the Parquet file holds {len(parts)} snapshots; allowed: {_MAX_SNAPSHOTS}")
        return [_snapshot(part, time_shift_s) for part in parts]


def _refuse_torn(body: bytes) -> None:
    """Refuse what needs no reader to be seen as cut, encrypted, or two files in one."""
    if not body.startswith(_MAGIC):
        raise MalformedPayload("this is no canonical_parquet document: not a Parquet file")
    if not body.endswith(_MAGIC):
        raise MalformedPayload("the Parquet file has no end: it is cut, encrypted, or followed by other bytes")
    footer = int.from_bytes(body[-8:-4], "little")
    if len(body) < 12 or not 0 < footer <= len(body) - 12:
        raise MalformedPayload(f"the Parquet file has a footer of {footer} bytes in {len(body)}; allowed: one that fits")
    if _MAGIC + _MAGIC in body:
        raise MalformedPayload("the payload holds two Parquet files, one behind the other; allowed: one")


def _read(body: bytes) -> "pl.DataFrame":
    """Read the columns that are used, once the footer's schema and number of rows are sound."""
    import polars as pl

    schema = pl.read_parquet_schema(io.BytesIO(body))
    if len(schema) > _MAX_COLUMNS:
        raise MalformedPayload(f"the Parquet file has {len(schema)} columns; allowed: {_MAX_COLUMNS}")
    by_contract = "option" in schema
    required = ("option", "open_interest") if by_contract else _NEVER_NULL
    missing = [name for name in (*_KEY, *required) if name not in schema]
    if missing:
        needed = ", ".join((*_KEY, *required))
        raise MalformedPayload(f"the Parquet file has no column `{missing[0]}`; allowed: {needed} and others")
    numbers = [name for name in (*(_CONTRACTS if by_contract else _STRIKES), "spot") if name in schema]
    texts = ["market_symbol", "option"] if by_contract else ["market_symbol"]
    for name, sound, allowed in (
        *((name, schema[name].is_numeric() or schema[name] == pl.Null, "numbers") for name in numbers),
        *((name, schema[name] == pl.String, "text") for name in texts),
        ("snapshot_time", _tells_a_moment(schema["snapshot_time"]), "text, or a timestamp with a zone"),
    ):
        if not sound:
            raise MalformedPayload(f"the column `{name}` is of type {printable(str(schema[name]), 60)}; allowed: {allowed}")
    rows = pl.scan_parquet(io.BytesIO(body)).select(pl.len()).collect().item()
    if not 0 < rows <= _MAX_ROWS:
        raise MalformedPayload(f"the Parquet file has {rows} rows; allowed: 1 to {_MAX_ROWS}")
    frame = pl.read_parquet(io.BytesIO(body), columns=[*texts, "snapshot_time", *numbers])
    return frame.with_columns(pl.col(numbers).cast(pl.Float64)).with_row_index(_ROW, offset=1)


def _tells_a_moment(kind: "pl.DataType") -> bool:
    import polars as pl

    return kind == pl.String or (isinstance(kind, pl.Datetime) and kind.time_zone is not None)


def _snapshot(part: "pl.DataFrame", time_shift_s: float) -> Snapshot:
    def where(i: int) -> str:
        return f"row {part[_ROW][i]}"

    def column(name: str) -> F8:
        if name not in part.columns:
            return np.full(len(part), math.nan)
        return part[name].fill_null(math.nan).to_numpy().astype(np.float64)

    first = where(0)
    quoted_at = _moment(part["snapshot_time"], first)
    symbol = symbol_at(part["market_symbol"][0], f"{first}: market_symbol")
    stated = column("spot")
    spots = np.unique(stated[~np.isnan(stated)])
    if len(spots) > 1:
        raise MalformedPayload(f"{first}: the snapshot has {len(spots)} different spots; allowed: one")
    spot = spot_in_range(float(spots[0]), f"{first}: spot") if len(spots) else None
    if "option" not in part.columns:
        missing = np.array([np.isnan(column(name)) for name in _NEVER_NULL])
        refuse_rows(
            np.any(missing, axis=0), where,
            lambda i: f"{_NEVER_NULL[int(np.argmax(missing[:, i]))]} is missing", "a number in every row",
        )  # fmt: skip
        given = canonical_table(column, where)
        return Snapshot(CanonicalParquet.name, symbol, quoted_at + time_shift_s, quoted_at, spot, given=given)
    symbols = part["option"].to_list()
    refuse_rows(np.array([text is None for text in symbols]), where, lambda _: "option is missing", "an OSI symbol in every row")
    built = build(
        parse_contracts(symbols, where),
        where,
        bid=column("bid"),
        ask=column("ask"),
        iv=column("iv"),
        gamma=column("gamma"),
        delta=column("delta"),
        open_interest=column("open_interest"),
        volume=column("volume"),
    )
    warnings = (*built.warnings, *other_roots_warning(built.chain.roots, symbol))
    return Snapshot(
        CanonicalParquet.name, symbol, quoted_at + time_shift_s, quoted_at, spot, chain=built.chain, warnings=warnings
    )


def _moment(times: "pl.Series", where: str) -> float:
    """Return the first of equal times as UTC seconds."""
    import polars as pl

    first = times.head(1)
    if first.null_count():
        raise MalformedPayload(f"{where}: snapshot_time is missing; allowed: a moment with its offset from UTC")
    if first.dtype == pl.String:
        return utc_of(None, cast(str, first[0]), where)
    # Not as a datetime: Parquet holds years that Python has not.
    return stamp_in_range(cast(int, first.dt.epoch("us")[0]) / 1e6, f"{where}: snapshot_time")
