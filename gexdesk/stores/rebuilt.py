"""Have back from a lake what its strikes know of the snapshots, where the metadata is lost."""

from collections.abc import Sequence
from pathlib import Path

import duckdb

_REBUILT = """
    INSERT INTO snapshots BY NAME
    WITH written AS (
        SELECT symbol, as_of::TIMESTAMP AS as_of, source, job_id, ordinal, payload_sha256, strikes_key, sum(net_gex) AS net_gex,
            CASE WHEN count(call_gex) + count(put_gex) > 0 THEN coalesce(sum(abs(call_gex)), 0) + coalesce(sum(abs(put_gex)), 0)
                ELSE sum(abs(net_gex)) END AS gross_gex,
            sum(net_gex_volume) AS net_gex_volume,
            CASE WHEN count(call_open_interest) + count(put_open_interest) > 0
                THEN coalesce(sum(call_open_interest), 0) + coalesce(sum(put_open_interest), 0) END AS total_open_interest,
            CASE WHEN count(call_volume) + count(put_volume) > 0
                THEN coalesce(sum(call_volume), 0) + coalesce(sum(put_volume), 0) END AS total_volume,
            count(*) AS strike_count
        FROM read_parquet($files, hive_partitioning = false) GROUP BY ALL
    ), once AS (
        FROM written
        QUALIFY row_number() OVER (PARTITION BY symbol, source, as_of, payload_sha256, ordinal ORDER BY strikes_key, job_id) = 1
            AND row_number() OVER (PARTITION BY job_id, ordinal ORDER BY strikes_key) = 1
    )
    SELECT *, as_of AS received_at, 'not_enough_data' AS zero_gamma_status, ['rebuilt'] AS flags, NULL AS quarantined,
        ['rebuilt from its strikes: the rest of the header is lost'] AS warnings, '' AS format, '{}' AS conventions,
        row_number() OVER (PARTITION BY symbol, source, as_of ORDER BY job_id, ordinal) AS revision
    FROM once ORDER BY as_of, job_id, ordinal
"""


def rebuild(connection: duckdb.DuckDBPyConnection, files: Sequence[Path]) -> int:
    """Give an empty database the headers of the snapshots whose strikes lie in a lake; returns how many. Raises duckdb.Error.

    Sums by strike are what can be had back: totals and net and gross GEX. A header so made is flagged ``rebuilt``, its receipt is
    its stamp, and whether it was held back is unknown: null, so that it is not among the good ones. Strikes of one snapshot that
    were written twice count once.
    """
    [(count,)] = connection.execute(_REBUILT, {"files": [str(file) for file in files]}).fetchall()
    return int(count)
