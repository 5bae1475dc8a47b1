"""Answer one question for ``query.py``, in a process of its own: ``python -m gexdesk.stores.answer``, JSON in, JSON out.

DuckDB reads a copy of the metadata, the lake and the audit here. Files, settings, extensions and Python variables are locked away
before the first word of the question is parsed, the copy is attached read-only, and time, memory and files are bounded.
"""

import json
import math
import os
import resource
import signal
import sys
from collections.abc import Iterator, Mapping
from datetime import date, datetime, time, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import duckdb

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable
from gexdesk.stores.exports import exported
from gexdesk.stores.lake import STRIKE_COLUMNS, visible_files
from gexdesk.stores.query import BYTE_CAP, KEPT, RELATIONS, ROW_CAP
from gexdesk.stores.sharing import sharing_of

_INTERPRETER_MB = 2048  # address space for Python, shared libraries and thread stacks, which DuckDB's own limit does not count
_ZONED = "WITH TIME ZONE"
_STRIKES = {"symbol": "VARCHAR", "date": "DATE", "source": "VARCHAR", "as_of": "TIMESTAMP"}
_STRIKES |= {"job_id": "VARCHAR", "ordinal": "BIGINT", "payload_sha256": "VARCHAR", **dict.fromkeys(STRIKE_COLUMNS, "DOUBLE")}
_AUDIT = {"sequence": "BIGINT", "at": "DOUBLE"}
_AUDIT |= dict.fromkeys(("actor", "act", "target", "reason", "before", "after", "prev", "hash"), "VARCHAR")
_PARQUET = "hive_partitioning = true, hive_types_autocast = false, hive_types = {'symbol': VARCHAR, 'date': DATE}"
_PARQUET_OF_HOSTS = _PARQUET.replace("{", "{'host': VARCHAR, ")


_HOSTS = "hive_partitioning = true, hive_types_autocast = false, hive_types = {'host': VARCHAR}"
_ONCE = {
    # A job that two engines did, since one stood still past its lease, has its rows in both stores: they count once.
    "jobs": "QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY status = 'COMPLETED' DESC, completed_at DESC, host) = 1",
    "decisions": "QUALIFY row_number() OVER (PARTITION BY job_id, decided_at ORDER BY host) = 1",
    "dead_letters": "QUALIFY row_number() OVER (PARTITION BY job_id ORDER BY buried_at DESC, host) = 1",
    "snapshots": "QUALIFY row_number() OVER (PARTITION BY job_id, ordinal ORDER BY quarantined, host) = 1"
    " AND row_number() OVER (PARTITION BY symbol, source, as_of, payload_sha256, ordinal ORDER BY job_id, quarantined, host) = 1",
    "overrides": "QUALIFY row_number() OVER (PARTITION BY target_kind, target, since ORDER BY ended_at NULLS LAST, host) = 1",
    "sources": "QUALIFY row_number() OVER (PARTITION BY name ORDER BY last_success_at DESC NULLS LAST, host) = 1",
    "requests": "QUALIFY row_number() OVER (PARTITION BY request_id ORDER BY completed_at DESC NULLS LAST, host) = 1",
}
"""What tells the rows of several engines apart, where they may hold the same one."""


def answer(question: dict[str, Any]) -> dict[str, Any]:
    """Answer inside the query's process: ``{"rows", "columns", "note"}``, or ``{"error"}`` with one line."""
    state, copy = Path(question["state"]), Path(question["metadata_copy"])
    for last_try in (False, True):
        try:
            with _connect(state, copy, question["memory_mb"]) as connection:
                return _ask(connection, question["sql"])
        except StoreError as error:
            return {"error": error.message}
        except (duckdb.OutOfMemoryException, MemoryError):
            return {"error": f"the query needs more than {question['memory_mb']} MB: narrow it by symbol and date, or aggregate"}
        except duckdb.CatalogException as error:
            return {"error": f"{_one_line(error)} Relations: {', '.join(RELATIONS)}"}
        except duckdb.IOException as error:
            # A compaction may have removed a file after it was listed; the second listing has the joined one.
            if last_try:
                return {"error": _one_line(error)}
        except (duckdb.Error, UnicodeError) as error:
            return {"error": _one_line(error)}
    raise AssertionError("two tries, each returns")


