"""Remember what came before, so that the next snapshot can be judged against it."""

from msgspec import Struct

from gexdesk.engine.history import History, Past
from gexdesk.engine.ledger import Account
from gexdesk.engine.tasks import Head
from gexdesk.gex.change import gamma_change
from gexdesk.guidelines.hours import hours
from gexdesk.model.features import Features
from gexdesk.model.market import session_id
from gexdesk.model.payload import Asked
from gexdesk.stores.base import LiveValue

CLOCK_SKEW_S = 2.0


class _Previous(Struct, frozen=True):
    session: int
    as_of: float
    net_gex: float | None
    gross_gex: float | None
    spot: float | None


class _Totals(Struct, frozen=True):
    as_of: float
    volume: float | None
    open_interest: float | None


class Precedents:
    """Hold, per source and symbol, the previous snapshot of this session; per symbol, the latest chain's totals."""

    def __init__(self) -> None:
        self._previous: dict[tuple[str, str], _Previous] = {}
        self._chains: dict[str, _Totals] = {}
        self.history = History()

    def features(self, account: Account, head: Head, now: float, asked: Asked | None = None, *, held: bool = False) -> Features:
        """Describe a snapshot for the guidelines and let it be the next one's precedent.

        The previous one is of the same source and session and no newer; yesterday's close is none.

        Args:
            asked: The request that brought it; what it said of it comes along.
            held: The checks keep it from readers: it is nobody's precedent, and no part of its symbol's history.
        """
        as_of = min(head.as_of, now)  # a stamp in the future must not make every later snapshot an old one
        session = session_id(as_of)
        # History that a request brought has precedents of its own: it is no part of the source's feed.
        line = f"{account.name} history" if asked is not None and asked.data_type == "historical" else account.name
        key = (line, head.symbol)
        before = self._previous.get(key)
        change = spot_move = None
        if before is not None and before.session == session and before.as_of <= as_of:
            change = gamma_change(head.net_gex, before.net_gex, before.gross_gex)
            spot_move = head.spot / before.spot - 1 if head.spot and before.spot else None
        if not held and (before is None or before.as_of <= as_of):
            self._previous[key] = _Previous(session, as_of, head.net_gex, head.gross_gex, head.spot)
        past = Past() if held else self.history.past(line, head, as_of, session, change)
        volume, open_interest, volume_from = self._size(account, head, as_of, held=held)
        kind, minutes_to_close = hours(now)
        skew = head.as_of - now > CLOCK_SKEW_S
        return Features(
            symbol=head.symbol,
            source=account.name,
            data_type=(asked.data_type if asked is not None else None) or account.data_type,
            volume=volume,
            open_interest=open_interest,
            gamma_change=change,
            data_age_s=now - head.as_of + account.delay_of(head.delay_s),
            volume_from=volume_from,
            clock_skew=skew,
            source_reliability=account.reliability,
            coverage=head.coverage,
            session=kind,
            minutes_to_close=minutes_to_close,
            zero_dte_share=head.zero_dte_share,
            spot_move=spot_move,
            expected_records=asked.expected_records if asked is not None else None,
            data_quality=asked.data_quality if asked is not None else None,
            priority_hint=asked.priority_hint if asked is not None else None,
            gamma_change_5m=past.gamma_change_5m,
            volume_percentile=past.volume_percentile,
            open_interest_percentile=past.open_interest_percentile,
            change_percentile=past.change_percentile,
            minutes_since_changed=past.minutes_since_changed,
        )

    def inherit(self, value: LiveValue) -> None:
        """Take a value that readers have for the snapshot before of its source, and its totals for its symbol's, unless newer ones
        are known here."""
        exposure, key = value.exposure, (value.source, value.symbol)
        as_of = min(exposure.as_of, value.received_at)
        before = self._previous.get(key)
        if before is None or before.as_of < as_of:
            self._previous[key] = _Previous(session_id(as_of), as_of, exposure.net_gex, exposure.gross_gex, exposure.spot)
        known = self._chains.get(value.symbol)
        if exposure.total_volume is not None and (known is None or known.as_of < as_of):
            self._chains[value.symbol] = _Totals(as_of, exposure.total_volume, exposure.total_open_interest)

    def _size(self, account: Account, head: Head, as_of: float, *, held: bool) -> tuple[float | None, float | None, str]:
        if head.volume is not None or head.open_interest is not None:
            known = self._chains.get(head.symbol)
            if not held and (known is None or known.as_of <= as_of):
                self._chains[head.symbol] = _Totals(as_of, head.volume, head.open_interest)
            return head.volume, head.open_interest, "payload"
        chain = self._chains.get(head.symbol)
        if chain is not None:
            return chain.volume, chain.open_interest, "chain"
        if account.assumed is not None:
            return account.assumed[0], account.assumed[1], "assumed"
        return None, None, "none"
