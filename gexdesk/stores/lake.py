"""Keep strikes in Parquet: ``strikes/symbol=SPX/date=2026-03-02/*.parquet``, zstd, dates in UTC.

A crash between this write and the metadata's commit leaves rows that the next attempt writes again, perhaps in other company
and so in another file; and the same bytes may arrive twice under two jobs. Such rows do no harm: each carries the key of its
write, and a reader joins on (strikes_key, job_id, ordinal) of the accepted snapshots. ``query`` does.
"""

import contextlib
import hashlib
import io
import os
from collections import defaultdict
from collections.abc import Collection, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import quote

import msgspec
import polars as pl

from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable
from gexdesk.stores.base import KeptSnapshot
from gexdesk.stores.durable import make_folder, sync_folder
from gexdesk.stores.rows import microseconds

STRIKE_COLUMNS = (
    "strike",
    "call_open_interest",
    "put_open_interest",
    "call_volume",
    "put_volume",
    "call_gex",
    "put_gex",
    "net_gex",
    "net_gex_volume",
)
"""Columns of ``StrikeTable`` as kept: float64, NaN as null, GEX in USD per 1% move."""

_REPLACES = "gexdesk.replaces"
_COMPACTED = "compacted-"
_SMALL_BYTES = 8 * 1024 * 1024
_AT_MOST = 512


def strikes_key(kept: Sequence[KeptSnapshot]) -> str:
    """Name one write by everything in it: SHA-256 over job ids and ordinals in order, 32 hex digits."""
    digest = hashlib.sha256()
    for snapshot in kept:
        digest.update(f"{snapshot.job_id}\n{snapshot.ordinal}\n".encode(errors="replace"))
    return digest.hexdigest()[:32]


class Lake:
    """Write strikes under one folder; one writer at a time, readers need nothing from it.

    Args:
        folder: Holds ``strikes/``; created owner-only when first needed.
    """

    def __init__(self, folder: Path) -> None:
        self.strikes = folder / "strikes"

    def write(self, kept: Sequence[KeptSnapshot]) -> None:
        """Write one file a (symbol, UTC date of as_of), synced and renamed into place when this returns.

        The same call again writes the same files. Columns: symbol, source: str; as_of: timestamp in UTC microseconds; job_id: str;
        ordinal: int64; payload_sha256: str; ``STRIKE_COLUMNS``: float64, null where unknown; strikes_key: str.

        Raises:
            StoreError: The disk refused, or a snapshot's strikes cannot be read; files already in place stay and are not seen.
        """
        key = strikes_key(kept)
        partitions: dict[Path, list[pl.DataFrame]] = defaultdict(list)
        for snapshot in kept:
            rows = _rows(snapshot, key)
            if len(rows):
                partitions[self.strikes / partition_of(snapshot.exposure.symbol, snapshot.exposure.as_of)].append(rows)
        if not partitions:
            return
        name = f"{_safe(kept[0].job_id)}-{key}.parquet"
        try:
            for folder, frames in partitions.items():
                make_folder(folder)
                _write_parquet(pl.concat(frames), folder / name, {})
            for folder in partitions:
                sync_folder(folder)
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(f"strikes of {len(kept)} snapshots could not be written: {_reason(error)}; check space") from error

    def compact(self, at_least: int = 64) -> int:
        """Join the small files of each partition that has many, and remove what a killed process left behind.

        A joined file names the files it replaces, is renamed into place, and only then are those removed: ``visible_files`` never
        shows a row twice, also where a crash came between. Must not run beside ``write``.

        Args:
            at_least: Partitions with fewer small files are left alone.

        Returns:
            How many files were replaced.

        Raises:
            StoreError: A file could not be read or written; the old ones stay.
        """
        replaced = 0
        for folder in sorted(self.strikes.glob("symbol=*/date=*")):
            try:
                for left in folder.glob(".*.tmp"):
                    left.unlink()
                files = sorted(folder.glob("*.parquet"))
                gone = _replaced(files)
                for file in files:
                    if file.name in gone:
                        file.unlink()
                small = [file for file in files if file.name not in gone and file.stat().st_size < _SMALL_BYTES][:_AT_MOST]
                if len(small) >= at_least:
                    replaced += _join(folder, small)
            except (OSError, pl.exceptions.PolarsError) as error:
                raise StoreError(f"{folder.parent.name}/{folder.name} could not be compacted: {_reason(error)}") from error
        return replaced


