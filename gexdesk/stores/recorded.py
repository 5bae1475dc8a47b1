"""Ask the metadata what was recorded: jobs, decisions, dead letters, requests, snapshots, newest rows."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import duckdb
import msgspec

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable
from gexdesk.stores.base import DeadLetter, DecisionRecord, JobRecord, OpenLetter, SymbolMinute
from gexdesk.stores.newest import Wanted, newest, newest_arrow
from gexdesk.stores.rows import DEAD_LETTERS, DECISIONS, JOBS, TIME, Columns, decision_of, microseconds

_MINUTES = """
    SELECT symbol, source, epoch(date_trunc('minute', decided_at)) AS minute_at,
        arg_max(volume, decided_at) FILTER (volume_from = 'payload'),
        arg_max(open_interest, decided_at) FILTER (volume_from = 'payload'),
        arg_max(gamma_change, decided_at)
    FROM decisions WHERE decided_at >= make_timestamp($since) GROUP BY ALL ORDER BY minute_at DESC LIMIT 200_000
"""

_SCORE_PARTS = """
    SELECT level, count(*), avg(score), avg(score_impact), avg(score_change), avg(score_freshness), avg(score_reliability),
        avg(score_urgency)
    FROM decisions WHERE decided_at >= make_timestamp($since) AND override_level IS NULL GROUP BY level
