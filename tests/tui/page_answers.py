"""Answers that an engine gives to the questions of the pages, laid ready for a fake desk."""

from typing import Any

from fake_desk import AT, a_symbol, a_view

from gexdesk.model.decision import Decision, Freshness, Match, Override, ScoreParts
from gexdesk.model.exposure import Conventions, Exposure, ZeroGamma
from gexdesk.model.level import Level
from gexdesk.model.look.guidelines import GuidelinesLook, GuidelinesSeen, MoverView, RuleView, StagedView, TrialView, VersionView
from gexdesk.model.look.handover import HandOverLook, HandOverSeen, StandingView
from gexdesk.model.look.history import TrendLook, TrendSeen
from gexdesk.model.look.incident import EntryView, IncidentLook, IncidentSeen, MemberView
from gexdesk.model.look.machine import MachineLook, MachineSeen
from gexdesk.model.look.queue import JobsLook, JobsSeen, JobView
from gexdesk.model.look.record import AuditLook, AuditSeen, LogLook, LogSeen
from gexdesk.model.look.source import CarriedView, DeadLook, DeadSeen, DeadView, PayloadLook, PayloadSeen, SourceLook, SourceSeen
from gexdesk.model.look.symbol import (
    CompareLook,
    CompareSeen,
    GapsLook,
    GapsSeen,
    QuarantineLook,
    QuarantineSeen,
    SymbolLook,
    SymbolSeen,
)
from gexdesk.model.record_view import (
    ActView,
    BeginningView,
    DecidedView,
    JobStands,
    KeptView,
    PartsView,
    Plain,
    SlotView,
)
from gexdesk.model.symbol_view import CompareRow, FeedOfSymbol, Figures, FindingView, GapView, Point, QuarantineCase, StrikeRow
from gexdesk.model.view.incident import MuteView
from gexdesk.model.view.log import LogLine

HOSTILE = "SPX[/] [@click=app.quit]x[/] [red]"
"""What a feed may name things: as markup it would crash a screen, or act."""

JOB = "18eaa0a3b1c2d300-0000002a-4dc29e2b"


def a_decision(job_id: str = JOB, back_s: float = 3.0, **changes: Any) -> DecidedView:
    """Return a decision on SPX by two guidelines."""
    decision: dict[str, Any] = {
        "level": Level.HIGH,
        "score": 0.829,
        "freshness": Freshness.REAL_TIME,
        "winner": "high-realtime",
        "matches": (
            Match("high-realtime", Level.HIGH, 0.83, Freshness.REAL_TIME),
            Match("medium-fresh", Level.MEDIUM, 0.6, Freshness.FRESH),
        ),
        "guidelines_version": "v-0c11c2ec91",
        "reason": "high-realtime: impact high (volume 535,551, open interest 1,399,229), change small (0.033), age 0.3 s",
        "parts": ScoreParts(0.28, 0.07, 0.19, 0.10, 0.03),
    }  # fmt: skip
    features: dict[str, Plain] = {
        "symbol": "SPX", "source": "gexbot-spx", "data_type": "real_time", "volume": 535_551.0, "open_interest": 1_399_229.0,
        "gamma_change": 0.033, "data_age_s": 0.3, "volume_from": "chain", "clock_skew": False, "source_reliability": 0.998,
        "coverage": None, "session": "regular", "minutes_to_close": 378.7, "spot_move": -0.0003,
    }  # fmt: skip
    return DecidedView(job_id, AT - back_s, "SPX", "gexbot-spx", features, Decision(**(decision | changes)))


def a_letter(job_id: str = JOB, **changes: Any) -> DeadView:
    """Return a dead letter of a cut document."""
    values: dict[str, Any] = {
        "job_id": job_id,
        "source": "gexbot-spx",
        "payload_name": "classic.json",
        "payload_sha256": "27ff0ddcda792802a8a5290846d1aa1ed58d10a56c12eaa89984319d869d4557",
        "size_bytes": 1440,
        "received_at": AT - 72.0,
        "buried_at": AT - 71.9,
        "stage": "triage",
        "kind": "malformed_payload",
        "reason": "the JSON ends in the middle of a value, or has a broken escape (1440 bytes read)",
        "attempts": 1,
        "bytes_kept": True,
    }
    return DeadView(**(values | changes))


def figures(**changes: Any) -> Figures:
    """Return the figures of a snapshot of SPX."""
    values: dict[str, Any] = {
        "as_of": AT - 7.4, "spot": 6471.25, "net_gex": -3.2e9, "gross_gex": 11.9e9, "zero_gamma": 6455.0, "call_wall": 6500.0,
        "put_wall": 6300.0, "total_open_interest": 1_399_229.0, "total_volume": 535_551.0, "coverage": 0.994, "contracts": 812,
        "strikes": 56, "implied_spot": 6470.9,
    }  # fmt: skip
    return Figures(**(values | changes))


