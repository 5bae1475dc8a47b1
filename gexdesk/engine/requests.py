"""Requests: fetch what other programs ask for, strictest level first, and know how each stands."""

import asyncio
import heapq
import secrets
from collections import Counter, deque
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.gatekeeper import Judged
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.receive import Receive
from gexdesk.engine.standing import Standing
from gexdesk.engine.triage import Triage
from gexdesk.metrics.slo import Promises
from gexdesk.model.clock import Clock
from gexdesk.model.errors import AddressRefused, GexdeskError, PayloadError, StoreError, SubmissionRefused, UnknownTarget
from gexdesk.model.job import JobStatus
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.payload import Arrival, Asked, Payload
from gexdesk.model.request import RECORDS_MOST, Accepted, RequestStands, RequestStatus, Submission
from gexdesk.model.text import printable, symbol_of
from gexdesk.queues.base import Queue
from gexdesk.sources.address import Addresses
from gexdesk.sources.fetch_once import FetchOnce
from gexdesk.stores.base import JobRecord, RequestRecord
from gexdesk.stores.request_log import RequestLog

SUBMITTED = "submitted"
"""The source that documents of allowed hosts are counted under."""

OPEN_LIMIT = 50_000
KNOWN_LIMIT = 200_000
"""Requests that can be asked about; ended ones are forgotten beyond it, the earliest first."""

KEEP_ENDED_S = 86_400.0
FETCHES = 4
FETCHES_RESERVED = 1
STORE_RETRY_S = 1.0
LOOK_EVERY_S = 1.0
"""How soon after a pause ends its requests are fetched."""

FIRST_GUESS_S = 2.0
_ENDS = (RequestStatus.COMPLETED, RequestStatus.FAILED)


