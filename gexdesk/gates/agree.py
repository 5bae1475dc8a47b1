"""Compare two sources of one symbol at the same moment of the market."""

import math

from msgspec import Struct

from gexdesk.gates.facts import Facts, share
from gexdesk.model.symbol_view import CompareRow

_DRIFT = 0.0003
"""Share of itself a spot may move in a second, four deviations of a lively stock; by the root of the time between two words."""


class Tolerances(Struct, frozen=True):
    """Say how far two sources may be apart; the meaning of each stands in ``settings.CompareSettings``."""

    net: float = 0.15
    gross: float = 0.35
    flip: float = 0.01
    walls: float = 0.02
    spot: float = 0.003
    age_s: float = 60.0


def compare(left: Facts, right: Facts, tolerances: Tolerances, *, age_left_s: float, age_right_s: float) -> tuple[CompareRow, ...]:
    """Return one row a figure; those of the market's same moment, and how old each source's newest data is.

    Net and gross GEX are apart by a share of the larger gross, levels and spots by a share of the spot: a net near zero has no
    shares of its own. A symbol that only one of the two gives by contracts counts gross differently by nature (a table of nets
    by strike is a lower bound of it), so that net is judged against the larger. Of one by volume and one by open interest only the
    spots are judged.
    """
    gross = max(left.gross_gex or 0.0, right.gross_gex or 0.0) or None
    spot = left.spot or right.spot
    levels = spot
    if _by_volume(left) is not _by_volume(right):
        gross = levels = None  # what was traded and what is held are two things: neither figure denies the other
    rows = [
        _row("net_gex", left.net_gex, right.net_gex, gross, tolerances.net),
        _row("gross_gex", left.gross_gex, right.gross_gex, gross, _gross_tolerance(left, right, tolerances)),
        _row("zero_gamma", left.flip, right.flip, levels, tolerances.flip),
        _row("call_wall", left.call_wall, right.call_wall, levels, tolerances.walls),
        _row("put_wall", left.put_wall, right.put_wall, levels, tolerances.walls),
        _row("spot", left.spot, right.spot, spot, tolerances.spot + _DRIFT * math.sqrt(abs(left.market_at - right.market_at))),
    ]
    older_s = age_left_s - age_right_s
    rows.append(CompareRow("age_s", age_left_s, age_right_s, older_s, tolerances.age_s, older_s <= tolerances.age_s))
    return tuple(rows)


def disagreements(rows: tuple[CompareRow, ...]) -> tuple[CompareRow, ...]:
    """Return the rows whose figures are too far apart; an age alone is no disagreement about numbers."""
    return tuple(row for row in rows if row.agrees is False and row.name != "age_s")


def apart(left: Facts, right: Facts) -> str:
    """Say why two snapshots cannot be compared; empty where they can."""
    if share(left.spot, right.spot) is None and (left.net_gex is None or right.net_gex is None):
        return "they have no figure in common"
    return ""


def _by_volume(facts: Facts) -> bool:
    return facts.evidence is not None and facts.evidence.by_volume


def _gross_tolerance(left: Facts, right: Facts, tolerances: Tolerances) -> float:
    given = [one.evidence is not None and one.evidence.given for one in (left, right)]
    return 1.0 if given[0] != given[1] else tolerances.gross


def _row(name: str, left: float | None, right: float | None, unit: float | None, tolerance: float) -> CompareRow:
    difference = abs(left - right) / unit if left is not None and right is not None and unit else None
    return CompareRow(name, left, right, difference, tolerance, None if difference is None else difference <= tolerance)
