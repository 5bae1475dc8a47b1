"""Decode GEXBot classic: one JSON document, JSON lines, or a day's history as an array; one snapshot a record.

``{timestamp, ticker, spot, zero_gamma, strikes: [[strike, gex_vol, gex_oi, [priors]], ...], sum_gex_vol, sum_gex_oi, ...}``

Conventions:
    * The vendor does not write its unit down; its GEX is read as millions of USD per 1% move.
    * A 0 in ``zero_gamma`` and in ``sum_gex_oi`` means missing (lower subscription tiers send it, as in every other
      ``*_oi`` total and in ``delta_risk_reversal``, which are not used). Where ``sum_gex_oi`` is missing and every
      strike's ``gex_oi`` is 0, the whole column is missing.
    * A 0 by volume is a true 0: nothing has traded yet.
    * Records are given as they come, repeated ones included; who reads them conflates.
"""

import math
import re
from collections.abc import Sequence

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.ranges import MAX_GEX_USD, MAX_POINTS, at_most, spot_in_range, stamp_in_range, symbol_at
from gexdesk.formats.strikes import ascending
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import Snapshot, StrikeTable

USD_PER_UNIT = 1e6
"""The vendor's GEX unit in USD per 1% move, as read here."""


class _Strike(msgspec.Struct, array_like=True, gc=False):
    strike: float
    gex_vol: float | None
    gex_oi: float | None


class _Record(msgspec.Struct, gc=False):
    timestamp: float
    ticker: str
    strikes: list[_Strike]
    spot: float | None = None
    zero_gamma: float | None = None
    sum_gex_vol: float | None = None
    sum_gex_oi: float | None = None


_RECORD = msgspec.json.Decoder(_Record)
_STRIKE = msgspec.json.Decoder(_Strike)


class GexbotClassic:
    """Turn GEXBot classic records into snapshots with a given strike table."""

    name = "gexbot"
    default_delay_s = 0.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        whole = len(head) < json_text.HEAD_BYTES
        head = head.removeprefix(b"\xef\xbb\xbf").lstrip()
        if not re.match(rb"\{|\[\s*\{", head):
            return "not a JSON object, nor an array of objects"
        if not re.search(rb'"strikes"\s*:\s*\[\s*[\[\]]', head):
            return "no `strikes` as [[strike, gex_vol, gex_oi, ...], ...]"
        missing = [name for name in ("timestamp", "ticker") if f'"{name}"'.encode() not in head]
        return f"no `{missing[0]}`" if missing and whole else ""

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode every record, in file order.

        Raises:
            MalformedPayload: What was found, in which record, what is allowed.
        """
        body = json_text.text(body)
        try:
            return [self._snapshot(row, where, time_shift_s) for where, row in json_text.records(body, arrays=True)]
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise

    def _snapshot(self, row: bytes, where: str, time_shift_s: float) -> Snapshot:
        record = json_text.decode_listing(_RECORD, row, where, "strikes", _STRIKE)
        quoted_at = stamp_in_range(record.timestamp, json_text.at(where, "timestamp"))
        flip = record.zero_gamma or None
        if flip is not None and not 0 < flip <= MAX_POINTS:
            raise MalformedPayload(f"{json_text.at(where, 'zero_gamma')} is {flip:.15g}; allowed: above 0, or 0 for missing")
        net_gex, warnings = _net_gex_usd(record, where)
        return Snapshot(
            format=self.name,
            symbol=symbol_at(record.ticker, json_text.at(where, "ticker")),
            as_of=quoted_at + time_shift_s,
            quoted_at=quoted_at,
            spot=spot_in_range(record.spot, json_text.at(where, "spot")),
            given=_table(record, where),
            vendor_net_gex=net_gex,
            vendor_zero_gamma=flip,
            warnings=warnings,
        )


def _net_gex_usd(record: _Record, where: str) -> tuple[float | None, tuple[str, ...]]:
    """Return the vendor's total in USD per 1%, by open interest where it gives that, and what to warn of."""
    by_volume = not record.sum_gex_oi
    total = record.sum_gex_vol if by_volume else record.sum_gex_oi
    if total is None:
        return None, ("the vendor gives no total",)
    if not abs(total) * USD_PER_UNIT <= MAX_GEX_USD:
        name = json_text.at(where, "sum_gex_vol" if by_volume else "sum_gex_oi")
        raise MalformedPayload(f"{name} is {total:.15g}; allowed: at most {MAX_GEX_USD / USD_PER_UNIT:.0f} million USD")
    warnings = ("the vendor's total is by volume: it gives none by open interest (subscription tier)",) if by_volume else ()
    return total * USD_PER_UNIT, warnings


def _table(record: _Record, where: str) -> StrikeTable:
    if not record.strikes:
        raise MalformedPayload(f"{json_text.at(where, 'strikes')} is empty; allowed: one strike or more")

    def row(i: int) -> str:
        return json_text.at(where, f"strikes[{i}]")

    rows = record.strikes
    # A list a column: a list of rows takes NumPy five times as long. None becomes NaN.
    strike, by_volume, by_open_interest = np.array(
        ([s.strike for s in rows], [s.gex_vol for s in rows], [s.gex_oi for s in rows]), dtype=np.float64
    )
    order = ascending(strike, row)
    limit = MAX_GEX_USD / USD_PER_UNIT
    at_most(by_volume, limit, "gex_vol", row)
    at_most(by_open_interest, limit, "gex_oi", row)
    if not record.sum_gex_oi and not np.any(by_open_interest):
        by_open_interest = np.full(len(order), math.nan)
    unknown = np.full(len(order), math.nan)
    return StrikeTable(
        strike=strike[order],
        call_open_interest=unknown,
        put_open_interest=unknown,
        call_volume=unknown,
        put_volume=unknown,
        call_gex=unknown,
        put_gex=unknown,
        net_gex=by_open_interest[order] * USD_PER_UNIT,
        net_gex_volume=by_volume[order] * USD_PER_UNIT,
    )