class Requests:
    """Hold every open request and those that ended within a day."""

    def __init__(
        self, *, log: RequestLog, addresses: Addresses, fetch: FetchOnce, receive: Receive, ledger: Ledger, triage: Triage,
        queue: Queue, keeper: Keeper, standing: Standing, promises: Promises, chronicle: Chronicle, clock: Clock,
        names: Mapping[str, str],
    ) -> None:  # fmt: skip
        self._log = log
        self._addresses = addresses
        self._fetch = fetch
        self._receive = receive
        self._ledger = ledger
        self._triage = triage
        self._queue = queue
        self._keeper = keeper
        self._standing = standing
        self._promises = promises
        self._chronicle = chronicle
        self._clock = clock
        self._names = dict(names)
        self._known: dict[str, RequestRecord] = {}
        self._ended: deque[str] = deque()
        self._by_job: dict[str, str] = {}
        self._heap: list[tuple[int, int, str]] = []
        self._ranks = Counter[int]()
        self._held: list[str] = []
        self._fetching: set[str] = set()
        self._count = 0
        self._news = asyncio.Condition()
        self._tasks: list[asyncio.Task[None]] = []

    async def open(self) -> None:
        """Recover what was accepted; ``tie`` then finds the payloads that were there already. Raises StoreError."""
        kept, warning = await self._log.open(self._clock.now() - KEEP_ENDED_S)
        if warning:
            self._chronicle.tell("engine", warning, grave=True)
        for record in kept:
            self._known[record.request_id] = record
            if record.status in _ENDS:
                self._ended.append(record.request_id)
        await self._keep_anew(kept)

    async def _keep_anew(self, kept: Sequence[RequestRecord]) -> None:
        """Put into the stores what the log alone knows: an engine that is killed takes along the rows it had not written yet."""
        if not kept:
            return
        since = min(record.requested_at for record in kept)
        stored = await self._keeper.reading(lambda metadata: metadata.request_statuses(since))
        for record in kept:
            if stored.get(record.request_id) != record.status:
                self._keeper.note(_without_query(record))

    def start(self) -> None:
        """Begin to fetch what has no payload yet."""
        for record in self._known.values():
            if record.status == RequestStatus.QUEUED and record.job_id is None:
                self._push(record)
        lanes = [LEVELS] * FETCHES + [(Level.CRITICAL,)] * FETCHES_RESERVED
        self._tasks = [asyncio.create_task(self._serve(levels), name=f"fetch-{n}") for n, levels in enumerate(lanes)]
        self._tasks.append(asyncio.create_task(self._look(), name="fetch-held"))

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return tuple(self._tasks)

    async def stop_fetching(self) -> None:
        """Stop; what has no payload by then is fetched by the next engine."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    async def close(self) -> None:
        """Close the log, once no job ends any more."""
        await self._log.close()

    async def submit(self, asked: Submission, who: str) -> Accepted:
        """Take a request; it is synced when this returns.

        Raises:
            AddressRefused: The desk will not fetch that URL.
            SubmissionRefused: The symbol or the metadata is not allowed, or too many requests are open.
            StoreError: It could not be kept.
        """
        destination = self._addresses.destination(asked.source_url)
        symbol = symbol_of(asked.market_symbol)
        if symbol is None or not 1 <= len(asked.market_symbol) <= 10:
            raise SubmissionRefused(f"market_symbol {printable(asked.market_symbol, 20)!r}: 1 to 10 of A-Z 0-9 . _ ^ - are allowed")
        expected = asked.metadata.expected_records
        if expected is not None and not 1 <= expected <= RECORDS_MOST:
            found = printable(str(expected), 20) if abs(expected) < 10**18 else "a number of more than 18 digits"
            raise SubmissionRefused(f"expected_records is {found}: 1 to {RECORDS_MOST:,} is allowed")
        if self.waiting >= OPEN_LIMIT:
            raise SubmissionRefused(f"{self.waiting:,} requests are open; send it again later", retry_after_s=5)
        account = self._account(destination.source)
        if not account.standing:
            raise SubmissionRefused(f"source {account.name} has no level, so nothing of it is processed: configure one")
        now = self._clock.now()
        level = self._triage.level_of(account, now)
        ahead = self._ahead(level)
        estimated_s = self._estimate_s(level, ahead)
        record = RequestRecord(
            request_id=f"req-{int(now * 1e6):x}-{secrets.token_hex(6)}",
            source_url=asked.source_url,
            data_type=str(asked.data_type),
            symbol=self._names.get(symbol, symbol),
            requested_at=now,
            requested_by=who,
            level=level,
            score=None,
            status=RequestStatus.QUEUED,
            estimated_s=estimated_s,
            expected_records=expected,
            data_quality=asked.metadata.data_quality,
            priority_hint=asked.metadata.priority_hint,
        )
        await self._log.append(record)
        self._known[record.request_id] = record
        self._keeper.note(_without_query(record))
        self._push(record)
        async with self._news:
            self._news.notify_all()
        return Accepted(record.request_id, level, _duration(estimated_s), ahead + 1)

    def stands(self, request_id: str) -> RequestStands:
        """Return how a request stands. Raises UnknownTarget."""
        record = self._known.get(request_id)
        if record is None:
            raise UnknownTarget(f"no request {printable(request_id, 60)!r} is open or ended within a day")
        ended = record.status in _ENDS
        progress = 100 if ended else 50 if record.started_at is not None else 25 if record.job_id is not None else 0
        estimate = record.requested_at + (record.estimated_s or FIRST_GUESS_S)
        return RequestStands(
            request_id=record.request_id,
            status=RequestStatus(record.status),
            priority_level=record.level,
            submitted_at=_iso(record.requested_at),
            started_at=_iso(record.started_at) if record.started_at is not None else None,
            completed_at=_iso(record.completed_at) if record.completed_at is not None else None,
            records_processed=record.records or 0,
            estimated_completion=None if ended else _iso(max(estimate, self._clock.now())),
            progress_percentage=progress,
            error_message=record.error or None,
        )

    def tie(self, payload: Payload) -> None:
        """Know a payload as what its request brought; called before triage can end it."""
        record = self._known.get(payload.asked.request_id) if payload.asked is not None else None
        if record is not None and record.status not in _ENDS:
            self._known[record.request_id] = replace(record, job_id=payload.payload_id)
            self._by_job[payload.payload_id] = record.request_id

    async def settle(self, job_id: str) -> None:
        """Note the end of a payload that a kill kept from being noted: its job had ended before. Raises StoreError."""
        if self._of(job_id) is not None and (job := await self._keeper.reading(lambda metadata: metadata.job(job_id))) is not None:
            await self.job_ended(job)

    @property
    def waiting(self) -> int:
        """Return how many requests have no payload yet."""
        return len(self._heap) + len(self._held) + len(self._fetching)

    def job_began(self, job_id: str, level: Level, at: float) -> None:
        """Note that a request's payload is being processed."""
        record = self._of(job_id)
        if record is not None:
            self._known[record.request_id] = replace(record, status=RequestStatus.PROCESSING, started_at=at, level=level)

    async def job_ended(self, job: JobRecord, judged: Sequence[Judged] = ()) -> None:
        """Note how a request's payload ended.

        Args:
            judged: Its snapshots and what the checks said of them; empty where nobody knows.
        """
        record = self._of(job.job_id)
        if record is None:
            return
        del self._by_job[job.job_id]
        done = job.status == JobStatus.COMPLETED
        await self._note(
            replace(
                record, status=RequestStatus.COMPLETED if done else RequestStatus.FAILED, level=job.level, score=job.score,
                started_at=job.started_at, completed_at=job.completed_at, records=job.records,
                error=job.error or _remark(record, judged),
            )
        )  # fmt: skip

    async def job_ended_elsewhere(self, job_id: str, status: JobStatus) -> None:
        """Note that another engine ended a request's payload; what it made of it lies in that engine's stores."""
        record = self._of(job_id)
        if record is None:
            return
        del self._by_job[job_id]
        done = status is JobStatus.COMPLETED
        error = "" if done else "it is a dead letter of another engine of the fleet, which says why"
        stands = RequestStatus.COMPLETED if done else RequestStatus.FAILED
        await self._note(replace(record, status=stands, completed_at=self._clock.now(), error=error))

    def _of(self, job_id: str) -> RequestRecord | None:
        return self._known.get(self._by_job.get(job_id, ""))

    def _account(self, source: str | None) -> Account:
        return self._ledger[source or SUBMITTED]

    def _ahead(self, level: Level) -> int:
        state = self._queue.state()
        queued = sum(state.levels[stricter].waiting for stricter in LEVELS if stricter.rank <= level.rank)
        return queued + sum(count for rank, count in self._ranks.items() if rank <= level.rank)

    def _estimate_s(self, level: Level, ahead: int) -> float:
        """Return seconds to available: what such data took so far, and what stands before it, one after the other on each slot."""
        median_s = self._promises[level].latency.percentile(50) or FIRST_GUESS_S
        return median_s + ahead * median_s / FETCHES

    def _push(self, record: RequestRecord) -> None:
        self._count += 1
        self._ranks[record.level.rank] += 1
        heapq.heappush(self._heap, (record.level.rank, self._count, record.request_id))

    async def _serve(self, levels: tuple[Level, ...]) -> None:
        while True:
            async with self._news:
                await self._news.wait_for(lambda: bool(self._heap) and self._heap[0][0] <= levels[-1].rank)
                rank, _, request_id = heapq.heappop(self._heap)
                self._ranks[rank] -= 1
            record = self._known[request_id]
            if self._is_held(record):
                self._held.append(request_id)
                continue
            self._fetching.add(request_id)
            try:
                await self._bring(record)
            except GexdeskError as error:
                await self._fail(record, error.message)
            except Exception as error:
                await self._fail(record, printable(f"a fault of the desk: {type(error).__name__}: {error}"))
            finally:
                self._fetching.discard(request_id)

    def _is_held(self, record: RequestRecord) -> bool:
        """Say whether nothing may be fetched for it now: its source is paused, or everything is stopped."""
        if self._standing.stopped is not None:
            return True
        try:
            source = self._addresses.destination(record.source_url).source or SUBMITTED
        except AddressRefused:
            return False  # the configuration changed since; it fails for that
        return self._standing.pause_of(source) is not None

    async def _look(self) -> None:
        """Bring back what was held, once it need not be."""
        while True:
            held, self._held = self._held, []
            for request_id in held:
                if self._is_held(self._known[request_id]):
                    self._held.append(request_id)
                else:
                    self._push(self._known[request_id])
            if len(self._held) < len(held):
                async with self._news:
                    self._news.notify_all()
            await self._clock.sleep(LOOK_EVERY_S)

    async def _bring(self, record: RequestRecord) -> None:
        destination = self._addresses.destination(record.source_url)
        document = await self._fetch.get(record.source_url)
        account = self._account(destination.source)
        arrival = Arrival(
            source=account.name, body=document.body, received_at=self._clock.now(), content_type=document.content_type,
            name=document.name,
            asked=Asked(record.request_id, record.data_type, record.expected_records, record.data_quality, record.priority_hint),
        )  # fmt: skip
        earlier = await self._receive.repeated(arrival)
        if earlier is not None and await self._queue.statuses([earlier.payload_id]) == [JobStatus.COMPLETED]:
            self._receive.count_repeat(arrival)
            words = "the same bytes as before: they are stored already, nothing is new"
            done = replace(record, status=RequestStatus.COMPLETED, completed_at=self._clock.now(), records=0, error=words)
            await self._note(done)
            return
        while True:
            try:
                await self._receive.deliver_asked(arrival, self.tie)
                return
            except PayloadError:
                raise
            except StoreError as error:
                words = f"request {record.request_id}: {error.message}; trying again"
                self._chronicle.tell("engine", words, grave=True, request=record.request_id)
                await self._clock.sleep(STORE_RETRY_S)

    async def _fail(self, record: RequestRecord, words: str) -> None:
        told = f"request {record.request_id} for {record.symbol}: {words}"
        self._chronicle.tell("engine", told, grave=True, request=record.request_id)
        await self._note(replace(record, status=RequestStatus.FAILED, completed_at=self._clock.now(), error=words))

    async def _note(self, record: RequestRecord) -> None:
        """Let a request be ended."""
        self._known[record.request_id] = record
        self._ended.append(record.request_id)
        old = self._clock.now() - KEEP_ENDED_S
        while self._ended and (len(self._known) > KNOWN_LIMIT or (self._known[self._ended[0]].completed_at or 0.0) < old):
            del self._known[self._ended.popleft()]
        self._keeper.note(_without_query(record))
        try:
            await self._log.append(record)
            if self._log.is_long(len(self._known)):
                await self._log.tidy(old)
        except StoreError as error:
            words = f"request {record.request_id}: {error.message}"
            self._chronicle.tell("engine", words, grave=True, request=record.request_id)


def _remark(record: RequestRecord, judged: Sequence[Judged]) -> str:
    """Say what is unlike what was asked for, or was held back; empty where nothing is."""
    found = sorted({one.facts.symbol for one in judged})
    if found and record.symbol not in found:
        others = ", ".join(found[:5]) + (" and others" if len(found) > 5 else "")
        return printable(f"the document is of {others}, {record.symbol} was asked for")
    held = next((one for one in judged if one.verdict.held and one.facts.symbol == record.symbol), None)
    return printable(f"held back from readers: {held.verdict.words}") if held is not None else ""


def _without_query(record: RequestRecord) -> RequestRecord:
    """Return what the stores may hold: the part of a URL that may carry a key is left to the owner-only log."""
    return replace(record, source_url=record.source_url.partition("?")[0])


def _duration(seconds: float) -> str:
    """Return an ISO 8601 duration."""
    return f"PT{max(0.1, seconds):.1f}S"


def _iso(at: float) -> str:
    return datetime.fromtimestamp(at, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
