"""Set the wall clock under a running engine: by an hour, by seconds, both ways, and let it drift.

No lease may run out for it, nothing may be lost, done twice or counted as late, no feed be called silent, and whoever looks is told
that the clock was set. The engine is the assembled one, on a clock whose wall time is set while its seconds go on as they do; its
queue is the embedded one. Leases in Redis go by the clock of Redis's host, which is set as well, alone and with the engine's.
"""

import asyncio
import tempfile
from pathlib import Path
from typing import NamedTuple

from gexdesk.engine.leases import Leases
from gexdesk.engine.publish import Publish
from gexdesk.guidelines.rules import DEFAULT_FILE
from gexdesk.model.job import Job
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.view.incident import IncidentView
from tests.contracts.queue_setting import job
from tests.engine.clocked_desk import BEGINS_AT, ClockedDesk, clocked, fed
from tests.engine.desk_setting import parts_of, rows
from tests.moments.market import SPX
from tests.queues.redis_setting import RedisSetting
from tests.queues.valkey_server import ValkeyServer
from tests.until import until
from tests.virtual_clock import VirtualClock

STEPS_S = (3600.0, -3600.0, 5.0)
FULL_STEPS_S = (*STEPS_S, -5.0, 30.0, -30.0, 86_400.0, -86_400.0, 2.5, -2.5, 600.0, -600.0)
DRIFTS = (0.01, -0.01)
"""Seconds a second: twenty times what a time service slews by."""

ALL_IS_CRITICAL = '[[guideline]]\nname = "all"\nlevel = "CRITICAL"\nwhen = "data_age_s < 1000000"\n'
EVERY_S = 5.0
LEASE_S = 5.0
HELD_S = 12.0
"""So long each document is in hand: more than two leases."""

SETTLES_S = 75.0
"""After this an incident about a clock that was set is over."""


class SetClock(VirtualClock):
    """Let its wall time be set, and drift; what sleeps and what is measured goes by its own seconds.

    Attributes:
        ahead_s: Of the true time.
        drift: Seconds that it gains in each.
    """

    def __init__(self, now: float) -> None:
        super().__init__(now)
        self.ahead_s = 0.0
        self.drift = 0.0

    def now(self) -> float:
        """Return what it shows: UTC seconds since the epoch, and wrong."""
        return self.true() + self.ahead_s

    def true(self) -> float:
        """Return the true time."""
        return super().now()

    async def advance(self, seconds: float) -> None:
        """Let time go by, in steps of a second while it drifts."""
        while self.drift and seconds > 0:
            step_s = min(seconds, 1.0)
            await super().advance(step_s)
            self.ahead_s += self.drift * step_s
            seconds -= step_s
        await super().advance(seconds)


class Outcome(NamedTuple):
    """Count what the clock did.

    Attributes:
        set_times: How often it was set under the engine, with documents in hand, and how often it drifted for a minute.
        false_expiries: Jobs that were begun more than once.
        late: Promises that were counted as missed; none was.
        wrong_latencies: Of the record, more than a second from the true ones.
        stood_still: Times after which readers got nothing newer within two intervals.
        told_s: From the setting to the incident, the longest; ``untold`` times it never came.
        told_wrongly: Incidents of any other kind, and such of a drift.
        redis_steps: How often the clock of Redis was set under held leases, alone or together with the engine's.
        redis_false_expiries: Leases that ran out there although they were renewed.
        redis_stuck: Leases of a dead worker that did not run out in time afterwards.
    """

    set_times: int
    documents: int
    in_hand: int
    false_expiries: int
    lost: int
    twice: int
    late: int
    wrong_latencies: int
    stood_still: int
    told_s: float
    untold: int
    told_wrongly: tuple[str, ...]
    redis_steps: int = 0
    redis_false_expiries: int = 0
    redis_stuck: int = 0

    @property
    def sound(self) -> bool:
        """Say whether the clock changed nothing but what it shows."""
        wrong = self.false_expiries + self.lost + self.twice + self.late + self.wrong_latencies + self.stood_still + self.untold
        redis = self.redis_false_expiries + self.redis_stuck
        enough = self.in_hand >= self.set_times > 0 and self.redis_steps > 0
        return not (wrong or redis or self.told_wrongly) and self.told_s <= 2.0 and enough