def _connect(state: Path, copy: Path, memory_mb: int) -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect(
        ":memory:",
        config={
            "autoinstall_known_extensions": False,
            "autoload_known_extensions": False,
            "python_enable_replacements": False,
            "memory_limit": f"{memory_mb}MB",
            "temp_directory": "",
        },
    )
    audit, sharing = state / "audit.jsonl", sharing_of(state)
    lakes, others = list[Path](), dict[str, list[Path]]()
    if sharing is not None:
        lakes = sharing.lakes()
        others = dict(exported(Path(sharing.shared), but=sharing.engine))
    connection.execute("SET TimeZone = 'UTC'")
    connection.execute(f"ATTACH {_quoted(copy)} AS kept (READ_ONLY)")
    files = visible_files(state / "lake"), [file for lake in lakes for file in visible_files(lake)]
    for statement in _views(*files, audit if audit.exists() else None, others, sharing.engine if sharing is not None else ""):
        connection.execute(statement)
    folders = [state / "lake", *lakes, *([Path(sharing.shared, "exports")] if sharing is not None else [])]
    connection.execute(f"SET allowed_directories = [{', '.join(map(_quoted, folders))}]")
    connection.execute(f"SET allowed_paths = [{_quoted(audit)}]")
    connection.execute("SET enable_external_access = false")
    connection.execute("SET lock_configuration = true")
    return connection


def _views(
    files: list[Path], shared: list[Path], audit: Path | None, others: Mapping[str, list[Path]], engine: str
) -> Iterator[str]:
    """Return what makes every relation.

    Args:
        files, shared: Of this state folder's own lake, and of every lake of its fleet.
        others: What the other engines have exported, by table.
        engine: This one's name in its fleet; empty without one.
    """
    for table in KEPT:
        yield f"CREATE VIEW {table} AS FROM {_rows(table, others, engine)}"
    stored = _rows("snapshots", others, engine)
    yield f"CREATE VIEW snapshots AS SELECT * EXCLUDE (strikes_key) FROM {stored}"  # noqa: S608
    lake, key = _nothing({**_STRIKES, "strikes_key": "VARCHAR"}), "strikes_key, job_id, ordinal"
    if files:
        lake = f"read_parquet([{', '.join(map(_quoted, files))}], {_PARQUET})"
    if engine:
        # Two engines that did the same job alone wrote it under the same key: whose rows they are tells them apart.
        lake, key = f"SELECT *, {_quoted(engine)} AS host FROM {lake}", f"{key}, host"  # noqa: S608
        if shared:
            rows = f"read_parquet([{', '.join(map(_quoted, shared))}], {_PARQUET_OF_HOSTS})"
            lake += f" UNION ALL BY NAME FROM {rows}"
        lake = f"({lake})"
    columns = ", ".join("as_of::TIMESTAMP AS as_of" if name == "as_of" else name for name in _STRIKES)
    yield f"CREATE VIEW strikes AS SELECT {columns} FROM {lake} SEMI JOIN {stored} USING ({key})"  # noqa: S608
    log = _nothing(_AUDIT)
    if audit is not None:
        kinds = ", ".join(f"'{name}': '{kind}'" for name, kind in _AUDIT.items())
        log = f"read_json({_quoted(audit)}, format = 'newline_delimited', ignore_errors = true, columns = {{{kinds}}})"
    # ``at`` is a reserved word in DuckDB: nobody should have to quote it.
    columns = ", ".join('make_timestamp(round("at" * 1e6)::BIGINT) AS acted_at' if name == "at" else name for name in _AUDIT)
    host = f"{_quoted(engine)} AS host, " if engine else ""
    rows = f"SELECT {host}{columns} FROM {log} WHERE sequence IS NOT NULL"  # noqa: S608
    if others.get("audit"):
        exports = f"read_parquet([{', '.join(map(_quoted, others['audit']))}], union_by_name = true, {_HOSTS})"
        rows += f" UNION ALL BY NAME SELECT host, {columns} FROM {exports}"  # noqa: S608
    yield f"CREATE VIEW audit AS {rows}"


def _rows(table: str, others: Mapping[str, list[Path]], engine: str) -> str:
    """Return what a table of the metadata holds; in a fleet with what the other engines hold, each row once, and whose it is."""
    if not engine:
        return f"kept.{table}"
    rows = f"SELECT {_quoted(engine)} AS host, * FROM kept.{table}"  # noqa: S608
    if others.get(table):
        exports = f"read_parquet([{', '.join(map(_quoted, others[table]))}], union_by_name = true, {_HOSTS})"
        rows += f" UNION ALL BY NAME SELECT * EXCLUDE (host), host FROM {exports}"  # noqa: S608
    return f"(FROM ({rows}) {_ONCE.get(table, '')})"