def an_exposure(**changes: Any) -> Exposure:
    """Return SPX's exposure with its profile."""
    spots = tuple(6100.0 + 20.0 * i for i in range(40))
    values: dict[str, Any] = {
        "symbol": "SPX",
        "as_of": AT - 7.4,
        "format": "cboe_json",
        "spot": 6471.25,
        "net_gex": -3.2e9,
        "gross_gex": 11.9e9,
        "net_gex_volume": -1.1e9,
        "vendor_net_gex": None,
        "zero_gamma": ZeroGamma("found", 6455.0, (6455.0,)),
        "call_wall": 6500.0,
        "put_wall": 6300.0,
        "absolute_gamma_strike": 6450.0,
        "zero_dte_share": 0.31,
        "max_pain": 6440.0,
        "put_call_oi": 1.42,
        "put_call_volume": 1.1,
        "total_open_interest": 1_399_229.0,
        "total_volume": 535_551.0,
        "contracts": 812,
        "expiries": 21,
        "strikes": 56,
        "coverage": 0.994,
        "quality": 0.98,
        "profile_spot": spots,
        "profile_net_gex": tuple((x - 6455.0) * 2e7 for x in spots),
        "warnings": (),
        "conventions": Conventions(),
    }
    return Exposure(**(values | changes))


def a_case(**changes: Any) -> QuarantineCase:
    """Return SPX carrying SPY's spot."""
    finding = FindingView("spot", "quarantine", "spot_off", "spot 647.20, the chain says 6,470.90 (-90.0%)", 647.2, 6470.9)
    values: dict[str, Any] = {
        "number": 7,
        "symbol": "SPX",
        "source": "cboe-spx",
        "state": "held",
        "count": 3,
        "first_at": AT - 45.0,
        "last_at": AT - 15.0,
        "level": Level.HIGH,
        "findings": (finding,),
        "suspect": figures(spot=647.2, net_gex=0.9e9, call_wall=None),
        "good": figures(as_of=AT - 60.0),
        "live": figures(),
        "live_source": "gexbot-spx",
        "readers": ("pit-spx", "risk"),
        "job_id": JOB,
    }
    return QuarantineCase(**(values | changes))


FEEDS = (
    FeedOfSymbol("gexbot-spx", "serving", "ok", "", AT - 1.1, AT - 0.9, AT - 3.0, 1.0, 0.0, figures()),
    FeedOfSymbol(
        "cboe-spx", "standby", "QUARANTINE", "3 held back", AT - 60.0, AT - 15.0, AT - 60.0, 15.0, 900.0, figures(), (), 3
    ),
)

STRIKES = tuple(
    StrikeRow(6400.0 + 5 * i, 1200.0 + i, 900.0 + i, 310.0, 280.0, (i - 14) * 1.1e8, (i - 12) * 0.4e8, 2e8, -1e8,
              None if i == 3 else (i % 5 - 2) * 0.6e8) for i in range(30)
)


def gaps() -> tuple[GapView, ...]:
    """Return a gap that goes on, one that can be filled and one that is lost."""
    return (
        GapView("4d87bf00", "QQQ", "cboe-qqq", AT - 42.0, None, None, False, "no history folder is configured for QQQ", None,
                "cboe-qqq silent for 42 s; due each 15 s"),
        GapView("7c1423ec", "SPX", "gexbot-spx", AT - 4000.0, AT - 3400.0, 600, True, "files in /data/history/spx", None,
                "no engine ran, or its source was not there"),
        GapView("4be5c0ed", "NDX", "cboe-ndx", AT - 90_000.0, AT - 89_000.0, 66, False, "no history folder is configured for NDX",
                None, "cboe-ndx silent for 3 s"),
    )  # fmt: skip


