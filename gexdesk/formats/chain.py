"""Build a chain from the columns of a document: one rule for ranges, missing IVs and repeated contracts in every format."""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats.contracts import Contracts
from gexdesk.formats.ranges import (
    MAX_CONTRACTS,
    MAX_GREEK,
    MAX_IV,
    MAX_LISTED,
    MAX_POINTS,
    Where,
    at_least_zero,
    at_most,
    refuse_more,
    refuse_rows,
)
from gexdesk.formats.roots import is_adjusted
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Chain

Flags = NDArray[np.bool_]

LEAST_IV = 1e-4
"""Below it an IV is a vendor's word for missing: 0, or Yahoo's 1e-05."""

_COLUMNS = ("bid", "ask", "iv", "gamma", "delta", "open_interest", "volume")


@dataclass(frozen=True, slots=True)
class Built:
    """Hold a chain, the multiplier its document gives (None where it gives none), and what to warn of."""

    chain: Chain
    multiplier: float | None
    warnings: tuple[str, ...]


def build(
    contracts: Contracts, where: Where, *, bid: F8, ask: F8, iv: F8, gamma: F8, delta: F8, open_interest: F8, volume: F8,
    multiplier: F8 | None = None, odd: Flags | None = None,
) -> Built:  # fmt: skip
    """Return the chain of n >= 1 contracts.

    A contract that stands twice with the same numbers is kept once, with a warning; with other numbers it refuses the
    document: which of the two is true cannot be known. A contract whose deliverable is not the chain's (an adjusted root
    such as ``AAPL1``, another contract size) keeps its open interest and volume, loses what an exposure is computed from,
    and is warned of.

    Args:
        contracts: The keys, in file order.
        where: Names row i for an operator.
        bid, ask, iv, gamma, delta, open_interest, volume: float64[n] as in ``Chain``, NaN where missing. An IV below
            ``LEAST_IV`` becomes NaN, in place.
        multiplier: float64[n], underlying units a contract controls, NaN where not given; None where the format has none.
        odd: bool[n], contracts that the document itself calls mini or non-standard; None where it tells none.

    Raises:
        OversizePayload: More than ``MAX_LISTED`` contracts.
        MalformedPayload: A number that no market has, or a contract twice with different numbers.
    """
    refuse_more(len(contracts.strike), MAX_LISTED, "contracts")
    iv = at_least_zero(iv, MAX_IV, "iv", where)
    iv[iv < LEAST_IV] = np.nan
    chain = Chain(
        roots=contracts.roots,
        root=contracts.root,
        expiry=contracts.expiry,
        is_call=contracts.is_call,
        strike=contracts.strike,
        bid=at_least_zero(bid, MAX_POINTS, "bid", where),
        ask=at_least_zero(ask, MAX_POINTS, "ask", where),
        iv=iv,
        gamma=at_most(gamma, MAX_GREEK, "gamma", where),
        delta=at_most(delta, MAX_GREEK, "delta", where),
        open_interest=at_least_zero(open_interest, MAX_CONTRACTS, "open interest", where),
        volume=at_least_zero(volume, MAX_CONTRACTS, "volume", where),
    )
    common, odd = _multiplier(chain, multiplier, _odd(chain, odd), where)
    warnings: list[str] = []
    if odd is not None:
        chain = _without_prices(chain, odd)
        warnings.append(_odd_warning(chain, odd))
    key = _key(chain)
    ordered = np.sort(key)
    if np.any(ordered[1:] == ordered[:-1]):
        chain, repeats = _each_once(chain, key, where)
        warnings.append(repeats)
    return Built(chain, common, tuple(warnings))


def _odd(chain: Chain, told: Flags | None) -> Flags | None:
    """Return the contracts of adjusted roots and those that the document calls odd, None for none."""
    adjusted = np.array([is_adjusted(root) for root in chain.roots])
    if adjusted.any():
        told = adjusted[chain.root] if told is None else told | adjusted[chain.root]
    return told if told is not None and told.any() else None