"""

_REBUILT_S = 86_400.0
"""A header that was rebuilt from the lake has its stamp for its receipt."""

DAMAGED = (
    "where it is damaged, move it and its .wal aside together: the next start takes the snapshots from the lake, and does again "
    "what the spool still has without rows"
)
"""What to do about a file that DuckDB cannot read."""


class Recorded:
    """Answer from the connection of ``Metadata``, which is one; used by one thread at a time.

    Args:
        connected: Gives the connection, opened anew where it was lost.
        path: The file, to name it.
    """

    def __init__(self, connected: Callable[[], duckdb.DuckDBPyConnection], path: Path) -> None:
        self._connected = connected
        self.path = path

    def without_rows(self, digests: Sequence[str], since: float) -> set[str]:
        """Return those of the payloads' digests that neither a job's record nor a snapshot has. Raises StoreError.

        Args:
            since: None of them was received before it, UTC seconds: what lies more than a day before is not read at all.
        """
        recent = "WHERE received_at >= make_timestamp($since)"
        known = f"SELECT payload_sha256 FROM jobs {recent} UNION ALL SELECT payload_sha256 FROM snapshots {recent}"  # noqa: S608
        found = self._found(
            f"SELECT payload_sha256 FROM unnest($digests) AS asked(payload_sha256) ANTI JOIN ({known}) USING (payload_sha256)",  # noqa: S608
            {"digests": list(digests), "since": microseconds(since - _REBUILT_S)},
        )
        return {digest for (digest,) in found}

    def source_counts(self) -> dict[str, tuple[int, int]]:
        """Return each source's requests and successes as last written. Raises StoreError."""
        rows = self._found("SELECT name, requests, successes FROM sources", {})
        return {name: (requests, successes) for name, requests, successes in rows}

    def symbol_minutes(self, since: float) -> list[SymbolMinute]:
        """Return what was decided on, summed up by symbol, source and minute from a time on (UTC seconds), oldest first.

        Raises:
            StoreError: It cannot be read.
        """
        found = self._found(_MINUTES, {"since": microseconds(since)})
        return [SymbolMinute(*row) for row in reversed(found)]

    def dead(self, limit: int, source: str = "", job_id: str = "") -> list[DeadLetter]:
        """Return dead letters that nobody settled, the newest first. Raises StoreError."""
        which = [word for word, value in (("source = $source", source), ("job_id = $job_id", job_id)) if value]
        asked = {name: value for name, value in (("source", source), ("job_id", job_id)) if value}
        found = self._found(
            f"SELECT {_taken(DEAD_LETTERS)} FROM dead_letters SEMI JOIN (FROM jobs WHERE status = 'DEAD') USING (job_id)"  # noqa: S608
            f"{' WHERE ' if which else ''}{' AND '.join(which)} ORDER BY buried_at DESC LIMIT {int(limit)}",
            asked,
        )
        return [DeadLetter(*row) for row in found]

    def open_letters(self, limit: int) -> list[OpenLetter]:
        """Return the newest dead letters that nobody settled, without what operators cancelled. Raises StoreError."""
        found = self._found(
            "SELECT job_id, dead_letters.source, jobs.symbol, reason, epoch(buried_at) FROM dead_letters JOIN jobs USING (job_id) "
            "WHERE status = 'DEAD' AND kind <> 'cancelled' ORDER BY buried_at DESC LIMIT $limit",
            {"limit": limit},
        )
        return [OpenLetter(job_id, source, symbol or "", reason, buried_at) for job_id, source, symbol, reason, buried_at in found]

    def decisions(self, limit: int, source: str = "", job_id: str = "", since: float = 0.0) -> list[DecisionRecord]:
        """Return the last decisions, of one source or one job where it is named, the newest first. Raises StoreError.

        Args:
            since: None was decided before it, UTC seconds: what lies before is not read at all.
        """
        which = ["decisions.decided_at >= make_timestamp($since)"]
        which += [word for word, value in (("source = $source", source), ("job_id = $job_id", job_id)) if value]
        asked = {name: value for name, value in (("source", source), ("job_id", job_id)) if value}
        found = self._found(
            f"SELECT {_taken(DECISIONS)} FROM decisions WHERE {' AND '.join(which)} "  # noqa: S608
            f"ORDER BY decisions.decided_at DESC LIMIT {int(limit)}",
            asked | {"since": microseconds(since)},
        )
        return [decision_of(dict(zip(DECISIONS, row, strict=True))) for row in found]

    def kept(self, job_id: str, limit: int) -> list[dict[str, Any]]:
        """Return headers of the snapshots that a job made, in their order in its payload. Raises StoreError."""
        names = ("symbol", "epoch(as_of)", "spot", "net_gex", "gross_gex", "flags", "quarantined", "revision")
        found = self._found(
            f"SELECT {', '.join(names)} FROM snapshots WHERE job_id = $job_id ORDER BY ordinal LIMIT {int(limit)}",  # noqa: S608
            {"job_id": job_id},
        )
        return [dict(zip(("symbol", "as_of", *names[2:]), row, strict=True)) for row in found]

    def score_parts(self, since: float) -> list[tuple[Any, ...]]:
        """Return level, count and the means of score and its five parts, of decisions from a time on. Raises StoreError."""
        return self._found(_SCORE_PARTS, {"since": microseconds(since)})

    def job(self, job_id: str) -> JobRecord | None:
        """Return a job's record; None where it has none yet. Raises StoreError."""
        found = self._found(f"SELECT {_taken(JOBS)} FROM jobs WHERE job_id = $job_id", {"job_id": job_id})  # noqa: S608
        return msgspec.convert(dict(zip(JOBS, found[0], strict=True)), JobRecord) if found else None

    def request_statuses(self, since: float) -> dict[str, str]:
        """Return how each request stands that was made from a time on, UTC seconds, by its id. Raises StoreError."""
        found = "SELECT request_id, status FROM requests WHERE requested_at >= make_timestamp($since)"
        return dict(self._found(found, {"since": microseconds(since)}))

    def longest_critical_s(self) -> float | None:
        """Return the longest that a recorded CRITICAL job was worked on; None where there is none. Raises StoreError."""
        longest = "SELECT max(epoch(available_at - started_at)) FROM jobs WHERE level = 'CRITICAL'"
        [(found,)] = self._found(longest, {})
        return None if found is None else float(found)

    def newest(self, wanted: Wanted) -> list[dict[str, Any]]:
        """Return the newest rows of a relation. Raises UnknownTarget, StoreError."""
        try:
            return newest(self._connected(), wanted)
        except duckdb.Error as error:
            raise self._unread(wanted.relation, error) from error

    def newest_arrow(self, wanted: Wanted) -> bytes:
        """Return them as an Arrow IPC stream. Raises UnknownTarget, StoreError."""
        try:
            return newest_arrow(self._connected(), wanted)
        except duckdb.Error as error:
            raise self._unread(wanted.relation, error) from error

    def _unread(self, what: str, error: duckdb.Error) -> StoreError:
        return StoreError(f"the recorded {what} in {self.path.name} cannot be read: {first_line(error)}; {DAMAGED}")

    def _found(self, sql: str, asked: dict[str, Any]) -> list[tuple[Any, ...]]:
        try:
            return self._connected().execute(sql, asked).fetchall()
        except duckdb.Error as error:
            raise StoreError(f"the record in {self.path.name} cannot be read: {first_line(error)}; {DAMAGED}") from error


def _taken(columns: Columns[Any]) -> str:
    """Write columns as they are read back: times as seconds."""
    return ", ".join(f"epoch({name}) AS {name}" if dtype == TIME else name for name, (dtype, _) in columns.items())


def first_line(error: Exception) -> str:
    """Return what a database says of itself in one printable line."""
    return printable(str(error).partition("\n")[0], 300)
