"""Triage: decode once in a pool process, strictest standing level first; decide; queue."""

import asyncio
from collections import Counter
from collections.abc import Callable, Iterable, Mapping, Sequence

from msgspec import structs

from gexdesk.engine.admission import Admission
from gexdesk.engine.came import Came
from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.escalate import Escalate
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.flow import Flow
from gexdesk.engine.gaps import GapLedger
from gexdesk.engine.gatekeeper import Gatekeeper, Judged, is_history
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.measure import Measure
from gexdesk.engine.parcel import wrapped
from gexdesk.engine.pool import Pool
from gexdesk.engine.precedent import Precedents
from gexdesk.engine.slices import in_slices
from gexdesk.engine.standing import Standing
from gexdesk.engine.tasks import LIVE_SYMBOLS, Head, Refused, Triaged, TriageTask
from gexdesk.engine.water import Water
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.rules import RuleSet
from gexdesk.guidelines.tally import Tally
from gexdesk.model.clock import Clock
from gexdesk.model.decision import Freshness
from gexdesk.model.errors import DecoderDied, GexdeskError, QueueAway
from gexdesk.model.exposure import ConventionBook
from gexdesk.model.job import Job
from gexdesk.model.level import Level
from gexdesk.model.payload import Payload
from gexdesk.model.text import printable
from gexdesk.queues.base import Queue
from gexdesk.stores.base import DecisionRecord, LiveValue, SymbolMinute

DEATHS_ALLOWED = 2
UNTRIAGED_PER_SOURCE = 100
AWAY_S = 0.2
WHOLE_AT_MOST = 5_000
"""With so many payloads under way small ones are only measured, so that their results do not fill the memory: 50 MB at most."""