def guidelines(staged: bool = True) -> GuidelinesSeen:
    """Return a set in force with two older versions, and one that waits."""
    rules = (
        RuleView("critical-large-realtime", Level.CRITICAL, "A large move in something big, seen as it happens",
                 "impact >= high and change >= large and freshness >= real_time", True, 0.9, (), (), None, 4, 61, "SPX", AT - 3.0,
                 2),
        RuleView("high-realtime", Level.HIGH, "Something big, fresh", "impact >= high and freshness >= real_time", True, 0.7,
                 ("SPX",), ("regular",), None, 22, 410, "NDX", AT - 0.2, 0),
        RuleView("old-hand", Level.LOW, "", "freshness == stale", False, 0.1, (), (), AT + 900.0),
    )  # fmt: skip
    history = tuple(
        VersionView(f"v-{n}", "jm" if n > 1 else "gexdesk", AT - 4000.0 / n, f"reason {n}",
                    f"--- v-{n - 1}\n+++ v-{n}\n@@ -1 +1 @@\n-score = 0.8\n+score = 0.{n}" if n > 1 else "")
        for n in (3, 2, 1)
    )  # fmt: skip
    counts = {Level.CRITICAL: {Level.CRITICAL: 61}, Level.HIGH: {Level.CRITICAL: 12, Level.HIGH: 398}, Level.LOW: {Level.LOW: 2200}}
    trial = TrialView(
        2671, 12, counts, (MoverView("SPX", Level.HIGH, Level.CRITICAL, 9), MoverView("NDX", Level.HIGH, Level.CRITICAL, 3)), 61,
        73, 0.4, "12 of 2,671 would change; CRITICAL 61 -> 73, at most 40% of what the desk serves",
    )  # fmt: skip
    waits = StagedView("v-4", "kd", AT - 20.0, "text", "--- v-3\n+++ v-4\n@@ -1 +1 @@\n-score = 0.3\n+score = 0.4", trial, "")
    return GuidelinesSeen(
        name="default", version="v-3", author="jm", at=AT - 1333.0, reason="reason 3", text='name = "default"\nscore = 0.3',
        file="", rules=rules, history=history, staged=waits if staged else None, fault=None, apply_on_save=False,
        locked_hours=("09:25-09:35",), locked_until=None, revision=5, unmatched=2, conflicts=2,
    )  # fmt: skip


def machine() -> MachineSeen:
    """Return an engine at work."""
    return MachineSeen(
        engine_id="e1", host="desk1", pid=4711, version="0.1.0", since=AT - 690.0, state_folder="/var/lib/gexdesk", cores=2,
        load=1.4, cpu_share=0.31, memory_bytes=211_000_000, dispatches=4105, deviating=2,
        slots=(SlotView("slot-0", False, "NDX cboe-ndx HIGH", AT - 0.2), SlotView("slot-1", True, "", None)),
        pool=(
            SlotView("pool-0", False, "processes 2,512,040 bytes at HIGH", AT - 0.2, 4712), SlotView("pool-1", True, "", None, 4713)
        ),
        pool_backlog=3, in_flight=322, undecided=310, storing=12, store_lag_s=0.3, history_bytes=5_100_000, history_from=AT - 690.0,
        history_disk_bytes=9_000_000, spool_bytes=80_000_000, spool_open=322, metadata_bytes=22_000_000, free_bytes=75_000_000_000,
        parts_s=300.0,
        parts=(
            PartsView(Level.CRITICAL, 61, 0.97, 0.26, 0.21, 0.17, 0.1, 0.03), PartsView(Level.LOW, 2200, 0.1, 0.03, 0, 0.1, 0.1, 0)
        ),
    )  # fmt: skip


def a_payload(**changes: Any) -> PayloadSeen:
    """Return a payload that was completed."""
    values: dict[str, Any] = {
        "job_id": JOB,
        "source": "gexbot-spx",
        "name": "classic.json",
        "content_type": "application/json",
        "received_at": AT - 3.2,
        "size_bytes": 3411,
        "sha256": "27ff0ddcda792802a8a5290846d1aa1ed58d10a56c12eaa89984319d869d4557",
        "time_shift_s": 0.0,
        "asked_by": "",
        "stands": JobStands("COMPLETED", Level.HIGH, AT - 3.2, AT - 3.19, AT - 3.18, AT - 3.1, AT - 3.0, 1, 1),
        "beginning": BeginningView("text", "gzip", ('{"timestamp": 1772461867, "ticker": "SPX", ' + HOSTILE, "}"), 3411, True),
        "decisions": (a_decision(),),
        "letter": None,
        "snapshots": (KeptView("SPX", AT - 3.4, 6471.25, -3.2e9, 11.9e9, ("older_data",), False, 2),),
    }
    return PayloadSeen(**(values | changes))


