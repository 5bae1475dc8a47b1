"""Schedules: overrides with a calendar, armed and ended on time, shown before and warned of."""

import asyncio
from collections.abc import Sequence
from datetime import datetime

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.keep import Keeper
from gexdesk.engine.levers.levels import LevelLevers
from gexdesk.engine.levers.record import Record
from gexdesk.engine.levers.targets import Target
from gexdesk.engine.standing import Armed, Standing
from gexdesk.model.clock import Clock
from gexdesk.model.daytime import DaySpan
from gexdesk.model.decision import Bound, Override
from gexdesk.model.errors import GexdeskError
from gexdesk.model.level import Level
from gexdesk.model.market import NEW_YORK, is_trading_day, new_york_date
from gexdesk.model.view.override import ScheduleView
from gexdesk.stores.base import OverrideRecord

ACTOR = "schedule"
LOOK_S = 0.5
"""How often the clock is looked at, where nothing is due before: a clock that is set is noticed within this."""
WARN_S = 60.0
"""How long before its end a schedule says so, or half its length where that is shorter."""
AHEAD_DAYS = 370


class Schedule(Struct, frozen=True):
    """Hold one override with a calendar.

    Attributes:
        span: New York; its date is the one on which it begins.
        weekdays: 0 for Monday to 6; empty where only dates count.
        dates: Days since 1970-01-01.
        trading_days: Only on days on which the exchange trades.
    """

    name: str
    target: Target
    level: Level
    bound: Bound
    reason: str
    span: DaySpan
    weekdays: frozenset[int]
    dates: frozenset[int]
    trading_days: bool = True

    def on(self, day: int) -> bool:
        """Say whether it begins on a date."""
        named = day in self.dates or (day + 3) % 7 in self.weekdays  # 1970-01-01 was a Thursday
        return named and (not self.trading_days or is_trading_day(day))

    def occurrence(self, now: float) -> tuple[float, float] | None:
        """Return begin and end of the occurrence that is on, else of the next one; None where no further day is named."""
        today = new_york_date(now)
        for day in range(today - 1, today + AHEAD_DAYS):
            if self.on(day) and (times := self.span.on(day))[1] > now:
                return times
        return None

    @property
    def words(self) -> str:
        """Name its level as a screen does."""
        return str(self.level) if self.bound is Bound.EXACTLY else f"{self.bound} {self.level}"


class _Stands(Struct):
    """Follow one schedule.

    Attributes:
        times: Of the occurrence that is on or the next one.
        override: What it armed last.
        failing: Its last turn failed, which was told.
    """

    schedule: Schedule
    times: tuple[float, float] | None = None
    armed: bool = False
    override: Override | None = None
    warned: bool = False
    failing: bool = False