def _multiplier(chain: Chain, sizes: F8 | None, odd: Flags | None, where: Where) -> tuple[float | None, Flags | None]:
    """Return the size that most ordinary contracts have, and the contracts that do not have it, None for none."""
    if sizes is None:
        return None, odd
    refuse_rows(
        (sizes <= 0) | (sizes > MAX_CONTRACTS),
        where, lambda i: f"contract size {sizes[i]:.15g}", f"above 0 to {MAX_CONTRACTS:.0f}",
    )  # fmt: skip
    unlike = np.zeros(len(chain), dtype=np.bool_) if odd is None else odd
    known = ~np.isnan(sizes)
    values, counts = np.unique(sizes[known & ~unlike], return_counts=True)
    if len(values) == 0:
        return None, odd
    common = float(values[np.argmax(counts)])
    unlike = unlike | (known & (sizes != common))
    return common, unlike if unlike.any() else None


def _odd_warning(chain: Chain, odd: Flags) -> str:
    count = int(np.count_nonzero(odd))
    roots = [chain.roots[i] for i in np.unique(chain.root[odd])]
    shown = ", ".join(roots[:5]) + (" ..." if len(roots) > 5 else "")
    return (
        f"{count} of {len(chain)} contracts ({shown}) do not deliver what the others do: "
        "counted, but left out of the exposure, since their multiplier is not known"
    )


def _without_prices(chain: Chain, rows: Flags) -> Chain:
    def blank(column: F8) -> F8:
        left: F8 = np.where(rows, np.nan, column)
        return left

    return replace(
        chain, bid=blank(chain.bid), ask=blank(chain.ask), iv=blank(chain.iv), gamma=blank(chain.gamma), delta=blank(chain.delta)
    )


def _key(chain: Chain) -> NDArray[np.int64]:
    """Pack (root, expiry, right, strike in thousandths of a thousandth) into int64[n]; distinct contracts differ.

    Bits from the right: strike 47 (to 1e8 points), then the rank of (root, expiry, right) among those present.
    """
    series = (chain.root.astype(np.int64) << 33) | ((chain.expiry.astype(np.int64) + 2**31) << 1) | chain.is_call
    changes = np.empty(len(series), dtype=np.bool_)
    changes[0] = True
    np.not_equal(series[1:], series[:-1], out=changes[1:])
    _, rank = np.unique(series[changes], return_inverse=True)
    strike = np.rint(chain.strike * 1e6).astype(np.int64)
    key: NDArray[np.int64] = (rank.astype(np.int64)[np.cumsum(changes) - 1] << 47) | strike
    return key


def _each_once(chain: Chain, key: NDArray[np.int64], where: Where) -> tuple[Chain, str]:
    _, first, inverse = np.unique(key, return_index=True, return_inverse=True)
    before = first[inverse]
    differs = np.zeros(len(chain), dtype=np.bool_)
    for name in _COLUMNS:
        column = getattr(chain, name)
        earlier = column[before]
        differs |= (column != earlier) & ~(np.isnan(column) & np.isnan(earlier))
    if differs.any():
        again = int(np.argmax(differs))
        count = int(np.count_nonzero(differs))
        more = f" ({count} such rows)" if count > 1 else ""
        raise MalformedPayload(
            f"{where(again)}: the contract stands twice with different numbers, first at {where(int(before[again]))}{more}; "
            "allowed: each (root, expiry, right, strike) once"
        )
    kept = np.sort(first)
    gone = len(chain) - len(kept)
    columns = {name: getattr(chain, name)[kept] for name in ("root", "expiry", "is_call", "strike", *_COLUMNS)}
    words = "1 row repeats a contract" if gone == 1 else f"{gone} rows repeat contracts"
    return replace(chain, **columns), f"{words} with the same numbers; each is counted once"
