"""Keep what happened in one DuckDB file: snapshot headers, jobs, decisions, dead letters, levers, sources, incidents, gaps."""

import contextlib
import os
from collections.abc import Sequence
from importlib import resources
from pathlib import Path
from typing import Any, TypeVar

import duckdb
import polars as pl

from gexdesk.model.errors import StoreError
from gexdesk.stores.base import Batch
from gexdesk.stores.durable import make_folder
from gexdesk.stores.lake import strikes_key
from gexdesk.stores.rebuilt import rebuild
from gexdesk.stores.recorded import DAMAGED, Recorded, first_line
from gexdesk.stores.rows import (
    DEAD_LETTERS,
    DECISIONS,
    GAPS,
    GUIDELINES,
    INCIDENTS,
    JOBS,
    OVERRIDES,
    REQUESTS,
    SNAPSHOTS,
    SOURCES,
    Columns,
    columns_of,
    microseconds,
)

R = TypeVar("R")

STEPS = ("schema.sql", "schema_2.sql", "schema_3.sql", "schema_4.sql")
"""What brings an empty file to the present schema, in order; a file's version is how many of them it has seen."""

CONFIG: dict[str, str | bool | int | float | list[str]] = {
    "autoinstall_known_extensions": False,
    "autoload_known_extensions": False,
    "python_enable_replacements": False,
    "memory_limit": "256MB",
}
"""Keeps DuckDB from fetching code, from taking Python variables for tables, and from what it would take else: four fifths of the
host's memory, for questions of the desk and for tables of the day that nobody asks for again. What needs more goes by the disk."""

_REFUSED = (duckdb.IntegrityError, duckdb.DataError, duckdb.ProgrammingError)
"""The batch's own fault. After any other error the connection may be invalid for good; a new one recovers everything committed."""

_SNAPSHOTS = """
    INSERT INTO snapshots BY NAME
    WITH same_stamp AS (
        SELECT symbol, source, as_of, payload_sha256, ordinal, revision FROM snapshots SEMI JOIN new_snapshots USING (as_of)
        WHERE as_of BETWEEN $first_as_of AND $last_as_of
    ), same_receipt AS (
        SELECT job_id, ordinal FROM snapshots SEMI JOIN new_snapshots USING (received_at)
        WHERE received_at BETWEEN $first_receipt AND $last_receipt
    ), once AS (
        FROM new_snapshots
        QUALIFY row_number() OVER (PARTITION BY symbol, source, as_of, payload_sha256, ordinal ORDER BY place) = 1
            AND row_number() OVER (PARTITION BY job_id, ordinal ORDER BY place) = 1
    ), fresh AS (
        FROM once ANTI JOIN same_stamp USING (symbol, source, as_of, payload_sha256, ordinal)
    ), unstored AS (
        FROM fresh ANTI JOIN same_receipt USING (job_id, ordinal)
    ), known AS (
        SELECT symbol, source, as_of, max(revision) AS revision FROM same_stamp GROUP BY ALL
    )
    SELECT unstored.* EXCLUDE (place),
        coalesce(known.revision, 0) + row_number() OVER (PARTITION BY symbol, source, as_of ORDER BY place) AS revision
    FROM unstored LEFT JOIN known USING (symbol, source, as_of)
    ORDER BY place
"""

_Incoming = tuple[str, tuple[str, ...], pl.DataFrame]
"""A table, the columns that tell its rows apart, and the new rows."""


class _Columns:
    """Offer a frame's Arrow columns to DuckDB without pyarrow, which it asks for when it sees a Polars frame itself."""

    def __init__(self, frame: pl.DataFrame) -> None:
        self._frame = frame

    def __arrow_c_stream__(self, requested_schema: object = None) -> object:
        return self._frame.__arrow_c_stream__(requested_schema)