class Schedules:
    """Arm and end overrides by the clock. Of two schedules on one target the one named first is armed.

    Args:
        turn: The operators' own: nothing is armed in the middle of a lever.
    """

    def __init__(
        self, schedules: Sequence[Schedule], *, standing: Standing, levels: LevelLevers, keeper: Keeper, record: Record,
        chronicle: Chronicle, clock: Clock, turn: asyncio.Lock,
    ) -> None:  # fmt: skip
        self._stands = [_Stands(schedule) for schedule in schedules]
        self._standing = standing
        self._levels = levels
        self._keeper = keeper
        self._record = record
        self._chronicle = chronicle
        self._clock = clock
        self._turn = turn
        self._unmoved: set[str] = set()
        self._task: asyncio.Task[None] | None = None

    async def start(self) -> None:
        """Arm what is on already, so that nothing is decided without it; end what ended meanwhile; then follow the clock.

        Queued jobs are moved once the queue answers.
        """
        if self._stands:
            self._unmoved = {stands.schedule.target.key for stands in self._stands}  # also those of what has ended meanwhile
            await self._look()
            self._task = asyncio.create_task(self._run(), name="schedules")

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return () if self._task is None else (self._task,)

    async def stop(self) -> None:
        """Stop; what is armed is armed again by the next start."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        for stands in self._stands:
            if stands.armed:
                self._keep(stands, ended_at=self._clock.now())  # without an engine it holds nothing

    def views(self, now: float) -> tuple[ScheduleView, ...]:
        """Show every schedule, in the configuration's order."""
        return tuple(self._view(stands, now) for stands in self._stands)

    async def _run(self) -> None:
        while True:
            now = self._clock.now()
            soon = [at - now for stands in self._stands for at in stands.times or () if at > now]
            await self._clock.sleep(min([LOOK_S, *soon]))
            await self._look()

    async def _look(self) -> None:
        for stands in self._stands:
            try:
                await self._follow(stands, self._clock.now())
                await self._move(stands.schedule)
            except (GexdeskError, OSError) as error:
                if not stands.failing:
                    self._chronicle.tell("engine", f"schedule {stands.schedule.name}: {error}; trying again", grave=True)
                stands.failing = True
            else:
                stands.failing = False

    async def _follow(self, stands: _Stands, now: float) -> None:
        schedule = stands.schedule
        if stands.armed and (stands.times is None or now >= stands.times[1] or now < stands.times[0]):
            await self._end(stands)
        if stands.times is None or now >= stands.times[1] or stands.times[0] - now > 86_400.0:
            stands.times, stands.warned = schedule.occurrence(now), False
        if stands.times is None:
            return
        begins_at, ends_at = stands.times
        skipped = self._standing.skips(schedule.name, ends_at)
        if stands.armed and (skipped or schedule.target.key not in self._standing.armed):
            stands.armed = False  # an operator cleared it, which is in the audit as the operator's act, or could not after all
            self._keep(stands, ended_at=now)
        elif begins_at <= now < ends_at and not stands.armed and not skipped and schedule.target.key not in self._standing.armed:
            await self._arm(stands, begins_at, ends_at)
        elif stands.armed and not stands.warned and ends_at - now <= min(WARN_S, (ends_at - begins_at) / 2):
            stands.warned = True
            words = f"schedule {schedule.name} ends at {_clock_time(ends_at)}: {schedule.target} goes back then"
            self._chronicle.tell("lever", words, grave=True)

    def _keep(self, stands: _Stands, ended_at: float | None = None) -> None:
        """Record the override of the occurrence that is on: set, or ended."""
        if stands.override is not None:
            target = stands.schedule.target
            self._keeper.override(OverrideRecord(target.kind, target.name, stands.override, ended_at))

    async def _arm(self, stands: _Stands, begins_at: float, ends_at: float) -> None:
        schedule, key = stands.schedule, stands.schedule.target.key
        async with self._turn:
            own = self._standing.own(key)
            after = f"{schedule.words} until {_clock_time(ends_at)}"
            if own is not None:
                after += f", once the override by {own.author} has ended"
            await self._record.add(
                actor=ACTOR, act="armed", target=str(schedule.target), reason=_reason(schedule), before="", after=after
            )
            # Since its begin by the calendar: an engine that was started anew within it goes on with the same record.
            stands.override = Override(
                schedule.level, f"{ACTOR} {schedule.name}", schedule.reason, since=begins_at, until=ends_at, bound=schedule.bound
            )
            self._standing.armed[key] = Armed(schedule.name, stands.override)
            stands.armed = True
            self._keep(stands)
            self._unmoved.add(key)
        self._chronicle.tell("lever", f"schedule {schedule.name}: {schedule.target} is {after}")

    async def _end(self, stands: _Stands) -> None:
        schedule, key = stands.schedule, stands.schedule.target.key
        async with self._turn:
            if key in self._standing.armed:
                await self._record.add(
                    actor=ACTOR, act="ended", target=str(schedule.target), reason=_reason(schedule), before=schedule.words,
                    after="as the guidelines decide",
                )  # fmt: skip
                self._unmoved.add(key)
            self._standing.armed.pop(key, None)
            stands.armed = False
            self._keep(stands, ended_at=self._clock.now())
        self._chronicle.tell("lever", f"schedule {schedule.name} ended")

    async def _move(self, schedule: Schedule) -> None:
        """Move the queued jobs of a target whose override was armed or ended; what it governs from now on waits for no queue."""
        key = schedule.target.key
        if key in self._unmoved:
            async with self._turn:
                moved = await self._levels.apply_schedule(key)
                self._unmoved.discard(key)
            if moved:
                self._chronicle.tell("lever", f"schedule {schedule.name}: {moved} queued jobs of {schedule.target} moved")

    def _view(self, stands: _Stands, now: float) -> ScheduleView:
        schedule, times = stands.schedule, stands.times
        armed = self._standing.armed.get(schedule.target.key)
        return ScheduleView(
            name=schedule.name,
            kind=schedule.target.kind,
            target=schedule.target.name,
            words=schedule.words,
            reason=schedule.reason,
            arms_at=times[0] if times is not None else None,
            ends_at=times[1] if times is not None else None,
            in_force=armed is not None and armed.schedule == schedule.name and (armed.override.until or 0.0) > now,
            skipped=times is not None and self._standing.skips(schedule.name, times[1]),
        )


def _reason(schedule: Schedule) -> str:
    return f"{schedule.name}: {schedule.reason}"


def _clock_time(at: float) -> str:
    return f"{datetime.fromtimestamp(at, NEW_YORK):%H:%M:%S} New York"