def run(full: bool) -> Outcome:
    """Set it."""
    steps = FULL_STEPS_S if full else STEPS_S
    with tempfile.TemporaryDirectory() as folder:
        engine = asyncio.run(_Life(Path(folder) / "state").through(steps, DRIFTS if full else DRIFTS[:1]))
    server = ValkeyServer()
    try:
        set_times, false_expiries, stuck = asyncio.run(_redis(server, steps))
    finally:
        server.close()
    return engine._replace(redis_steps=set_times, redis_false_expiries=false_expiries, redis_stuck=stuck)


class _Life:
    def __init__(self, state: Path) -> None:
        self._state = state
        self._clock = SetClock(BEGINS_AT)
        self._sent = 0
        self._received: dict[str, float] = {}
        self._true_s: dict[str, float] = {}
        self._in_hand = 0
        self._stood_still = 0
        self._told: list[float] = []
        self._untold = 0
        self._wrongly: list[str] = []

    async def through(self, steps: tuple[float, ...], drifts: tuple[float, ...]) -> Outcome:
        """Set the clock again and again; feeds send and documents are in hand throughout."""
        self._state.mkdir(mode=0o700)
        rules = self._state.parent / "rules.toml"
        rules.write_text(DEFAULT_FILE.read_text("utf-8").partition("[[guideline]]")[0] + ALL_IS_CRITICAL)
        settings = {
            "guidelines": str(rules), "sources": [fed("feed", "SPX", EVERY_S)], "symbols": [{"name": "SPX", "session": "always"}],
            "engine": {"lease_s": LEASE_S, "sweep_s": 1.0},
        }  # fmt: skip
        async with clocked(self._state, clock=self._clock, **settings) as desk:
            self._hold(parts_of(desk.engine).endings._publish)
            await self._send(desk, 30.0)
            for step_s in steps:
                await self._set(desk, step_s)
            for drift in drifts:
                self._clock.drift = drift
                await self._send(desk, 60.0)
                self._clock.drift = 0.0
                self._wrongly += [f"{one.kind} while it drifted" for one in _open(desk)]
            await self._send(desk, 2 * HELD_S, quiet=True)
            await desk.stored()
            promises = parts_of(desk.engine).promises
            late = promises.total - promises.kept + (self._sent - promises[Level.CRITICAL].latency.count)
        found = rows("SELECT job_id, status, attempts, epoch(received_at) AS received, epoch(available_at) AS available FROM jobs",
                     self._state)  # fmt: skip
        done = [row for row in found if row["status"] == "COMPLETED"]
        return Outcome(
            set_times=len(steps) + len(drifts),
            documents=self._sent,
            in_hand=self._in_hand,
            false_expiries=sum(row["attempts"] > 1 for row in found),
            lost=self._sent - len({row["job_id"] for row in done}),
            twice=len(found) - len({row["job_id"] for row in found}),
            late=late,
            wrong_latencies=sum(abs(row["available"] - row["received"] - self._true_s[row["job_id"]]) > 1.0 for row in done),
            stood_still=self._stood_still,
            told_s=max(self._told, default=0.0),
            untold=self._untold,
            told_wrongly=tuple(sorted(set(self._wrongly))),
        )

    async def _decided(self, desk: ClockedDesk) -> bool:
        await self._clock.settle()
        return all(flight.judged or flight.refused for flight in parts_of(desk.engine).flights.own())

    def _hold(self, publish: Publish) -> None:
        """Keep each document in hand for a while, and write down how long it truly took."""
        put_before = publish.publish

        async def held(job: Job, *more: object) -> float:
            await self._clock.sleep(HELD_S)
            at = await put_before(job, *more)  # type: ignore[arg-type]
            self._true_s[job.job_id] = self._clock.true() - self._received[job.job_id]
            return at

        publish.publish = held  # type: ignore[method-assign, assignment]

    async def _set(self, desk: ClockedDesk, step_s: float) -> None:
        self._in_hand += parts_of(desk.engine).leases.held
        self._clock.ahead_s += step_s
        at, told_at = self._clock.true(), 0.0
        while self._clock.true() < at + 3.0 and not told_at:
            await desk.clock.advance(0.1)
            told_at = self._clock.true() if any(one.kind == "clock_jump" for one in _open(desk)) else 0.0
        self._untold += not told_at
        self._told.append(told_at - at if told_at else 0.0)
        before = desk.live("SPX").changed_at
        await self._send(desk, HELD_S + 2 * EVERY_S)
        self._stood_still += desk.live("SPX").changed_at <= before
        await self._send(desk, SETTLES_S)
        self._wrongly += [f"{one.kind} after {step_s:+g} s: {one.text}" for one in _open(desk)]

    async def _send(self, desk: ClockedDesk, seconds: float, *, quiet: bool = False) -> None:
        """Let time go by; the feed's own clock is right."""
        parts, ends_at = parts_of(desk.engine), self._clock.true() + seconds
        while self._clock.true() < ends_at:
            if not quiet:
                known = {flight.payload.payload_id for flight in parts.flights.own()}
                await desk.feeds["feed"].give(SPX.gexbot(self._clock.true()))
                self._sent += 1
                for flight in parts.flights.own():
                    if flight.payload.payload_id not in known:
                        self._received[flight.payload.payload_id] = self._clock.true()
                await until(lambda: self._decided(desk), every_s=0.001)  # a process has its own time
            for _ in range(int(EVERY_S)):
                await desk.clock.advance(1.0)
            if not quiet:
                self._wrongly += [f"{one.kind}: {one.text}" for one in _open(desk) if one.kind != "clock_jump"]


