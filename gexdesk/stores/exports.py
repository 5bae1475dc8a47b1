"""Let other hosts of a fleet ask what this one has stored: its tables as Parquet files in the folder they share.

    <shared>/exports/host=<engine>/jobs/at=2026-03-02T14.parquet    an hour of a large table, written anew while rows come to it
    <shared>/exports/host=<engine>/incidents/all.parquet           a small table, whole
    <shared>/exports/host=<engine>/audit/all.parquet

Each file is renamed into place, and none is needed for a recovery: ``query`` reads its own host's metadata, these of others.
"""

import contextlib
from collections import defaultdict
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from pathlib import Path

import polars as pl

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable
from gexdesk.stores.base import Batch
from gexdesk.stores.metadata import Metadata

HOURLY = {"jobs": "received_at", "snapshots": "received_at", "decisions": "decided_at", "dead_letters": "received_at"}
"""Large tables, with the time that says to which hour a row belongs."""

WHOLE = ("requests", "sources", "guidelines", "overrides", "incidents", "gaps")
HOUR_S = 3600


class Exports:
    """Write the tables of one engine; used by one thread at a time.

    Args:
        folder: ``<shared>/exports/host=<engine>``.
        audit: File of this engine's audit.
    """

    def __init__(self, folder: Path, audit: Path) -> None:
        self._folder = folder
        self._audit = audit
        self._audit_bytes = -1
        self._hours: defaultdict[str, set[int]] = defaultdict(set)
        self._small = True

    def begin(self, now: float) -> None:
        """Note the present and the previous hour: what an engine that was killed had stored and not yet written is among them."""
        for table in HOURLY:
            self._add(table, (now, now - HOUR_S))

    def released(self, received_at: float) -> None:
        """Note that a snapshot of that receipt, UTC seconds, is good since."""
        self._add("snapshots", (received_at,))

    def note(self, batch: Batch) -> None:
        """Note what a batch changed."""
        self._add("jobs", (job.received_at for job in batch.jobs))
        self._add("snapshots", (snapshot.received_at for snapshot in batch.snapshots))
        self._add("decisions", (record.at for record in batch.decisions))
        self._add("dead_letters", (letter.received_at for letter in batch.dead))
        self._small = self._small or bool(
            batch.requests or batch.sources or batch.guidelines or batch.overrides or batch.incidents or batch.gaps
        )

    def write(self, metadata: Metadata) -> None:
        """Write what changed since the last time. Raises StoreError; what was not written is tried again."""
        try:
            for table, hours in self._hours.items():
                folder = self._made(table)
                for hour in sorted(hours):
                    name = f"at={datetime.fromtimestamp(hour * HOUR_S, UTC):%Y-%m-%dT%H}.parquet"
                    metadata.export(table, folder / name, HOURLY[table], hour * HOUR_S, HOUR_S)
                    hours.discard(hour)
            if self._small:
                for table in WHOLE:
                    metadata.export(table, self._made(table) / "all.parquet")
                self._small = False
            self._write_audit()
        except (OSError, pl.exceptions.PolarsError) as error:
            words = printable(str(error).partition("\n")[0], 200)
            raise StoreError(f"what other hosts may ask for could not be written to {self._folder}: {words}") from error

    def _add(self, table: str, times: Iterable[float]) -> None:
        self._hours[table].update(int(at // HOUR_S) for at in times)

    def _write_audit(self) -> None:
        size = self._audit.stat().st_size if self._audit.exists() else 0
        if size in (0, self._audit_bytes):
            return
        path = self._made("audit") / "all.parquet"
        temporary = path.with_name(f".{path.name}.tmp")
        pl.read_ndjson(self._audit, ignore_errors=True).write_parquet(temporary, compression="zstd")
        temporary.replace(path)
        self._audit_bytes = size

    def _made(self, table: str) -> Path:
        folder = self._folder / table
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder


def exported(shared: Path, but: str) -> Mapping[str, list[Path]]:
    """Return the files that every engine but one has exported, by table."""
    found: defaultdict[str, list[Path]] = defaultdict(list)
    with contextlib.suppress(OSError):
        for folder in sorted((shared / "exports").glob("host=*/*")):
            if folder.parent.name != f"host={but}":
                found[folder.name] += sorted(folder.glob("*.parquet"))
    return found