def _nothing(columns: dict[str, str]) -> str:
    """Return a subquery of these columns without a row."""
    return "(SELECT " + ", ".join(f'NULL::{kind} AS "{name}"' for name, kind in columns.items()) + " WHERE false)"


def _ask(connection: duckdb.DuckDBPyConnection, sql: str) -> dict[str, Any]:
    relation = connection.sql(_single_select(connection, sql))
    kinds = [str(kind) for kind in relation.types]
    # Python knows zoned timestamps only with pytz; the session is in UTC, so dropping the zone keeps the moment.
    plain = [f"CAST(#{i} AS {kind.replace(_ZONED, '')})" if _ZONED in kind else f"#{i}" for i, kind in enumerate(kinds, 1)]
    found = relation.project(", ".join(plain)).limit(ROW_CAP + 1)
    columns = _distinct(relation.columns)
    rows: list[dict[str, Any]] = []
    size = 0
    for values in found.iter_rows():
        if len(rows) == ROW_CAP or size > BYTE_CAP:
            note = f"cut after {len(rows):,} rows, there are more: add LIMIT, narrow or aggregate"
            return {"rows": rows, "columns": columns, "note": note}
        row = {name: _plain(value, kind) for name, kind, value in zip(columns, kinds, values, strict=True)}
        size += len(repr(row))
        rows.append(row)
    return {"rows": rows, "columns": columns, "note": ""}


def _single_select(connection: duckdb.DuckDBPyConnection, sql: str) -> str:
    """Return the text of the one statement admitted, without its final semicolon."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1:
        raise StoreError(f"query takes one statement, found {len(statements)}")
    kind = statements[0].type
    if kind != duckdb.StatementType.SELECT:
        raise StoreError(f"query only reads: SELECT, WITH, DESCRIBE, SHOW and SUMMARIZE are allowed, found {kind.name}")
    head, semicolon, tail = sql.rpartition(";")
    try:
        if semicolon and not connection.extract_statements(tail) and len(connection.extract_statements(head)) == 1:
            return head
    except duckdb.Error:
        pass  # the last semicolon stands inside a string or a comment
    return sql


def _plain(value: Any, kind: str) -> Any:
    """Return a value as JSON has it."""
    match value:
        case None | bool() | int():
            return value
        case float():
            return value if math.isfinite(value) else None
        case str():
            return json.loads(value) if kind == "JSON" else value
        case datetime():
            return value.isoformat() + "Z"
        case date() | time():
            return value.isoformat()
        case Decimal():
            return float(value) if value.is_finite() else None
        case timedelta():
            return value.total_seconds()
        case bytes():
            return value.hex()
        case list() | tuple():
            return [_plain(item, "") for item in value]
        case dict():
            return {str(_plain(key, "")): _plain(item, "") for key, item in value.items()}
        case _:
            return str(value)


def _distinct(names: list[str]) -> list[str]:
    taken: list[str] = []
    for name in names:
        unique, number = name, 1
        while unique in taken:
            unique, number = f"{name}_{number}", number + 1
        taken.append(unique)
    return taken


def _quoted(text: Path | str) -> str:
    return "'" + str(text).replace("'", "''") + "'"


def _one_line(error: Exception) -> str:
    return printable(str(error).partition("\n")[0], 300)


def _confine(timeout_s: float, memory_mb: int) -> None:
    """Bound this process for the case that nobody is left to kill it: time, address space, no files, no core."""
    signal.setitimer(signal.ITIMER_REAL, timeout_s + 1)
    bytes_allowed = (memory_mb + _INTERPRETER_MB) * 1024 * 1024
    resource.setrlimit(resource.RLIMIT_AS, (bytes_allowed, bytes_allowed))
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, 0))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))


def main() -> None:
    """Read a question from stdin as JSON, write the answer to stdout as JSON."""
    question = json.load(sys.stdin)
    _confine(question["timeout_s"], question["memory_mb"])
    found = answer(question)
    sys.stdout.write(json.dumps(found))
    sys.stdout.flush()
    os._exit(0)  # nothing left to tidy; DuckDB's binding would report its own leaks on the way out


if __name__ == "__main__":
    main()