def _open(desk: ClockedDesk) -> list[IncidentView]:
    view = parts_of(desk.engine).picture.take("")
    return [one for one in view.incidents if one.state not in ("closed", "resolved")]


async def _redis(server: ValkeyServer, steps: tuple[float, ...]) -> tuple[int, int, int]:
    """Set the clock of Redis's host while one job's lease is renewed and another's worker has died."""
    false = stuck = 0
    for together in (False, True):
        for step_s in steps:
            setting = RedisSetting(server)
            clock = setting.clock = SetClock(setting.now())
            queue = await setting.open()
            rescued: list[Job] = []
            leases = Leases(queue, clock, lease_s=LEASE_S, sweep_s=1.0, on_rescue=rescued.extend)
            leases.start()
            await queue.put([job("renewed"), job("left")])
            renewed = await queue.claim("w", LEVELS, LEASE_S)
            assert renewed is not None
            leases.hold(renewed)
            await _passes(setting, leases, 6.0)
            assert await queue.claim("dead", LEVELS, LEASE_S) is not None
            setting.step(step_s)
            clock.ahead_s += step_s if together else 0.0
            await _passes(setting, leases, LEASE_S - 1.0)
            false += len(rescued)
            await _passes(setting, leases, 6.0)
            false += any(one.job_id == renewed.job.job_id for one in rescued)
            stuck += all(one.job_id == renewed.job.job_id for one in rescued)
            await leases.stop()
            await queue.close()
            await setting.end()
    return 2 * len(steps), false, stuck


async def _passes(setting: RedisSetting, leases: Leases, seconds: float) -> None:
    for _ in range(int(seconds / 0.25)):
        await setting.pass_time(0.25)
        await asyncio.sleep(0.002)  # the server has its own time
