"""A run that went well, in small, as the engine's own tables would hold it; tests break it in one place each."""

import hashlib
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import duckdb
import numpy as np

from gexdesk.certify.changes import Change
from gexdesk.certify.load import FEEDS, Feed, Turn
from gexdesk.certify.machine import Machine
from gexdesk.certify.offered import Offered
from gexdesk.certify.plan import Plan
from gexdesk.certify.record import Record
from gexdesk.certify.run import Measured, Sample, raised_feed

BEGAN = 1_772_463_600.0
PLAN = Plan(steady_s=20.0, peak_s=10.0, dispatches=1_000, counted_by_s=60.0, drained_by_s=70.0, change_every_s=1.0)
MACHINE = Machine("a processor", 2, 8.0, 0.1, 1.0, "ext4", "Linux", "3.11", {"gexdesk": "0.1.0"})
FEED = {feed.name: feed for feed in FEEDS}
LABELS = {"CRITICAL": (600_000.0, 0.2), "HIGH": (600_000.0, 0.01), "LOW": (500.0, 0.01)}


@dataclass
class Job:
    """Hold one row; times are seconds from the begin."""

    feed: Feed
    number: int
    body: bytes
    at: float
    level: str = "HIGH"
    status: str = "COMPLETED"
    queued_s: float = 0.01
    waits_s: float = 0.02
    took_s: float = 0.03
    version: str = "base"
    decided_level: str = ""
    symbol: str = ""
    offered: bool = True
    age_s: float = 0.1
    job_id: str = ""

    def __post_init__(self) -> None:
        self.job_id = self.job_id or hashlib.sha256(self.body).hexdigest()[:20]


@dataclass
class Setting:
    """Hold what a run is made of; ``jobs`` may be changed before ``measured``."""

    jobs: list[Job] = field(default_factory=list)
    changes: list[Change] = field(default_factory=list)
    closing: dict[str, Any] = field(default_factory=dict)
    graded: dict[str, Any] = field(default_factory=dict)
    again: int = 3
    plan: Plan = PLAN
    killed: bool = True


def went_well() -> Setting:
    """Return a run of 40 documents a second in which everything held."""
    setting = Setting(graded={"rows": 11_880, "correct": 11_880, "accuracy": 1.0})
    for second in range(30):
        for nth in range(40 if second < 20 else 240):
            critical = nth % 12 == 0
            feed = FEED["push-0" if critical else "push-1"]
            number = next_number(feed, critical, len(setting.jobs))
            level = "CRITICAL" if critical else "HIGH"
            setting.jobs.append(Job(feed, number, b"%d" % len(setting.jobs), second + nth / 300, level))
    for number in range(10):  # several come at once, so that there is something to choose from
        for nth in range(20):
            body = b"burst %d %d" % (number, nth)
            setting.jobs.append(Job(FEED["push-1"], 17, body, 5.0 + number, "HIGH", waits_s=0.1 + 0.01 * nth))
    broken = next(n for n in range(10_000) if FEED["push-1"].turn(n) is Turn.BROKEN)
    setting.jobs.append(Job(FEED["push-1"], broken, b"half", 3.0, "HIGH", "DEAD"))
    symbol = raised_feed().symbols[0]
    for number in range(10):
        job = Job(raised_feed(), 0, b"raised %d" % number, 2.0 + number, "HIGH", version="changed-1", symbol=symbol)
        setting.jobs.append(job)
    for number in range(6):
        what = ("apply", "invalid", "roll back")[number % 3]
        setting.changes.append(Change(what, BEGAN + 2.0 + number, 0.02, True, "base", "fine"))
    return setting


def next_number(feed: Feed, critical: bool, start: int) -> int:
    """Return a number from ``start`` on at which the feed's document is CRITICAL, or plain."""
    wanted = Turn.CRITICAL if critical else Turn.PLAIN
    return next(number for number in range(start, start + 1_000) if feed.turn(number) is wanted)


