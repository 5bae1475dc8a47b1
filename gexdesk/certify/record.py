"""Read what the engine durably kept of a run: one row a payload, its decision beside it."""

from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from gexdesk.model.level import LEVELS

F8 = NDArray[np.float64]

_SQL = """
SELECT j.job_id, j.source, j.symbol, j.level, j.status, j.attempts, j.payload_sha256, j.size_bytes, j.error,
       epoch(j.received_at) AS received_at, epoch(j.decided_at) AS decided_at, epoch(j.started_at) AS started_at,
       epoch(j.available_at) AS available_at,
       d.level AS decided_level, d.guidelines_version AS version, d.volume, d.open_interest, d.gamma_change, d.data_age_s
FROM jobs j LEFT JOIN (
    SELECT *, row_number() OVER (PARTITION BY job_id ORDER BY decided_at) AS nth FROM decisions
) d ON d.job_id = j.job_id AND d.nth = 1
ORDER BY j.started_at NULLS LAST, j.received_at
"""


class Record:
    """Hold the columns, one element a job, in the order in which they were dispatched; NaN where a moment never came.

    Attributes:
        rank: int64[n], 0 is CRITICAL.
        received_at, decided_at, started_at, available_at: float64[n], UTC seconds.
    """

    def __init__(self, metadata: Path) -> None:
        import duckdb

        with duckdb.connect(str(metadata), read_only=True) as connection:
            found = connection.execute(_SQL).fetchnumpy()
        self.job_id = _texts(found["job_id"])
        self.source = _texts(found["source"])
        self.symbol = _texts(found["symbol"])
        self.level = _texts(found["level"])
        self.status = _texts(found["status"])
        self.sha256 = _texts(found["payload_sha256"])
        self.error = _texts(found["error"])
        self.version = _texts(found["version"])
        self.decided_level = _texts(found["decided_level"])
        self.attempts = np.asarray(found["attempts"], dtype=np.int64)
        self.size_bytes = np.asarray(found["size_bytes"], dtype=np.int64)
        self.received_at = _reals(found["received_at"])
        self.decided_at = _reals(found["decided_at"])
        self.started_at = _reals(found["started_at"])
        self.available_at = _reals(found["available_at"])
        self.volume = _reals(found["volume"])
        self.open_interest = _reals(found["open_interest"])
        self.gamma_change = _reals(found["gamma_change"])
        self.data_age_s = _reals(found["data_age_s"])
        ranks = {str(level): level.rank for level in LEVELS}
        self.rank = np.array([ranks[level] for level in self.level], dtype=np.int64)

    def __len__(self) -> int:
        """Return the number of jobs."""
        return len(self.job_id)

    def waiting_above(self, grace_s: float) -> NDArray[np.int64]:
        """Count, for each dispatch, the jobs of a higher level that had waited for longer than ``grace_s`` and went on waiting.

        Between a decision and its place in the queue, and between a choice and the begin that is recorded, lie synced writes;
        the grace is for those.

        Returns:
            int64[n]; 0 for jobs that were never dispatched, or more than once (their first dispatch is not recorded).
        """
        above = np.zeros(len(self), dtype=np.int64)
        usable = np.isfinite(self.started_at) & np.isfinite(self.decided_at) & (self.attempts == 1)
        for rank in range(1, len(LEVELS)):
            higher = usable & (self.rank < rank)
            here = usable & (self.rank == rank)
            left = np.sort(self.started_at[higher])
            came = np.sort(np.minimum(self.decided_at[higher] + grace_s, self.started_at[higher]))
            at = self.started_at[here]
            above[here] = np.searchsorted(came, at, side="right") - np.searchsorted(left, at, side="right")
        return above

    def waiting(self) -> NDArray[np.int64]:
        """Count, for each dispatch, all other jobs that were decided and not begun: what there was to choose from."""
        usable = np.isfinite(self.started_at) & np.isfinite(self.decided_at)
        came, left = np.sort(self.decided_at[usable]), np.sort(self.started_at[usable])
        at = self.started_at
        count = np.searchsorted(came, at, side="left") - np.searchsorted(left, at, side="left") - 1
        return np.where(usable, np.maximum(count, 0), 0)


def _texts(column: NDArray[np.object_]) -> list[str]:
    filled = np.ma.filled(column, "") if isinstance(column, np.ma.MaskedArray) else column
    return [str(value) if value is not None else "" for value in filled.tolist()]


def _reals(column: NDArray[np.float64]) -> F8:
    values = np.ma.filled(column.astype(np.float64), np.nan) if isinstance(column, np.ma.MaskedArray) else column
    return np.asarray(values, dtype=np.float64)