class Metadata(Recorded):
    """Own the database file, write to it and answer from it; used by one thread at a time.

    While it is open, no other code of this process may open the file by its path: closing any descriptor of it would drop the
    process's lock, and a second process could write beside this one. ``copy_to`` reads through a descriptor kept for that.

    Args:
        path: The file; it and its folder are created owner-only.
    """

    def __init__(self, path: Path) -> None:
        super().__init__(self._connection_now, path)
        self._connection: duckdb.DuckDBPyConnection | None = None
        self._descriptor = -1

    def open(self) -> None:
        """Open or create the file and bring its schema up to date.

        Raises:
            StoreError: Another process holds it, it is damaged, or a newer gexdesk wrote it.
        """
        try:
            make_folder(self.path.parent)
            if not self.path.exists():
                self._create()
            self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)
            self._connection = duckdb.connect(str(self.path), config=CONFIG)
            self._connection.execute("SET TimeZone = 'UTC'")
            self._migrate(self._connection)
        except (duckdb.Error, OSError) as error:
            self.close()
            held = "Could not set lock" in str(error)
            what_to_do = "end the process that holds it" if held else DAMAGED
            raise StoreError(f"the metadata {self.path.name} cannot be opened: {first_line(error)}; {what_to_do}") from error
        except StoreError:
            self.close()
            raise

    def close(self) -> None:
        """Write everything into the file and release it; closing twice is fine."""
        if self._connection is not None:
            with contextlib.suppress(duckdb.Error):
                self._connection.close()
            self._connection = None
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def write(self, batch: Batch) -> int:
        """Store a batch in one transaction; on disk when this returns. Doing it again adds nothing.

        A snapshot is known by its job and ordinal, and by its bytes (source, symbol, as_of, payload sha256, ordinal): either way it
        is stored once. Another document for the same (symbol, source, as_of) gets the next revision. Of a job, a dead letter (by
        job), a decision (by job and time), an override (by target and since), a source (by name), a request (by id), a version of
        the guidelines (by time), an incident (by number and opening) and a gap (by symbol, source and beginning) the record written
        last stands.

        The rows of ``strikes`` that belong to a snapshot are found by ``strikes_key``: ``Lake.write`` must have been given exactly
        ``batch.snapshots``, in this order.

        Returns:
            How many snapshots were new.

        Raises:
            StoreError: Nothing of the batch is stored. A full disk or a broken connection was tried twice, with a new
                connection; the next call opens another.
        """
        frames = _frames(batch)
        try:
            return self._commit(frames)
        except _REFUSED as error:
            raise StoreError(f"the metadata refused a batch: {first_line(error)}") from error
        except duckdb.Error:
            self.close()
        try:
            return self._commit(frames)
        except duckdb.Error as error:
            self.close()
            raise StoreError(f"the metadata could not store a batch, twice: {first_line(error)}; check free space") from error

    def rebuild(self, files: Sequence[Path]) -> int:
        """Give an empty database the headers of the snapshots whose strikes lie in a lake; returns how many (``rebuilt.rebuild``).

        Raises:
            StoreError: A file cannot be read; the database stays empty.
        """
        try:
            count = rebuild(self._connected(), files)
        except duckdb.Error as error:
            raise StoreError(f"the metadata could not be rebuilt from the lake: {first_line(error)}") from error
        self._keep_private()
        return count

    def copy_to(self, path: Path) -> None:
        """Put a consistent copy of the file at a path, owner-only and atomically, for readers in other processes.

        Raises:
            StoreError: The copy could not be made; an older copy is untouched.
        """
        temporary = path.with_name(f".{path.name}.tmp")
        try:
            self._connected().execute("CHECKPOINT")
            make_folder(path.parent)
            with open(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as copy:
                size, offset = os.fstat(self._descriptor).st_size, 0
                while offset < size:
                    offset += os.sendfile(copy.fileno(), self._descriptor, offset, size - offset)
            temporary.replace(path)
        except (duckdb.Error, OSError) as error:
            with contextlib.suppress(OSError):
                temporary.unlink()
            raise StoreError(f"the metadata could not be copied to {path.name}: {first_line(error)}") from error

    def release(self, job_id: str, ordinal: int, flags: Sequence[str]) -> None:
        """Count a snapshot that was held back among the good ones, with these flags; nothing where it is not stored.

        Raises:
            StoreError: It cannot be changed.
        """
        changed = "UPDATE snapshots SET quarantined = false, flags = $flags WHERE job_id = $job_id AND ordinal = $ordinal"
        try:
            self._connected().execute(changed, {"job_id": job_id, "ordinal": ordinal, "flags": list(flags)})
        except duckdb.Error as error:
            raise StoreError(f"a released snapshot cannot be counted as good: {first_line(error)}") from error

    def stamps(self, symbol: str, from_at: float, to_at: float, not_of: Sequence[str]) -> list[float]:
        """Return the times good snapshots of a symbol are of, UTC seconds, ascending, each once, without those of some sources.

        Raises:
            StoreError: They cannot be read.
        """
        asked = """
            SELECT DISTINCT epoch(as_of) FROM snapshots
            WHERE symbol = $symbol AND as_of BETWEEN make_timestamp($first) AND make_timestamp($last)
                AND NOT quarantined AND NOT list_contains($not_of, source)
            ORDER BY 1
        """
        values = {"symbol": symbol, "first": microseconds(from_at), "last": microseconds(to_at), "not_of": list(not_of)}
        try:
            return [at for (at,) in self._connected().execute(asked, values).fetchall()]
        except duckdb.Error as error:
            raise self._unread(f"snapshots of {symbol}", error) from error

    def last_received(self, since: float) -> dict[tuple[str, str], float]:
        """Return when each source last brought each symbol, good or held back, by both names, UTC seconds; none before ``since``.

        Raises:
            StoreError: It cannot be read.
        """
        asked = """
            SELECT source, symbol, epoch(max(received_at)) FROM snapshots WHERE received_at >= make_timestamp($since) GROUP BY ALL
        """
        try:
            found = self._connected().execute(asked, {"since": microseconds(since)}).fetchall()
        except duckdb.Error as error:
            raise self._unread("times of arrival", error) from error
        return {(source, symbol): at for source, symbol, at in found}

    def write_decisions(self, last: int, to: Path) -> None:
        """Write the last decisions with the features they rested on, oldest first, into a Parquet file: ``decisions``, no matches.

        By file, since no way by Arrow works without pyarrow and the way by objects would hold the interpreter.

        Raises:
            StoreError: They cannot be read, or not be written.
        """
        newest = f"SELECT * EXCLUDE (matches) FROM decisions ORDER BY decided_at DESC LIMIT {int(last)}"  # noqa: S608
        where = str(to).replace("'", "''")
        try:
            self._connected().execute(f"COPY (FROM ({newest}) ORDER BY decided_at) TO '{where}' (FORMAT parquet)")
        except duckdb.Error as error:
            raise self._unread("decisions", error) from error

    def export(self, table: str, to: Path, time: str = "", begins: float = 0.0, length_s: float = 0.0) -> None:
        """Write a table, or the rows of a span of time, into a Parquet file, renamed into place.

        Args:
            time: Column that says where a row belongs; empty writes the whole table.
            begins, length_s: The span, UTC seconds.

        Raises:
            StoreError: It cannot be read, or not be written; an older file is untouched.
        """
        which = ""
        if time:
            first, last = microseconds(begins), microseconds(begins + length_s)
            which = f" WHERE {time} >= make_timestamp({first}) AND {time} < make_timestamp({last})"
        temporary = to.with_name(f".{to.name}.tmp")
        where = str(temporary).replace("'", "''")
        try:
            self._connected().execute(f"COPY (FROM {table}{which}) TO '{where}' (FORMAT parquet, COMPRESSION zstd)")
            temporary.replace(to)
        except (duckdb.Error, OSError) as error:
            raise StoreError(f"{table} could not be exported to {to.parent}: {first_line(error)}") from error

    def _connection_now(self) -> duckdb.DuckDBPyConnection:
        if self._connection is None:
            self.open()
        assert self._connection is not None
        return self._connection

    def _create(self) -> None:
        # DuckDB creates with the process's umask, and refuses an empty file: so it is made aside and put in place owner-only.
        fresh = self.path.with_name(f".{self.path.name}.new")
        fresh.unlink(missing_ok=True)
        duckdb.connect(str(fresh), config=CONFIG).close()
        fresh.chmod(0o600)
        fresh.replace(self.path)

    def _migrate(self, connection: duckdb.DuckDBPyConnection) -> None:
        connection.execute("CREATE TABLE IF NOT EXISTS schema_version (version BIGINT NOT NULL, applied_at TIMESTAMP NOT NULL)")
        [(found,)] = connection.execute("SELECT coalesce(max(version), 0) FROM schema_version").fetchall()
        if found > len(STEPS):
            raise StoreError(
                f"the metadata {self.path.name} has schema {found}, this gexdesk knows up to {len(STEPS)}; "
                "use the newer gexdesk that wrote it"
            )
        for version, step in enumerate(STEPS[found:], found + 1):
            connection.execute("BEGIN")
            connection.execute(resources.files("gexdesk.stores").joinpath(step).read_text("utf-8"))
            connection.execute("INSERT INTO schema_version VALUES ($version, current_localtimestamp())", {"version": version})
            connection.execute("COMMIT")
        self._keep_private()

    def _commit(self, frames: Sequence[_Incoming]) -> int:
        connection = self._connected()
        added = 0
        for table, _, frame in frames:
            connection.register(f"new_{table}", _Columns(frame))
        try:
            connection.execute("BEGIN")
            for table, key, frame in frames:
                if table == "snapshots":
                    [(added,)] = connection.execute(_SNAPSHOTS, _spans(frame)).fetchall()
                else:
                    same = " AND ".join(f"{table}.{name} = new_{table}.{name}" for name in key)
                    connection.execute(f"DELETE FROM {table} USING new_{table} WHERE {same}")  # noqa: S608 - names of this module
                    connection.execute(f"INSERT INTO {table} BY NAME FROM new_{table}")
            connection.execute("COMMIT")
        except duckdb.Error:
            with contextlib.suppress(duckdb.Error):
                connection.execute("ROLLBACK")
            raise
        finally:
            with contextlib.suppress(duckdb.Error):
                for table, _, _ in frames:
                    connection.unregister(f"new_{table}")
        self._keep_private()
        return added

    def _keep_private(self) -> None:
        # The write-ahead log comes and goes with checkpoints, each time with the process's umask.
        with contextlib.suppress(FileNotFoundError):
            self.path.with_name(self.path.name + ".wal").chmod(0o600)


def _frames(batch: Batch) -> list[_Incoming]:
    """Build every frame before the transaction begins; a record that does not fit leaves nothing half done."""
    frames: list[_Incoming] = []
    if batch.snapshots:
        frame = columns_of(batch.snapshots, SNAPSHOTS).with_row_index("place")
        frames.append(("snapshots", (), frame.with_columns(strikes_key=pl.lit(strikes_key(batch.snapshots)))))
    # Receipt before job id: it grows with every row, so that zone maps find the few row groups that matter.
    frames += _latest("jobs", ("received_at", "job_id"), batch.jobs, JOBS)
    frames += _latest("decisions", ("decided_at", "job_id"), batch.decisions, DECISIONS)
    frames += _latest("dead_letters", ("received_at", "job_id"), batch.dead, DEAD_LETTERS)
    frames += _latest("overrides", ("since", "target_kind", "target"), batch.overrides, OVERRIDES)
    frames += _latest("sources", ("name",), batch.sources, SOURCES)
    frames += _latest("requests", ("requested_at", "request_id"), batch.requests, REQUESTS)
    frames += _latest("guidelines", ("applied_at", "version"), batch.guidelines, GUIDELINES)
    frames += _latest("incidents", ("opened_at", "number"), batch.incidents, INCIDENTS)
    frames += _latest("gaps", ("from_at", "source", "symbol"), batch.gaps, GAPS)
    return frames


def _latest(table: str, key: tuple[str, ...], records: Sequence[R], columns: Columns[R]) -> list[_Incoming]:
    if not records:
        return []
    return [(table, key, columns_of(records, columns).unique(subset=key, keep="last", maintain_order=True))]


def _spans(frame: pl.DataFrame) -> dict[str, Any]:
    """Bound the stored rows that a batch can meet."""
    as_of, receipt = frame["as_of"], frame["received_at"]
    return {"first_as_of": as_of.min(), "last_as_of": as_of.max(), "first_receipt": receipt.min(), "last_receipt": receipt.max()}
