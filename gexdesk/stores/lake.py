"""Keep strikes in Parquet: ``strikes/symbol=SPX/date=2026-03-02/*.parquet``, zstd, dates in UTC.

A crash between this write and the metadata's commit leaves rows that the next attempt writes again, perhaps in other company
and so in another file; and the same bytes may arrive twice under two jobs. Such rows do no harm: each carries the key of its
write, and a reader joins on (strikes_key, job_id, ordinal) of the accepted snapshots. ``query`` does.
"""

import contextlib
import hashlib
import os
import time
from collections import Counter, defaultdict
from collections.abc import Collection, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, date, datetime
from itertools import accumulate
from pathlib import Path
from urllib.parse import quote

import msgspec
import numpy as np
import polars as pl

from gexdesk.model.errors import StoreError
from gexdesk.model.snapshot import F8
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

_REPLACED_AT = "gexdesk.replaced_at"
_REMEMBERED_S = 3600.0
"""So long a joined file names what it stands for: a write that failed half-way may be done again, with the same file."""
_COMPACTED = "compacted-"
_SMALL_BYTES = 8 * 1024 * 1024
_GRAIN_BYTES = 64 * 1024
_AT_MOST = 512
_TIDY_AT = 32
_SYNCED_AT_ONCE = 8


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
        self._fresh: Counter[Path] = Counter()

    def write(self, kept: Sequence[KeptSnapshot]) -> None:
        """Write one file a (symbol, UTC date of as_of), synced and renamed into place when this returns.

        The same call again writes the same files. Columns: symbol, source: str; as_of: timestamp in UTC microseconds; job_id: str;
        ordinal: int64; payload_sha256: str; ``STRIKE_COLUMNS``: float64, null where unknown; strikes_key: str.

        Raises:
            StoreError: The disk refused, or a snapshot's strikes cannot be read; files already in place stay and are not seen.
        """
        key = strikes_key(kept)
        partitions: dict[Path, list[tuple[KeptSnapshot, F8]]] = defaultdict(list)
        folders: dict[tuple[str, int], Path] = {}
        for snapshot in kept:
            table = _table(snapshot)
            if table.size:
                symbol, as_of = snapshot.exposure.symbol, snapshot.exposure.as_of
                microseconds(as_of)
                day = symbol, int(as_of // 86_400)
                folder = folders.get(day) or folders.setdefault(day, self.strikes / partition_of(symbol, as_of))
                partitions[folder].append((snapshot, table))
        if not partitions:
            return
        name = f"{_safe(kept[0].job_id)}-{key}.parquet"
        try:
            # All rows at once, then cut: a frame for each of many symbols would cost as much as writing it.
            rows = _rows([pair for some in partitions.values() for pair in some], key)
            counts = [sum(table.shape[1] for _, table in some) for some in partitions.values()]
            parts = [rows.slice(end - count, count) for end, count in zip(accumulate(counts), counts, strict=True)]
            # Several at a time: the disk's journal syncs what waits together about as fast as one.
            with ThreadPoolExecutor(min(_SYNCED_AT_ONCE, len(parts)), thread_name_prefix="lake") as threads:
                list(threads.map(_put, [folder / name for folder in partitions], parts))
                list(threads.map(sync_folder, partitions))
        except (OSError, pl.exceptions.PolarsError) as error:
            raise StoreError(f"strikes of {len(kept)} snapshots could not be written: {_reason(error)}; check space") from error
        self._fresh.update(list(partitions))

    def tidy(self) -> int:
        """Join small files in partitions that have gathered many since the last time; returns how many were replaced.

        Called between writes, so that a symbol's day never lies in hundreds of files; errors and order as in ``compact``.
        """
        crowded = [folder for folder, count in self._fresh.items() if count >= _TIDY_AT]
        for folder in crowded:
            del self._fresh[folder]
        return sum(_compact(folder, _TIDY_AT) for folder in crowded)

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
        return sum(_compact(folder, at_least) for folder in sorted(self.strikes.glob("symbol=*/date=*")))

    def forget_before(self, day: date) -> int:
        """Remove every symbol's partitions of UTC dates before a day; returns how many. What is gone has no strikes any more.

        Raises:
            StoreError: A partition could not be removed.
        """
        gone = 0
        for folder in sorted(self.strikes.glob("symbol=*/date=*")):
            if not folder.name.removeprefix("date=") < day.isoformat():
                continue
            try:
                for file in folder.iterdir():
                    file.unlink()
                folder.rmdir()
            except OSError as error:
                raise StoreError(f"{folder.parent.name}/{folder.name} could not be removed: {_reason(error)}") from error
            self._fresh.pop(folder, None)
            gone += 1
        return gone


def partition_of(symbol: str, as_of: float) -> Path:
    """Return the folder of a symbol's day under ``strikes/``; whatever could mean something in a path is percent-encoded."""
    microseconds(as_of)
    return Path(f"symbol={_safe(symbol)}", f"date={datetime.fromtimestamp(as_of, UTC).date().isoformat()}")


def visible_files(folder: Path) -> list[Path]:
    """Return the Parquet files of a lake that hold each row once, in a stable order; none where there is no lake yet."""
    files: list[Path] = []
    for partition in sorted((folder / "strikes").glob("symbol=*/date=*")):
        names = sorted(partition.glob("*.parquet"))
        gone = _replaced(names) if len(names) > 1 else {}
        files += [file for file in names if file.name not in gone]
    return files


def _table(snapshot: KeptSnapshot) -> F8:
    """Return the strikes as float64[9, k], rows as ``STRIKE_COLUMNS``."""
    try:
        return np.frombuffer(snapshot.strikes).reshape(len(STRIKE_COLUMNS), -1)
    except ValueError as error:
        raise StoreError(f"the strikes of job {printable(snapshot.job_id)} cannot be read: {_reason(error)}") from error


def _rows(some: Sequence[tuple[KeptSnapshot, F8]], key: str) -> pl.DataFrame:
    """Return the rows of several snapshots, one after the other."""
    snapshots = [snapshot for snapshot, _ in some]
    of = pl.Series(np.repeat(np.arange(len(some)), [table.shape[1] for _, table in some]))
    heads = pl.DataFrame(
        {
            "symbol": [s.exposure.symbol for s in snapshots],
            "source": [s.source for s in snapshots],
            "as_of": pl.Series([microseconds(s.exposure.as_of) for s in snapshots], dtype=pl.Datetime("us", "UTC")),
            "job_id": [s.job_id for s in snapshots],
            "ordinal": pl.Series([s.ordinal for s in snapshots], dtype=pl.Int64),
            "payload_sha256": [s.payload_sha256 for s in snapshots],
        }
    )[of]
    columns = np.concatenate([table for _, table in some], axis=1)
    numbers = [pl.Series(name, column, nan_to_null=True) for name, column in zip(STRIKE_COLUMNS, columns, strict=True)]
    return heads.with_columns(*numbers, strikes_key=pl.lit(key))


def _compact(folder: Path, at_least: int) -> int:
    try:
        for left in folder.glob(".*.tmp"):
            left.unlink()
        sizes = {file: file.stat().st_size for file in sorted(folder.glob("*.parquet"))}
        gone = _replaced(sizes)
        for file in [file for file in sizes if file.name in gone]:
            file.unlink()
            del sizes[file]
        small = _alike({file: size for file, size in sizes.items() if size < _SMALL_BYTES})
        return _join(folder, small) if len(small) >= at_least else 0
    except (OSError, pl.exceptions.PolarsError) as error:
        raise StoreError(f"{folder.parent.name}/{folder.name} could not be compacted: {_reason(error)}") from error


def _alike(sizes: Mapping[Path, int]) -> list[Path]:
    """Return the smallest files as long as the next is not far larger than all before it.

    So a row is joined again only when what it lies in at least doubles: a logarithm of a day's files, never all of them.
    """
    some: list[Path] = []
    total = 0
    for file in sorted(sizes, key=lambda file: (sizes[file], file))[:_AT_MOST]:
        if some and sizes[file] > max(2 * total, _GRAIN_BYTES):
            break
        some.append(file)
        total += sizes[file]
    return some


def _join(folder: Path, files: Sequence[Path]) -> int:
    names = [file.name for file in files]
    rows = pl.concat([pl.read_parquet(file, hive_partitioning=False) for file in files])
    rows = rows.sort("as_of", "job_id", "ordinal", "strike")
    now = time.time()
    known = {name: at for name, at in _replaced(files).items() if at > now - _REMEMBERED_S}
    replaced = {**known, **dict.fromkeys(names, now)}
    name = f"{_COMPACTED}{hashlib.sha256(msgspec.json.encode(sorted(replaced))).hexdigest()[:32]}.parquet"
    _write_parquet(rows, folder / name, {_REPLACED_AT: msgspec.json.encode(replaced).decode()})
    sync_folder(folder)
    for file in files:
        file.unlink()
    return len(files)


def _replaced(files: Collection[Path]) -> dict[str, float]:
    """Return every name that a joined file stands for, and when it was joined."""
    gone: dict[str, float] = {}
    for file in files:
        if file.name.startswith(_COMPACTED):
            gone |= msgspec.json.decode(pl.read_parquet_metadata(file).get(_REPLACED_AT, "{}"), type=dict[str, float])
    return gone


def _put(path: Path, rows: pl.DataFrame) -> None:
    make_folder(path.parent)
    _write_parquet(rows, path, {})


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