def answers() -> dict[type, Any]:
    """Return an answer to every question that pages ask."""
    view = a_view()
    incident = next(one for one in view.incidents if one.number == 41)
    entries = (
        EntryView(AT - 42.0, "desk", "opened", "silent: due each 15 s, 503 x6"),
        EntryView(AT - 20.0, "jm", "note", f"called the vendor {HOSTILE}"),
    )
    members = tuple(
        MemberView(f"QQQ{n}", "503 x6", "feed_failing", 2, "cboe-qqq", ("QQQ",), AT - 42.0, AT - 1.0, n < 6) for n in range(7)
    )
    over = Override(Level.CRITICAL, "jm", "event", AT - 60.0, AT + 900.0)
    trail = (
        a_decision(),
        a_decision("two", 4.0, level=Level.CRITICAL, score=1.0, winner="override", override=over, parts=ScoreParts()),
        a_decision("three", 5.0, level=Level.LOW, score=0.0, winner="unmatched", matches=(), parts=ScoreParts()),
    )
    jobs = tuple(
        JobView(f"job-{n}", "gexbot-spx", "SPX" if n else "", Level.HIGH, 0.83, n + 1, AT - 3.0 - n, AT - 4.0, AT + 297.0,
                1 + n % 2, n == 2, "escalated" if n == 1 else "", "own", 0.5 * n, "high-realtime", "high-realtime: impact high")
        for n in range(4)
    )  # fmt: skip
    acts = (
        ActView(1, AT - 600.0, "gexdesk", "apply", "guidelines", "in force at the start", "", "v-1"),
        ActView(2, AT - 15.0, "jm", "override", "gexbot-spx", f"event {HOSTILE}", "HIGH", "CRITICAL jm until 09:56"),
        ActView(3, AT - 5.0, "kd", "pause failed", "backfill", "the disk is full", "paused", "running"),
    )
    return {
        AuditLook: AuditSeen(acts, AT - 2.0, 3, ""),
        CompareLook: CompareSeen(
            "SPX", "gexbot-spx", "cboe-spx", 0.0, 900.0, AT - 901.0, AT - 907.0,
            (CompareRow("net_gex", 4.1e9, 5.6e9, 0.12, 0.05, False), CompareRow("zero_gamma", 6455.0, 6496.0, 0.006, 0.01, True),
             CompareRow("call_wall", 6500.0, None, None, 0.02, None), CompareRow("age_s", 1.1, 7.4, 6.3, 60.0, True)),
            True, "net GEX 12% apart where 5% is allowed",
        ),
        DeadLook: DeadSeen((a_letter(), a_letter("gone", bytes_kept=False, stage="process", attempts=4, kind="decoder_died"))),
        GapsLook: GapsSeen(gaps()),
        GuidelinesLook: guidelines(),
        HandOverLook: HandOverSeen(
            "kd", AT - 26_000.0, view.incidents,
            (StandingView("pause", "backfill", "paused", "jm", "peak", AT - 700.0, None),
             StandingView("override", "gexbot-spx", "at least CRITICAL", "jm", "event", AT - 60.0, AT + 900.0)),
            (MuteView("source", "cboe-qqq", "kd", "maintenance", AT - 60.0, AT + 3600.0),),
            ("QQQ from cboe-qqq: goes on; no history folder is configured for QQQ",
             "SPX from gexbot-spx: 600 s, 600 missed; can be filled", "NDX from cboe-ndx: 1000 s; no history folder is configured"),
            "2 open, 1 unseen, 1 override, 1 pause, 1 maintenance window, 3 gaps",
        ),
        IncidentLook: IncidentSeen(
            incident, entries, members, "**Means.** The vendor refuses.\n**Press.** `F` serves the symbol from another source."
        ),
        JobsLook: JobsSeen(jobs, 4),
        LogLook: LogSeen(
            (LogLine(1, AT - 600.0, "engine", "the engine started"), *view.log,
             LogLine(9, AT - 0.5, "source", f"cboe-qqq: 503 {HOSTILE}", True)),
            AT - 600.0, True,
        ),
        MachineLook: machine(),
        PayloadLook: a_payload(),
        QuarantineLook: QuarantineSeen(
            (a_case(), a_case(number=6, state="released", settled_by="kd", settled_reason="it was right"))
        ),
        SourceLook: SourceSeen(
            "gexbot-spx", AT, "gexbot", "gexbot", "real_time", AT - 0.9, None, (600_000.0, 1_400_000.0),
            (CarriedView("SPX", FEEDS[0]), CarriedView("SPY", FEEDS[1])), trail, (a_letter(),), JOB,
        ),
        SymbolLook: SymbolSeen(
            "SPX", AT, a_symbol("SPX", served_by="gexbot-spx"), an_exposure(), STRIKES, figures(net_gex=-3.4e9, spot=6470.0),
            figures(), tuple(Point(AT - 600.0 + 60 * i, 6471.0 + i - 5, (i - 4) * 1e9, 6455.0) for i in range(11)), FEEDS, (),
            (a_case(),), JOB,
        ),
        TrendLook: TrendSeen(
            ("at", "silent_s", "rate_per_min"),
            (*((AT - 590.0 + 60.0 * i, 0.0, float(40 + 5 * i)) for i in range(9)),
             *((AT - 50.0 + i, 0.1, 58.0) for i in range(50))),
        ),
    }  # fmt: skip
