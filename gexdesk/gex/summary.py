"""Turn a snapshot into the numbers a desk reads: the few that triage needs, or all of them.

None means unknown and 0 means zero. Sums count by open interest where any live contract has some, else by volume, and a
warning says so. They are None without a spot, where every contract has settled, and where no contract with open interest has
a gamma; 0 only where open interest is known to be 0 throughout and nothing traded.
"""

import math
from dataclasses import replace
from typing import Self

import msgspec
from msgspec import Struct

from gexdesk.gex import exposure, given, implied, quality
from gexdesk.gex.analysis import analyse_chain, basis, zero_dte_gex
from gexdesk.gex.levels import ratio
from gexdesk.model.errors import SettingsError
from gexdesk.model.exposure import Conventions, Exposure
from gexdesk.model.snapshot import Snapshot, StrikeTable


class Measures(Struct, frozen=True):
    """Hold what triage needs of a snapshot, equal to the fields of the same names that ``analyse`` gives.

    Attributes:
        spot: Points; None where the format does not carry it.
        net_gex, gross_gex: USD per 1% move; None where unknown.
        total_open_interest, total_volume: Contracts over every row; None where no row carries them.
        zero_dte_share: Share of gross GEX that expires on the quotes' New York date; None where unknown.
        coverage: 0 to 1; None where the format has no contracts or none is open.
        contracts: Rows of the chain; None where the format has no contracts.
    """

    spot: float | None
    net_gex: float | None
    gross_gex: float | None
    total_open_interest: float | None
    total_volume: float | None
    zero_dte_share: float | None
    coverage: float | None
    contracts: int | None

    @classmethod
    def of(cls, exposure: Exposure) -> Self:
        """Take them from what ``analyse`` gave, where that is computed anyway."""
        return cls(
            spot=exposure.spot,
            net_gex=exposure.net_gex,
            gross_gex=exposure.gross_gex,
            total_open_interest=exposure.total_open_interest,
            total_volume=exposure.total_volume,
            zero_dte_share=exposure.zero_dte_share,
            coverage=exposure.coverage,
            contracts=exposure.contracts,
        )


def measure(snapshot: Snapshot, conventions: Conventions) -> Measures:
    """Compute what triage needs, without grouping, levels or profile.

    Raises:
        SettingsError: Conventions that gexdesk does not compute by.
    """
    conventions = _in_force(snapshot, conventions)
    spot = _spot(snapshot)
    if snapshot.chain is None:
        return Measures(spot, *given.sums(_given(snapshot)), zero_dte_share=None, coverage=None, contracts=None)
    chain, _ = implied.recover(snapshot.chain, spot, snapshot.quoted_at, conventions)
    weighed = exposure.weigh(chain, spot, snapshot.quoted_at, conventions)
    _, gex, _ = basis(weighed)
    net, gross = exposure.net_and_gross(gex[weighed.live])
    return Measures(
        spot=spot,
        net_gex=net,
        gross_gex=gross,
        total_open_interest=exposure.total(weighed.open_interest),
        total_volume=exposure.total(weighed.volume),
        zero_dte_share=ratio(zero_dte_gex(weighed, gex, snapshot.quoted_at), gross),
        coverage=quality.coverage(weighed),
        contracts=len(chain),
    )


def analyse(snapshot: Snapshot, conventions: Conventions, late_s: float | None = None) -> tuple[Exposure, StrikeTable]:
    """Compute everything an operator sees of a snapshot, and its rows by strike.

    Time counts from ``quoted_at``, also for what expires today: a replay shifts ``as_of`` but no expiry.

    Args:
        conventions: As configured for the symbol; a multiplier that the document itself states goes before.
        late_s: Receipt less ``as_of`` and the source's known delay; lowers the quality where it is long. None where nobody
            waited for it, as for history.

    Raises:
        SettingsError: Conventions that gexdesk does not compute by.
    """
    conventions = _in_force(snapshot, conventions)
    if snapshot.chain is None:
        return given.analyse_given(snapshot, _given(snapshot), _spot(snapshot), conventions, late_s)
    spot = _spot(snapshot)
    chain, recovered = implied.recover(snapshot.chain, spot, snapshot.quoted_at, conventions)
    if recovered:
        conventions = msgspec.structs.replace(conventions, gamma_source=implied.MID)
        words = f"IV from mid: {recovered} of {len(chain)} contracts ({recovered / len(chain):.2%}) take what their quote implies"
        snapshot = replace(snapshot, warnings=(*snapshot.warnings, words))
    return analyse_chain(snapshot, chain, spot, conventions, late_s)


def _given(snapshot: Snapshot) -> StrikeTable:
    assert snapshot.given is not None, "a snapshot has either a chain or given strikes"
    return snapshot.given


def _spot(snapshot: Snapshot) -> float | None:
    spot = snapshot.spot
    return spot if spot is not None and math.isfinite(spot) and spot > 0 else None


def _in_force(snapshot: Snapshot, conventions: Conventions) -> Conventions:
    """Return the conventions with the document's own multiplier, checked."""
    if snapshot.multiplier is not None:
        conventions = msgspec.structs.replace(conventions, multiplier=snapshot.multiplier)
    known = Conventions()
    for name, allowed in (("time", (known.time,)), ("sign", (known.sign,)), ("gamma_source", ("iv", "vendor"))):
        if getattr(conventions, name) not in allowed:
            words = " or ".join(repr(word) for word in allowed)
            raise SettingsError(f"conventions.{name} is {getattr(conventions, name)!r}; gexdesk computes by {words}")
    for name in ("rate", "dividend_yield", "multiplier"):
        value = getattr(conventions, name)
        if not math.isfinite(value) or (name == "multiplier" and value <= 0):
            raise SettingsError(f"conventions.{name} is {value!r}; it must be a finite number, and a multiplier above 0")
    return conventions
