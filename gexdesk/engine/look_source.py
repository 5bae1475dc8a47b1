"""Look at one source beyond the picture: what it carries, its last decisions, its dead letters."""

from collections.abc import Sequence
from math import isnan

from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.look_dead import DeadLooks
from gexdesk.engine.provision import Provision
from gexdesk.model.clock import Clock
from gexdesk.model.errors import UnknownTarget
from gexdesk.model.look.source import CarriedView, DeadLook, SourceLook, SourceSeen
from gexdesk.model.record_view import DecidedView
from gexdesk.model.text import printable
from gexdesk.stores.base import DecisionRecord

DECISIONS_LIMIT = 500
LETTERS = 50
SYMBOLS = 200
LATELY_S = 3600.0
STALE_S = 5.0
"""A decision is recorded a moment after it is taken: what was read meanwhile is read anew by then."""


class SourceLooks:
    """Answer ``SourceLook``."""

    def __init__(self, ledger: Ledger, provision: Provision, keeper: Keeper, dead: DeadLooks, clock: Clock) -> None:
        self._ledger = ledger
        self._symbols = provision.symbols
        self._serving = provision.serving
        self._picture = provision.picture
        self._keeper = keeper
        self._dead = dead
        self._clock = clock
        self._trails: dict[str, tuple[tuple[int, ...], list[DecisionRecord]]] = {}

    async def source(self, question: SourceLook) -> SourceSeen:
        """Return everything about a source. Raises UnknownTarget, StoreError."""
        name = question.source
        if name not in self._ledger:
            raise UnknownTarget(f"no source is named {printable(name, 40)!r}")
        account, now = self._ledger[name], self._clock.now()
        limit = min(max(question.decisions, 1), DECISIONS_LIMIT)
        records = await self._decisions(account, limit, now)
        letters = await self._dead.dead(DeadLook(limit=LETTERS, source=name))
        return SourceSeen(
            source=name,
            taken_at=now,
            format=account.format,
            vendor=account.vendor,
            data_type=account.data_type,
            last_payload_at=account.last_at,
            failing_since=account.failing_since,
            assumed=account.assumed,
            symbols=tuple(self._carried(symbol, name, now) for symbol in self._carries(name)),
            decisions=tuple(map(decided, records)),
            letters=letters.letters,
            last_job=records[0].job_id if records else "",
        )

    async def _decisions(self, account: Account, limit: int, now: float) -> list[DecisionRecord]:
        """Return the last decisions; the record is read where something came since, else every few seconds; its last hour first."""
        came = (account.received, account.completed, account.dead, limit, int(now // STALE_S))
        known = self._trails.get(account.name)
        if known is not None and known[0] == came:
            return known[1]
        name = account.name
        records = await self._keeper.reading(lambda metadata: metadata.decisions(limit, source=name, since=now - LATELY_S))
        if len(records) < limit:
            records = await self._keeper.reading(lambda metadata: metadata.decisions(limit, source=name))
        self._trails[name] = came, records
        return records

    def _carries(self, source: str) -> Sequence[str]:
        """Name its symbols as the desk does, in the desk's order."""
        account = self._ledger[source]
        names = {self._symbols.of(symbol).name for symbol in (*account.symbols, *account.seen_symbols)}
        return sorted(names, key=self._symbols.place)[:SYMBOLS]

    def _carried(self, symbol: str, source: str, now: float) -> CarriedView:
        serving, standby = self._serving.serving(symbol), self._serving.standby(symbol)
        role = "serving" if source == serving else "standby" if source == standby else "other"
        return CarriedView(symbol, self._picture.feed(symbol, source, now, role=role))


def decided(record: DecisionRecord) -> DecidedView:
    """Return a decision as screens have it; what is not a number is unknown."""
    features = {name: getattr(record.features, name) for name in record.features.__struct_fields__}
    plain = {name: None if isinstance(value, float) and isnan(value) else value for name, value in features.items()}
    return DecidedView(record.job_id, record.at, record.features.symbol, record.features.source, plain, record.decision)
