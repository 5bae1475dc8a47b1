"""Read the newest rows of what was kept, for programs that ask over HTTP; nothing they send becomes SQL."""

import math
from datetime import UTC, date, datetime
from typing import Any

import duckdb
from msgspec import Struct

from gexdesk.model.errors import UnknownTarget
from gexdesk.model.text import printable

_TIMES = {
    "snapshots": "received_at", "decisions": "decided_at", "jobs": "received_at", "incidents": "opened_at", "gaps": "from_at",
    "overrides": "since", "requests": "requested_at", "dead_letters": "buried_at",
}  # fmt: skip
_NAMED = frozenset({"snapshots", "decisions", "jobs", "gaps", "requests"})
"""Relations with a symbol."""

LIMIT = 10_000


class Wanted(Struct, frozen=True):
    """Say which rows.

    Attributes:
        relation: One of those with a time of their own.
        limit: At most so many, and never more than ``LIMIT``.
        symbol: Of this symbol alone.
        after: Of what came after this time, UTC seconds.
    """

    relation: str
    limit: int
    symbol: str | None = None
    after: float | None = None


def newest(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> list[dict[str, Any]]:
    """Return rows, the newest first, of JSON-able values: times ISO 8601 in UTC, what is not finite None.

    Raises:
        UnknownTarget: No such relation, or it has no symbols.
        duckdb.Error: It cannot be read.
    """
    found = _found(connection, wanted)
    return [dict(zip(found.columns, map(_plain, row), strict=True)) for row in found.fetchall()]


def newest_arrow(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> bytes:
    """Return the same rows as an Arrow IPC stream, with their own types; errors as in ``newest``."""
    import io

    import polars as pl

    stream = io.BytesIO()
    pl.DataFrame(_found(connection, wanted)).write_ipc_stream(stream)
    return stream.getvalue()


def _found(connection: duckdb.DuckDBPyConnection, wanted: Wanted) -> duckdb.DuckDBPyRelation:
    relation, symbol, after = wanted.relation, wanted.symbol, wanted.after
    if relation not in _TIMES:
        raise UnknownTarget(f"no relation {printable(relation, 40)!r}; there are {', '.join(_TIMES)}")
    at = _TIMES[relation]
    where, values = ["TRUE"], list[object]()
    if symbol is not None:
        if relation not in _NAMED:
            raise UnknownTarget(f"{relation} have no symbol")
        where.append("symbol = ?")
        values.append(symbol)
    if after is not None:
        where.append(f"{at} > ?")
        values.append(datetime.fromtimestamp(after, UTC).replace(tzinfo=None))
    values.append(min(max(wanted.limit, 1), LIMIT))
    asked = f"SELECT * FROM {relation} WHERE {' AND '.join(where)} ORDER BY {at} DESC LIMIT ?"  # noqa: S608
    return connection.sql(asked, params=values)


def _plain(value: Any) -> Any:
    match value:
        case datetime():
            return value.isoformat(timespec="microseconds") + "Z"
        case date():
            return value.isoformat()
        case float() if not math.isfinite(value):
            return None
        case list():
            return [_plain(each) for each in value]
        case dict():
            return {name: _plain(each) for name, each in value.items()}
    return value
