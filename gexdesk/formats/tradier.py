"""Decode Tradier's option chain: ``{options: {option: [{symbol, bid, ask, open_interest, greeks: {...} | null, ...}]}}``.

The answer carries neither the underlying's price nor a time of its own: ``spot`` is unknown, and the stamp is that of the
newest quote or trade in it. IV is ``greeks.mid_iv`` (0 is missing; ``smv_vol`` is a smoothed surface and not taken for one).
An old variant writes ``open-interest``.
"""

from collections.abc import Sequence

import msgspec
import numpy as np

from gexdesk.formats import json_text
from gexdesk.formats.chain import Built, build
from gexdesk.formats.osi import parse_contracts
from gexdesk.formats.ranges import symbol_at
from gexdesk.formats.roots import other_roots_warning, underlying_of
from gexdesk.formats.vendor_stamp import newest_ms
from gexdesk.model.errors import MalformedPayload
from gexdesk.model.snapshot import F8, Chain, Snapshot
from gexdesk.model.text import printable


class _Greeks(msgspec.Struct, gc=False):
    delta: float | None = None
    gamma: float | None = None
    mid_iv: float | None = None


_NO_GREEKS = _Greeks()


class _Option(msgspec.Struct, gc=False):
    symbol: str
    underlying: str | None = None
    bid: float | None = None
    ask: float | None = None
    volume: float | None = None
    open_interest: float | None = None
    old_open_interest: float | None = msgspec.field(default=None, name="open-interest")
    contract_size: float | None = None
    trade_date: float | None = None
    bid_date: float | None = None
    ask_date: float | None = None
    greeks: _Greeks | None = None


class _Options(msgspec.Struct, gc=False):
    option: list[_Option] | _Option


class _Document(msgspec.Struct, gc=False):
    options: _Options | None


_DOCUMENT = msgspec.json.Decoder(_Document)
_OPTION = msgspec.json.Decoder(_Option)


class Tradier:
    """Turn a chain answer into one snapshot with a chain and without a spot."""

    name = "tradier"
    default_delay_s = 0.0

    def recognises(self, head: bytes) -> str:
        """Say why the first 64 KB are not this format; empty when they look like it."""
        if not json_text.starts(head, rb'\{\s*"options"\s*:\s*\{\s*"option"\s*:\s*[\[{]'):
            return "no `options` with a list `option`"
        return ""

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode an answer into one snapshot, one chain row an option, in file order.

        Raises:
            MalformedPayload: What was found, where, what is allowed.
        """
        body = json_text.text(body)
        try:
            document = json_text.decode_listing(_DOCUMENT, body, "", "options.option", _OPTION)
        except MalformedPayload as error:
            json_text.refuse_other_format(error, self.name, self.recognises(body[: json_text.HEAD_BYTES]))
            raise
        found = document.options.option if document.options is not None else []
        options = found if isinstance(found, list) else [found]
        if not options:
            raise MalformedPayload("options.option is empty; allowed: one contract or more")
        quoted_at = newest_ms(
            (stamp for o in options for stamp in (o.bid_date, o.ask_date, o.trade_date)), "bid_date, ask_date or trade_date"
        )
        built = _chain(options)
        symbol = _symbol(options, built.chain)
        return [
            Snapshot(
                format=self.name,
                symbol=symbol,
                as_of=quoted_at + time_shift_s,
                quoted_at=quoted_at,
                spot=None,
                chain=built.chain,
                multiplier=built.multiplier,
                warnings=(*built.warnings, *other_roots_warning(built.chain.roots, symbol)),
            )
        ]


def _chain(options: list[_Option]) -> Built:
    def where(i: int) -> str:
        return f"options.option[{i}] ({printable(options[i].symbol, 24)})"

    def column(values: list[float | None]) -> F8:
        return np.array(values, dtype=np.float64)  # None becomes NaN

    greeks = [option.greeks or _NO_GREEKS for option in options]
    return build(
        parse_contracts([option.symbol for option in options], where),
        where,
        bid=column([option.bid for option in options]),
        ask=column([option.ask for option in options]),
        iv=column([greek.mid_iv for greek in greeks]),
        gamma=column([greek.gamma for greek in greeks]),
        delta=column([greek.delta for greek in greeks]),
        open_interest=column([o.old_open_interest if o.open_interest is None else o.open_interest for o in options]),
        volume=column([option.volume for option in options]),
        multiplier=column([option.contract_size for option in options]),
    )


def _symbol(options: list[_Option], chain: Chain) -> str:
    named = {option.underlying for option in options if option.underlying}
    if len(named) > 1:
        raise MalformedPayload(f"underlying is {printable(' and '.join(sorted(named)), 60)} in one answer; allowed: one")
    most = int(np.argmax(np.bincount(chain.root)))
    return symbol_at(named.pop() if named else underlying_of(chain.roots[most]), "options.option[0].underlying")