class Triage:
    """Bring payloads from the spool into the queue.

    Payloads of one source are decided in the order they arrived, whatever order their decoding ends in: the previous
    snapshot is always the one before.
    """

    def __init__(
        self, *, pool: Pool, queue: Queue, ledger: Ledger, standing: Standing, keeper: Keeper, tally: Tally, flow: Flow,
        escalate: Escalate, chronicle: Chronicle, clock: Clock, rules: Callable[[], RuleSet],
        promises_s: Mapping[Level, float | None], conventions: ConventionBook, flights: Flights, gates: Gatekeeper,
        gaps: GapLedger, names: Mapping[str, str], came: Came | None, measure: Measure, admission: Admission,
        water: Water,
    ) -> None:  # fmt: skip
        self._pool = pool
        self._queue = queue
        self._ledger = ledger
        self._standing = standing
        self._keeper = keeper
        self._tally = tally
        self._flow = flow
        self._escalate = escalate
        self._chronicle = chronicle
        self._clock = clock
        self._rules = rules
        self._promises_s = promises_s
        self._conventions = conventions
        self._flights = flights
        self._gates = gates
        self._gaps = gaps
        self._names = dict(names)
        self._measure = measure
        self._came = came
        self._admission = admission
        self._water = water
        self._precedents = Precedents()
        self.decided: dict[str, Level] = {}
        self._last: dict[str, asyncio.Future[None]] = {}
        self._rooms: dict[str, asyncio.Semaphore] = {}
        self._tasks: set[asyncio.Task[None]] = set()

    async def room(self, source: str) -> None:
        """Wait until a source has few enough untriaged payloads, and the water is low enough for its level.

        Back pressure is per source, so none holds up another.
        """
        await self._water.room(source, self.turn(source))
        semaphore = self._room(source)
        await semaphore.acquire()
        semaphore.release()

    def take(self, flight: Flight) -> None:
        """Begin triage of a kept payload; returns at once."""
        source = flight.payload.source
        before, turn = self._last.get(source), asyncio.get_running_loop().create_future()
        task = asyncio.create_task(self._triage(flight, before, turn), name=f"triage-{flight.payload.payload_id}")
        self._last[source] = turn
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)
        task.add_done_callback(lambda _: _pass_on(turn))

    @property
    def undecided(self) -> int:
        """Return how many payloads are acknowledged and not queued yet."""
        return len(self._tasks)

    async def stop(self) -> None:
        """Drop what is not queued yet; it is in the spool and is triaged at the next start."""
        for task in list(self._tasks):
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def begin(self, minutes: Iterable[SymbolMinute]) -> None:
        """Let what earlier engines decided on be the symbols' history."""
        self._precedents.history.begin(minutes)

    def inherit(self, values: Iterable[LiveValue]) -> None:
        """Take readers' values for the snapshots before, where a source comes from another engine."""
        for value in values:
            self._precedents.inherit(value)
            self._gates.begin(value)

    def level_of(self, account: Account, now: float) -> Level:
        """Return the level a source's payloads have: override, else standing, else its last decision, else MEDIUM."""
        own = self.own_level(account)
        override = self._standing.override(account.name, now)
        return override.level if override is not None and override.moves(own) else own

    def turn(self, source: str) -> Level:
        """Return the level at which a source's payloads are taken in and decoded, before anybody knows what is in them."""
        return self._turn_of(self._ledger.adopt(source), self._clock.now())

    def own_level(self, account: Account) -> Level:
        """Return a source's level without any override."""
        return Level(account.standing) if account.standing in Level.__members__ else account.decided or Level.MEDIUM

    def _turn_of(self, account: Account, now: float) -> Level:
        """Return the level at which a source's payloads are decoded: also the strictest that a symbol it carries was given."""
        level = self.level_of(account, now)
        for key, override in self._standing.in_force(now).items():
            kind, _, symbol = key.partition(":")
            if kind == "symbol" and override.moves(level) and symbol in {*account.symbols, *account.seen_symbols}:
                raises = override.level.rank < level.rank
                if raises or {*account.symbols, *account.seen_symbols} == {symbol}:
                    level = override.level
        return level

    def _room(self, source: str) -> asyncio.Semaphore:
        return self._rooms.setdefault(source, asyncio.Semaphore(UNTRIAGED_PER_SOURCE))

    async def _triage(self, flight: Flight, before: asyncio.Future[None] | None, turn: asyncio.Future[None]) -> None:
        """Decode, decide and queue; ``turn`` is passed on once the queue is asked, so that its source's puts go in order."""
        account = self._ledger.adopt(flight.payload.source)
        async with self._room(account.name):
            try:
                first = self._came.first(flight) if self._came is not None else None
                found = await self._decode(flight, account)
                if before is not None and not before.done():
                    await asyncio.wait([before])
                if self._came is not None and first is not None and await self._came.before(flight, first):
                    return
                found = self._bounded(account, flight, found)
                if isinstance(found, Triaged):
                    flight.results = found.results or None
                    flight.triaged = found = structs.replace(found, results=())
                    job = await self._decided(flight, found, account)
                else:
                    job = self._undecided(flight, found, account)
            except Exception as error:
                # A fault of ours on this payload: it ends as a dead letter that says so, and the source goes on.
                fault = Refused("desk_fault", printable(f"a fault of the desk: {type(error).__name__}: {error}", 400), final=True)
                job = self._undecided(flight, fault, account)
            if self._water.set_aside(job, flight):
                return
            decided_at, parcels = self._clock.monotonic(), list[bytes]()
            while True:
                try:
                    if self._queue.shared and not parcels:  # other hosts work on the queue, too: the payload travels with its job
                        parcels = [await wrapped(flight)]
                    asyncio.get_running_loop().call_soon(_pass_on, turn)  # the next one's is asked for after this one's
                    await self._queue.put([job], parcels, ready=flight.results is not None)
                    self._measured(flight, job, decided_at)
                    self._flow.entered(job.level)
                    self._escalate.watch(job)
                    return
                except QueueAway:
                    await self._clock.sleep(AWAY_S)  # it has tried for a while; an incident says so, and the payload is safe
                except GexdeskError as error:
                    # The journal cannot be written (a full disk): the payload is safe in the spool, so wait for room.
                    self._chronicle.tell("engine", f"queue: {error.message}; trying again", grave=True)
                    await self._clock.sleep(1.0)

    def _measured(self, flight: Flight, job: Job, decided_at: float) -> None:
        """Tell what the way of a CRITICAL payload took so far; of one that an earlier engine kept nobody knows."""
        flight.queued_at = self._clock.monotonic()
        if job.level is not Level.CRITICAL or flight.kept_at is None:
            return
        self._measure.sorted_out(decided_at - flight.kept_at)
        self._measure.committed(flight.queued_at - decided_at)
        waited_s = self._clock.monotonic() - flight.kept_at
        self._measure.received(max(0.0, self._clock.now() - flight.payload.received_at - waited_s))

    async def _decode(self, flight: Flight, account: Account) -> Triaged | Refused:
        task = TriageTask(
            ref=flight.ref,
            format=account.format or None,
            time_shift_s=flight.payload.time_shift_s,
            conventions=self._conventions,
            columns_path=flight.columns_path,
            whole=flight.columns_path is None and len(self._flights) < WHOLE_AT_MOST,
            received_at=None if flight.historical(account) else flight.payload.received_at,
            delay_s=account.configured_delay_s,
            names=self._names,
        )
        while True:
            try:
                reply = await self._pool.run(task, self._turn_of(account, self._clock.now()))
            except DecoderDied as error:
                flight.deaths += 1
                if flight.deaths >= DEATHS_ALLOWED:
                    return Refused(kind=error.kind, message=f"{error.message}; it happened {flight.deaths} times", final=True)
                continue
            if isinstance(reply, Refused) and not reply.final:
                return Refused(kind=reply.kind, message=reply.message, final=False)
            if not isinstance(reply, Triaged | Refused):
                raise TypeError(f"a triage task was answered by {type(reply).__name__}")
            return reply

    def _bounded(self, account: Account, flight: Flight, found: Triaged | Refused) -> Triaged | Refused:
        """Refuse live symbols beyond those that one source may bring; those it brings already go on."""
        if not isinstance(found, Triaged) or is_history(account, flight.payload):
            return found
        new = {head.symbol for head in found.heads} - account.seen_symbols
        if not new or len(account.seen_symbols) + len(new) <= LIVE_SYMBOLS:
            return found
        brought = f"{account.name} has brought {len(account.seen_symbols):,} symbols live"
        words = f"{brought}, and {LIVE_SYMBOLS:,} are the most: {min(new)}"
        more = f" and {len(new) - 1:,} more are" if len(new) > 1 else " is"
        return Refused("oversize_payload", printable(f"{words}{more} refused until the engine starts anew", 400), final=True)

    async def _decided(self, flight: Flight, found: Triaged, account: Account) -> Job:
        payload, now = flight.payload, self._clock.now()
        lead = max(found.heads, key=lambda head: head.as_of)
        stamped_at = min(lead.as_of, payload.received_at)  # a stamp in the future would make every successor the older one
        account.delay_s = account.delay_of(lead.delay_s)
        account.seen_symbols.update(head.symbol for head in found.heads)
        beside = payload.asked is not None and is_history(account, payload)  # history that a request brought: no word of its feed
        if not beside:
            account.stamped(lead.symbol, stamped_at)
        flight.judged = tuple([self._judged(account, head, payload) async for head in in_slices(found.heads)])
        self._tell_held(flight.judged, account, payload)
        held = flight.judged[found.heads.index(lead)].verdict.held
        features = self._precedents.features(account, lead, now, payload.asked, held=held)
        symbol = lead.symbol if all(head.symbol == lead.symbol for head in found.heads) else ""
        rules, override = self._rules(), self._standing.governing(payload.payload_id, symbol, account.name, now)
        decision = decide(features, rules, at=now)
        if not beside:
            account.decided = self.decided[lead.symbol] = decision.level
        decided, decided_score = decision.level, decision.score
        if override is not None and override.moves(decision.level):
            decision = decide(features, rules, override, at=now)
        if decision.level is Level.CRITICAL:
            self._admission.came(account.name)
        flight.decision, flight.decided_at = decision, flight.now(self._clock)
        self._tally.record(features, decision, now, lead.as_of)
        self._keeper.decision(DecisionRecord(payload.payload_id, now, features, decision))
        words = f"{lead.symbol} {decision.level} {decision.score:.2f} {decision.winner} ({account.name})"
        request = payload.asked.request_id if payload.asked is not None else ""
        self._chronicle.tell("decision", words, job=payload.payload_id, request=request)
        promise_s = self._promises_s[decision.level]
        return Job(
            job_id=payload.payload_id,
            source=account.name,
            # Without a symbol a job is never conflated: a document of several symbols has no single successor.
            symbol=symbol,
            level=decision.level,
            score=decision.score,
            freshness=decision.freshness,
            received_at=payload.received_at,
            as_of=stamped_at,
            deadline_at=None if promise_s is None else payload.received_at + promise_s,
            note="override" if decision.override is not None else "",
            decided=decided,
            decided_score=decided_score,
        )

    def _judged(self, account: Account, head: Head, payload: Payload) -> Judged:
        """Ask the checks, and tell the ledger of gaps that something came."""
        judged = self._gates.judge(account, head, payload)
        if not is_history(account, payload):
            self._gaps.heard(account, head.symbol, payload.received_at)
        return judged

    def _tell_held(self, all_judged: Sequence[Judged], account: Account, payload: Payload) -> None:
        """Tell once a symbol what the checks held back of a payload, which may be a day of snapshots."""
        held = [judged for judged in all_judged if judged.verdict.held]
        for symbol, count in Counter(judged.facts.symbol for judged in held).items():
            newest = next(judged for judged in reversed(held) if judged.facts.symbol == symbol)
            many = f" ({count} snapshots of this payload; of the last)" if count > 1 else ""
            words = f"{symbol} of {account.name} held back{many}: {printable(newest.verdict.words, 160)}"
            self._chronicle.tell("source", words, grave=True, job=payload.payload_id)

    def _undecided(self, flight: Flight, refused: Refused, account: Account) -> Job:
        """Return the job that carries a refused payload to the dead letters, at its source's level."""
        flight.refused = refused
        level = self.level_of(account, self._clock.now())
        return Job(
            job_id=flight.payload.payload_id,
            source=account.name,
            symbol="",
            level=level,
            score=level.band[0],
            freshness=Freshness.STALE,
            received_at=flight.payload.received_at,
            as_of=flight.payload.received_at,
            deadline_at=None,
            note="refused at triage",
        )


def _pass_on(turn: asyncio.Future[None]) -> None:
    if not turn.done():
        turn.set_result(None)