def measured(setting: Setting, folder: Path) -> Measured:
    """Write the tables and return what a run would have measured."""
    offered = Offered()
    for job in setting.jobs:
        if job.offered:
            offered.add(job.feed, job.number, job.body, BEGAN + job.at)
    offered.again += setting.again
    offered.documents += setting.again
    path = folder / "metadata.duckdb"
    path.unlink(missing_ok=True)
    with duckdb.connect(str(path)) as connection:
        connection.execute(
            "CREATE TABLE jobs (job_id VARCHAR, source VARCHAR, symbol VARCHAR, level VARCHAR, status VARCHAR, attempts BIGINT, "
            "payload_sha256 VARCHAR, size_bytes BIGINT, error VARCHAR, received_at TIMESTAMP, decided_at TIMESTAMP, "
            "started_at TIMESTAMP, available_at TIMESTAMP)"
        )
        connection.execute(
            "CREATE TABLE decisions (job_id VARCHAR, decided_at TIMESTAMP, level VARCHAR, guidelines_version VARCHAR, "
            "volume DOUBLE, open_interest DOUBLE, gamma_change DOUBLE, data_age_s DOUBLE)"
        )
        jobs, decisions = [_row(job) for job in setting.jobs], [_decision(job) for job in setting.jobs]
        _insert(connection, "jobs", jobs, (9, 10, 11, 12))
        _insert(connection, "decisions", decisions, (1,))
    record = Record(path)
    dead = sum(job.status == "DEAD" for job in setting.jobs)
    completed = sum(job.status == "COMPLETED" for job in setting.jobs)
    received = len(setting.jobs) + setting.again
    source = {"received": received, "completed": completed, "dead": dead, "repeats": setting.again}
    closing = {
        "received": received, "completed": completed, "dead": dead, "repeats": setting.again, "failed": 0, "open": 0,
        "conflated": 0, "deviation": 0.0, "dispatches": len(setting.jobs), "sources": {"push-0": source}, "escalated": 0,
        "levels": {"CRITICAL": {"count": 1, "mean_s": 0.1, "p50_s": 0.1, "p99_s": 0.1, "max_s": 0.1, "within_promise": 1}},
    } | setting.closing  # fmt: skip
    parts = {"steady": (0.0, 20.0), "peak": (20.0, 30.0), "counting": (30.0, 60.0), "drain": (60.0, 61.0)}
    return Measured(
        machine=MACHINE, plan=setting.plan, parts={name: (BEGAN + a, BEGAN + b) for name, (a, b) in parts.items()},
        offered=offered, record=record, closing=closing, samples=(Sample(1.0, "steady", 1, 1, 0, 0, 0.01, 8.0),),
        changes=tuple(setting.changes), raised=raised_feed().symbols, versions=frozenset({"changed-1"}), base="base",
        graded=setting.graded, used_s=10.0, others_cores=0.1, resident_bytes=1, state_bytes=1, killed=setting.killed, took_s=70.0,
    )  # fmt: skip


def _insert(connection: duckdb.DuckDBPyConnection, table: str, rows: list[tuple[Any, ...]], times: tuple[int, ...]) -> None:
    given = {f"c{n}": np.array(column) for n, column in enumerate(zip(*rows, strict=True))}
    moment = "CASE WHEN isnan({0}) THEN NULL ELSE make_timestamp(({0} * 1e6)::BIGINT) END"
    columns = ", ".join(moment.format(name) if n in times else name for n, name in enumerate(given))
    connection.register("given", given)
    connection.execute(f"INSERT INTO {table} SELECT {columns} FROM given")


def _row(job: Job) -> tuple[Any, ...]:
    received = BEGAN + job.at
    decided = received + job.queued_s
    started = decided + job.waits_s
    available = started + job.took_s if job.status == "COMPLETED" else np.nan
    digest = hashlib.sha256(job.body).hexdigest()
    symbol = job.symbol or job.feed.symbol(job.number)
    return (
        job.job_id, job.feed.name, symbol, job.level, job.status, 1, digest, len(job.body), "",
        received, decided, started, available,
    )  # fmt: skip


def _decision(job: Job) -> tuple[Any, ...]:
    level = job.decided_level or job.level
    volume, change = LABELS["LOW" if job.version != "base" else level]
    return job.job_id, BEGAN + job.at + job.queued_s, level, job.version, volume, volume, change, job.age_s
