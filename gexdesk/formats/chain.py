"""Build a chain from the columns of a document: one rule for ranges, missing IVs and repeated contracts in every format."""

from dataclasses import replace

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats.contracts import Contracts
from gexdesk.formats.ranges import MAX_CONTRACTS, MAX_GREEK, MAX_IV, MAX_POINTS, Where, at_least_zero, at_most
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Chain

LEAST_IV = 1e-4
"""Below it an IV is a vendor's word for missing: 0, or Yahoo's 1e-05."""

_COLUMNS = ("bid", "ask", "iv", "gamma", "delta", "open_interest", "volume")


def build(
    contracts: Contracts, where: Where, *, bid: F8, ask: F8, iv: F8, gamma: F8, delta: F8, open_interest: F8, volume: F8
) -> tuple[Chain, tuple[str, ...]]:
    """Return the chain of n >= 1 contracts, and what to warn of.

    A contract that stands twice with the same numbers is kept once, with a warning; with other numbers it refuses the
    document: which of the two is true cannot be known.

    Args:
        contracts: The keys, in file order.
        where: Names row i for an operator.
        bid, ask, iv, gamma, delta, open_interest, volume: float64[n] as in ``Chain``, NaN where missing. An IV below
            ``LEAST_IV`` becomes NaN, in place.

    Raises:
        MalformedPayload: A number that no market has, or a contract twice with different numbers.
    """
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
    key = _key(chain)
    ordered = np.sort(key)
    if not np.any(ordered[1:] == ordered[:-1]):
        return chain, ()
    return _each_once(chain, key, where)


def without_prices(chain: Chain, rows: NDArray[np.bool_]) -> Chain:
    """Blank what an exposure could be computed from, in contracts that do not deliver what the others do."""
    blank = {name: np.where(rows, np.nan, getattr(chain, name)) for name in ("bid", "ask", "iv", "gamma")}
    return replace(chain, **blank)


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


def _each_once(chain: Chain, key: NDArray[np.int64], where: Where) -> tuple[Chain, tuple[str, ...]]:
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
    return replace(chain, **columns), (f"{words} with the same numbers; each is counted once",)
