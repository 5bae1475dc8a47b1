"""A desk of the tests: serves the views it is given, and keeps the levers that are pulled."""

import asyncio
from collections.abc import AsyncIterator, Callable
from typing import Any

from msgspec.structs import replace

from gexdesk.model.errors import EngineAway, GexdeskError, UnknownTarget
from gexdesk.model.level import DEFAULT_PROMISE_S, LEVELS, Level
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.guideline import GuidelineView
from gexdesk.model.view.incident import IncidentView
from gexdesk.model.view.level import HISTOGRAM_EDGES_S, LevelView
from gexdesk.model.view.log import LogLine
from gexdesk.model.view.override import OverrideView
from gexdesk.model.view.source import SourceView
from gexdesk.model.view.symbol import SymbolView

AT = 1_795_444_877.0
"""Monday 23 November 2026, 09:41:17 in New York."""


def a_level(level: Level, **changes: Any) -> LevelView:
    """Return a level as a busy open shows it."""
    place = level.rank
    spread = [0] * (len(HISTOGRAM_EDGES_S) + 1)
    for i, n in enumerate((3, 40, 310, 800, 420, 60, 9, 1)):
        spread[3 + 4 * place + i] = n
    values: dict[str, Any] = {
        "level": level,
        "promise_s": DEFAULT_PROMISE_S[level],
        "depth": (3, 41, 212, 1904)[place],
        "trend": tuple((i * 7 % 11 + i // 8) * (1, 4, 20, 150)[place] // 4 for i in range(120)),
        "paused": 0,
        "delayed": 0,
        "processing": 2,
        "oldest_received_at": AT - (0.2, 3.8, 41.0, 731.0)[place],
        "in_per_s": (4.1, 22.0, 35.2, 8.8)[place],
        "out_per_s": (4.1, 24.7, 31.0, 6.0)[place],
        "drain_s": (0.0, 15.2, None, None)[place],
        "count": 1643,
        "histogram": tuple(spread),
        "p50_s": (0.041, 0.088, 1.2, 190.0)[place],
        "p95_s": (0.2, 1.1, 20.0, 700.0)[place],
        "p99_s": (0.31, 1.9, 38.0, 840.0)[place],
        "max_s": (2.1, 6.0, 44.0, 905.0)[place],
        "mean_s": (0.06, 0.2, 3.0, 220.0)[place],
        "within_promise": 1643,
    }
    return LevelView(**(values | changes))


def a_source(name: str = "cboe-spx", **changes: Any) -> SourceView:
    """Return a source that is well."""
    values: dict[str, Any] = {
        "name": name,
        "kind": "http",
        "carries": name.partition("-")[2].upper() or "SPX",
        "state": "live",
        "standing": "auto",
        "level": Level.HIGH,
        "why": "decided",
        "override": "",
        "override_by": "",
        "override_reason": "",
        "override_until": None,
        "paused_by": "",
        "paused_reason": "",
        "queued": 4,
        "last_at": AT - 7.0,
        "due_s": 15.0,
        "delay_s": 900.0,
        "rate_per_min": 4,
        "errors_5m": 0,
        "received": 512,
        "completed": 508,
        "dead": 0,
        "requests": 512,
        "successes": 512,
        "last_error": "",
        "last_refusal": "",
        "revision": 3,
    }
    return SourceView(**(values | changes))


def a_symbol(symbol: str = "SPX", **changes: Any) -> SymbolView:
    """Return a symbol that is well served."""
    values: dict[str, Any] = {
        "symbol": symbol,
        "served_by": f"cboe-{symbol.lower()}",
        "level": Level.HIGH,
        "why": "rules",
        "as_of": AT - 7.4,
        "delay_s": 900.0,
        "changed_at": AT - 22.0,
        "available_at": AT - 7.0,
        "added_s": 0.21,
        "spot": 6471.25,
        "net_gex": -3.2e9,
        "gross_gex": 11.9e9,
        "zero_gamma": 6455.0,
        "call_wall": 6500.0,
        "put_wall": 6300.0,
        "coverage": 0.994,
        "check": "ok",
    }
    return SymbolView(**(values | changes))


TICKERS = ("SPX", "NDX", "QQQ", "SPY", "VIX", "RUT", "AAPL", "NVDA", "TSLA", "AMD", "META", "MSFT", "AMZN", "GOOG", "NFLX", "IWM")


def some_sources() -> tuple[SourceView, ...]:
    """Return eighteen sources: most are well, one fails, one is paused, one is overridden, one is unassigned."""
    event = {"override_by": "jm", "override_reason": "event", "override_until": AT + 900.0, "why": "override", "revision": 4}
    event |= {"override": "at least CRITICAL"}
    folder = {"kind": "directory", "due_s": None, "delay_s": 0.0, "rate_per_min": 0}
    empty = {"last_at": None, "requests": 0, "successes": 0, "received": 0, "completed": 0, "queued": 0}
    first = (
        a_source(
            "gexbot-spx", kind="websocket", due_s=1.0, delay_s=0.0, last_at=AT - 0.9, rate_per_min=58, level=Level.CRITICAL, **event
        ),
        a_source(
            "cboe-qqq",
            state="failing",
            last_at=AT - 42.0,
            errors_5m=6,
            requests=210,
            successes=204,
            level=Level.LOW,
            last_error="503 Service Unavailable, breaker open, probe in 18 s",
        ),
        a_source(
            "backfill",
            carries="NDX 2025",
            state="paused",
            paused_by="jm",
            paused_reason="peak",
            standing="LOW",
            level=Level.LOW,
            why="standing",
            queued=1310,
            last_at=AT - 700.0,
            **folder,
        ),
        a_source("files", carries="-", state="unassigned", standing="", level=None, why="", **folder, **empty),
    )
    others = [t for t in TICKERS if t != "QQQ"]
    rest = (a_source(f"cboe-{t.lower()}", last_at=AT - 2.0 - i, level=LEVELS[1 + i % 3]) for i, t in enumerate(others))
    return (*first, *rest)


def a_view(**changes: Any) -> DeskView:
    """Return a busy desk, with anything changed."""
    symbols = tuple(
        a_symbol(t, as_of=AT - 2.4 - i, net_gex=(-3.2 + 0.7 * i) * 1e9, level=LEVELS[1 + i % 3])
        for i, t in enumerate(TICKERS)
    )
    prompt = {"delay_s": 0.0, "as_of": AT - 1.1, "changed_at": AT - 3.0}
    served = a_symbol("SPX", served_by="gexbot-spx", level=Level.CRITICAL, why="override", **prompt)
    values: dict[str, Any] = {
        "sequence": 1,
        "engine_id": "e1",
        "taken_at": AT,
        "since": AT - 690.0,
        "mode": "live",
        "session": "regular, closes in 6 h 18 m",
        "session_ends_at": AT + 22_723.0,
        "levels": tuple(a_level(level) for level in LEVELS),
        "sources": some_sources(),
        "symbols": (served, *symbols[1:2], replace(symbols[2], check="silent", net_gex=None), *symbols[3:]),
        "guidelines": (
            GuidelineView("high-large-realtime", Level.CRITICAL, 4, 61, "SPX", AT - 3.0),
            GuidelineView("high-realtime", Level.HIGH, 22, 410, "NDX", AT - 0.2),
            GuidelineView("medium-large-fresh", Level.HIGH, 9, 120, "AMD", AT - 2.0),
            GuidelineView("medium-fresh", Level.MEDIUM, 31, 980, "AAPL", AT - 1.0),
            GuidelineView("stale", Level.LOW, 64, 2210, "IWM", AT - 0.4),
        ),
        "guidelines_version": "v14 jm 09:12",
        "unmatched": 2,
        "conflicts": 0,
        "log": (
            LogLine(1, AT - 72.0, "dead", "gexbot-spx dead letter: truncated at byte 8,112", True),
            LogLine(2, AT - 41.0, "incident", "41 opened: cboe-qqq silent", True),
            LogLine(3, AT - 15.0, "lever", 'jm gexbot-spx CRITICAL to 09:56 "event": 3 jobs moved'),
            LogLine(4, AT - 1.0, "decision", "SPX CRITICAL 0.97 high-large-realtime: impact high, change 0.14, age 1.2 s"),
        ),
        "incidents": (
            IncidentView(38, 1, "NDX", "numbers frozen for 6 m, stamps go on", AT - 360.0, None, "compare with another source"),
            IncidentView(41, 2, "cboe-qqq", "silent: due each 15 s, 503 x6", AT - 42.0, None, "wait for the probe in 18 s"),
            IncidentView(37, 1, "disk", "2 GB left", AT - 300.0, AT - 20.0, ""),
        ),
        "received": 4021,
        "completed": 3790,
        "dead": 1,
        "in_flight": 6,
        "undecided": 310,
        "storing": 12,
        "bytes_received": 812_000_000,
        "promises_kept": 1284,
        "promises_total": 1284,
        "worst_critical_s": 2.1,
        "stopped": False,
        "store_lag_s": 0.3,
    }
    held = (
        OverrideView("source", s.name, s.override, s.override_by, s.override_reason, AT - 60.0, s.override_until, s.revision)
        for s in (values | changes)["sources"]
        if s.override
    )
    return DeskView(**({"overrides": tuple(held)} | values | changes))


class FakeDesk:
    """Serve scripted views and keep the levers.

    Args:
        views: The first views to serve, at once; ``push`` serves more.
    """

    def __init__(self, *views: DeskView) -> None:
        self.held = list(views)
        self.pulled: list[Lever] = []
        self.asked: list[Lever] = []
        self.stopped = 0
        self.refusal: Callable[[Lever], GexdeskError | None] = lambda lever: None
        self.answering = asyncio.Event()
        self.answering.set()
        self.answers: dict[type[Look[Any]], Any] = {}
        self._news = asyncio.Event()
        self._away = ""
        self._error: Exception | None = None

    def push(self, view: DeskView) -> None:
        """Serve one more view."""
        self.held.append(view)
        self._news.set()

    def lose(self, reason: str = "the socket is closed", error: Exception | None = None) -> None:
        """End every stream of views as a lost engine does, or with another error."""
        self._away, self._error = "" if error is not None else reason, error
        self._news.set()

    async def view(self) -> DeskView:
        """Return the newest view."""
        return self.held[-1]

    async def views(self) -> AsyncIterator[DeskView]:
        """Yield views as they are pushed."""
        served = 0
        while True:
            while served < len(self.held):
                yield self.held[served]
                served += 1
            await self._news.wait()
            self._news.clear()
            if self._error is not None:
                error, self._error = self._error, None
                raise error
            if self._away:
                reason, self._away = self._away, ""
                raise EngineAway(reason)

    async def look(self, question: Look[Seen]) -> Seen:
        """Give the answer that was laid ready for this kind of question."""
        try:
            seen: Seen = self.answers[type(question)]
        except KeyError:
            raise UnknownTarget(f"no answer for {type(question).__name__} was laid ready") from None
        return seen

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Keep the lever and answer as an engine would, once ``answering`` is set."""
        (self.asked if lever.dry_run else self.pulled).append(lever)
        await self.answering.wait()
        if (error := self.refusal(lever)) is not None:
            raise error
        source = next((s for s in self.held[-1].sources if s.name == lever.target), None)
        before = str(source.level) if source is not None and source.level else "running"
        after = {
            Verb.PROMOTE: f"at least {source.level.raised}" if source and source.level else "",
            Verb.DEMOTE: f"at most {source.level.lowered}" if source and source.level else "",
            Verb.OVERRIDE: lever.level or "",
            Verb.PAUSE: "paused",
            Verb.PAUSE_ALL: "paused",
        }.get(lever.verb, "running")
        return LeverOutcome(
            done=not lever.dry_run,
            message=f"{lever.verb.value} {lever.target}: {before} -> {after}",
            before=before,
            after=str(after),
            moved_jobs=0 if source is None else source.queued,
            revision=0 if source is None else source.revision + 1,
            helps="next payload available in 3.4 -> 0.2 s",
            costs="37 HIGH jobs wait +0.4 s",
        )

    async def stop(self) -> None:
        """Count the asking."""
        self.stopped += 1
