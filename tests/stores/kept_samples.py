"""Snapshots as processing hands them over."""

import hashlib
from typing import Any

import numpy as np

from gexdesk.model.exposure import Conventions, Exposure, ZeroGamma
from gexdesk.stores.base import KeptSnapshot
from gexdesk.stores.lake import STRIKE_COLUMNS

OPEN_AT = 1_772_461_800.0  # 2026-03-02T14:30:00Z


def packed(strikes: dict[float, float]) -> bytes:
    """Return the bytes of a strike table: net GEX by strike, the rest unknown (NaN)."""
    columns = np.full((len(STRIKE_COLUMNS), len(strikes)), np.nan)
    columns[STRIKE_COLUMNS.index("strike")] = list(strikes)
    columns[STRIKE_COLUMNS.index("net_gex")] = list(strikes.values())
    return columns.tobytes()


THREE = packed({5000.0: 1.5e9, 5005.0: -2.5e8, 5010.5: float("nan")})


def kept(
    job_id: str,
    *,
    ordinal: int = 0,
    symbol: str = "SPX",
    source: str = "cboe",
    as_of: float = OPEN_AT,
    body: str = "body",
    received_at: float = OPEN_AT + 2.5,
    strikes: bytes = THREE,
    **numbers: Any,
) -> KeptSnapshot:
    """Return a snapshot of three strikes; ``body`` stands for its payload's bytes."""
    exposure = Exposure(
        format="cboe_json",
        symbol=symbol,
        as_of=as_of,
        spot=numbers.pop("spot", 5003.25),
        conventions=Conventions(rate=0.04),
        strikes=3,
        zero_gamma=ZeroGamma("found", 4990.0, (4990.0,)),
        **numbers,
    )
    sha256 = hashlib.sha256(body.encode()).hexdigest()
    return KeptSnapshot(job_id, ordinal, source, sha256, received_at, 900.0, exposure, strikes)