def partition_of(symbol: str, as_of: float) -> Path:
    """Return the folder of a symbol's day under ``strikes/``; whatever could mean something in a path is percent-encoded."""
    microseconds(as_of)
    return Path(f"symbol={_safe(symbol)}", f"date={datetime.fromtimestamp(as_of, UTC).date().isoformat()}")


def visible_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a lake that hold each row once, in a stable order; none where there is no lake yet."""
    files: list[Path] = []
    for partition in sorted((folder / "strikes").glob("symbol=*/date=*")):
        names = sorted(partition.glob("*.parquet"))
        gone = _replaced(names) if len(names) > 1 else set()
        files += [file for file in names if file.name not in gone]
    return files


def _rows(snapshot: KeptSnapshot, key: str) -> pl.DataFrame:
    try:
        strikes = pl.read_ipc_stream(io.BytesIO(snapshot.strikes_arrow)).select(STRIKE_COLUMNS)
    except (pl.exceptions.PolarsError, pl.exceptions.PanicException, OSError) as error:
        raise StoreError(f"the strikes of job {printable(snapshot.job_id)} cannot be read: {_reason(error)}") from error
    return strikes.select(
        pl.lit(snapshot.exposure.symbol).alias("symbol"),
        pl.lit(snapshot.source).alias("source"),
        pl.lit(microseconds(snapshot.exposure.as_of)).cast(pl.Datetime("us", "UTC")).alias("as_of"),
        pl.lit(snapshot.job_id).alias("job_id"),
        pl.lit(snapshot.ordinal, pl.Int64).alias("ordinal"),
        pl.lit(snapshot.payload_sha256).alias("payload_sha256"),
        pl.col(STRIKE_COLUMNS).cast(pl.Float64).fill_nan(None),
        pl.lit(key).alias("strikes_key"),
    )


def _join(folder: Path, files: Sequence[Path]) -> int:
    names = [file.name for file in files]
    rows = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files])
    rows = rows.sort("as_of", "job_id", "ordinal", "strike")
    # What the joined ones replaced stays named, because a repeated write may bring such a file back.
    gone = sorted({*names, *_replaced(files)})
    name = f"{_COMPACTED}{hashlib.sha256(msgspec.json.encode(gone)).hexdigest()[:32]}.parquet"
    _write_parquet(rows, folder / name, {_REPLACES: msgspec.json.encode(gone).decode()})
    sync_folder(folder)
    for file in files:
        file.unlink()
    return len(files)


def _replaced(files: Collection[Path]) -> set[str]:
    """Return every name that a joined file stands for."""
    gone: set[str] = set()
    for file in files:
        if file.name.startswith(_COMPACTED):
            gone |= msgspec.json.decode(pl.read_parquet_metadata(file).get(_REPLACES, "[]"), type=set[str])
    return gone


def _write_parquet(frame: pl.DataFrame, path: Path, named: dict[str, str]) -> None:
    temporary = path.with_name(f".{path.name}.tmp")
    try:
        with open(os.open(temporary, os.O_RDWR | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            frame.write_parquet(file, compression="zstd", metadata=named)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
    except BaseException:
        with contextlib.suppress(OSError):
            temporary.unlink()
        raise


def _safe(name: str) -> str:
    """Percent-encode all but letters, digits, ``_`` and ``-``; ``.`` and ``~`` are not what ``quote`` would encode."""
    return quote(name, safe="", errors="replace").replace(".", "%2E").replace("~", "%7E")


def _reason(error: BaseException) -> str:
    return printable(str(error).partition("\n")[0])
