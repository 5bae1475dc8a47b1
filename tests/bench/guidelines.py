"""Deciding one by one, in batches and while the set changes, against the same rules written by hand."""

import os
import random
import tempfile
import threading
import time
from math import isnan, nan
from pathlib import Path

import polars as pl

from gexdesk.guidelines.backtest import backtest
from gexdesk.guidelines.batch import decide_batch
from gexdesk.guidelines.decide import decide
from gexdesk.guidelines.reload import Guidelines, Staged
from gexdesk.guidelines.rules import DEFAULT_FILE, RuleSet, read
from gexdesk.guidelines.versions import Versions
from gexdesk.model.clock import SystemClock
from gexdesk.model.features import Features
from tests.bench import Row, row, side_by_side

TEXT = DEFAULT_FILE.read_text(encoding="utf-8")
FIVE_MORE = """
[[guideline]]
name = "high-expiry-day"
level = "HIGH"
when = "zero_dte_share > 0.5 and impact >= high and freshness >= fresh"
[[guideline]]
name = "medium-unreliable"
level = "MEDIUM"
when = "source_reliability < 0.9 and impact >= medium"
[[guideline]]
name = "medium-thin"
level = "MEDIUM"
when = "coverage < 0.5 and not impact == low"
[[guideline]]
name = "low-backfill"
level = "LOW"
when = "data_type == 'historical'"
[[guideline]]
name = "high-index-turn"
level = "HIGH"
when = "symbol in ['SPX', 'NDX'] and volume / open_interest > 2 and gamma_change >= 0.05"
"""
COUNT = 10_000
RULES = 12


def rows() -> list[Row]:
    """Measure all."""
    rules = read(TEXT + FIVE_MORE)
    assert len(rules.active) == RULES
    records = _records(COUNT)
    frame = _frame(records)
    return [*_one_by_one(rules, records), *_batch(rules, frame), _record(rules, frame), *_swap()]


def _records(count: int) -> list[Features]:
    random_ = random.Random(7)
    return [
        Features(
            random_.choice(["SPX", "NDX", "AMD", "AAPL"]),
            random_.choice(["a", "b"]),
            random_.choice(["real_time", "snapshot", "historical"]),
            random_.choice([None, random_.uniform(0, 120_000)]),
            random_.uniform(0, 250_000),
            random_.choice([None, random_.uniform(0, 0.3)]),
            random_.uniform(0, 600) if random_.random() < 0.5 else random_.uniform(0, 6),
            source_reliability=random_.uniform(0.8, 1),
            coverage=random_.choice([None, random_.random()]),
            zero_dte_share=random_.choice([None, random_.random()]),
        )
        for _ in range(count)
    ]


def _frame(records: list[Features]) -> pl.DataFrame:
    names = Features.__struct_fields__
    columns = {name: [getattr(features, name) for features in records] for name in names}
    return pl.DataFrame(columns, infer_schema_length=None, schema_overrides={"expected_records": pl.Int64})


def _by_hand(features: Features) -> list[int]:
    """Say which of the twelve hold, as a programmer who never changes a rule would write it."""
    f = features
    volume, interest = nan if f.volume is None else f.volume, nan if f.open_interest is None else f.open_interest
    change = nan if f.gamma_change is None else f.gamma_change
    age = nan if f.data_age_s is None else f.data_age_s
    reliability = nan if f.source_reliability is None else f.source_reliability
    high = volume > 50_000 or interest > 100_000
    medium = high or volume >= 10_000 or interest >= 25_000
    low = not medium and not (isnan(volume) and isnan(interest))
    large = change > 0.10
    live = age < 5 and not f.clock_skew and age >= -2
    fresh = age < 300
    held = []
    if high and large and live:
        held.append(0)
    if high and live:
        held.append(1)
    if medium and large and fresh:
        held.append(2)
    if large and live:
        held.append(3)
    if medium and fresh:
        held.append(4)
    if not fresh:
        held.append(5)
    if low:
        held.append(6)
    if f.zero_dte_share is not None and f.zero_dte_share > 0.5 and high and fresh:
        held.append(7)
    if reliability < 0.9 and medium:
        held.append(8)
    if f.coverage is not None and f.coverage < 0.5 and not low:
        held.append(9)
    if f.data_type == "historical":
        held.append(10)
    if f.symbol in ("SPX", "NDX") and interest and volume / interest > 2 and change >= 0.05:
        held.append(11)
    return held


def _one_by_one(rules: RuleSet, records: list[Features]) -> list[Row]:
    few = records[:2_000]

    def ours() -> list[list[int]]:
        classes, matcher = rules.classes, rules.matcher
        return [matcher(classes.read(features), features, nan) for features in few]

    def theirs() -> list[list[int]]:
        return [_by_hand(features) for features in few]

    assert ours() == theirs()
    value, reference = side_by_side(ours, theirs, 40)
    whole, _ = side_by_side(lambda: [decide(features, rules) for features in few], theirs, 10)
    scale = 1e6 / len(few)
    return [
        row(f"{RULES} rules on one record", value * scale, "us", reference=reference * scale, target=2.0),
        row("a whole decision: scores, winner, reason in words", whole * scale, "us"),
    ]


def _bare() -> list[pl.Expr]:
    """Write the twelve as a Polars user would, nulls and all."""
    volume, interest, change, age = (pl.col(name) for name in ("volume", "open_interest", "gamma_change", "data_age_s"))
    high = (volume > 50_000) | (interest > 100_000)
    medium = ((volume >= 10_000) | (interest >= 25_000)).fill_null(value=False)
    low = ~medium & (volume.is_not_null() | interest.is_not_null())
    large, fresh = change > 0.10, age < 300
    live = (age < 5) & (age >= -2) & ~pl.col("clock_skew")
    return [
        high & large & live,
        high & live,
        medium & large & fresh,
        large & live,
        medium & fresh,
        ~fresh,
        low,
        (pl.col("zero_dte_share") > 0.5) & high & fresh,
        (pl.col("source_reliability") < 0.9) & medium,
        (pl.col("coverage") < 0.5) & ~low,
        pl.col("data_type") == "historical",
        pl.col("symbol").is_in(["SPX", "NDX"]) & (volume / interest > 2) & (change >= 0.05),
    ]


def _batch(rules: RuleSet, frame: pl.DataFrame) -> list[Row]:
    order = sorted(range(RULES), key=lambda n: (rules.active[n].level.rank, rules.active[n].requires, n))
    names = {n: rules.active[n].name for n in order}

    def bare() -> pl.DataFrame:
        """Give winner, level and score by expressions alone."""
        held = _bare()
        volume, interest, age = pl.col("volume"), pl.col("open_interest"), pl.col("data_age_s")
        size = pl.max_horizontal(volume.fill_null(0) / 50_000, interest.fill_null(0) / 100_000)
        lift = (
            0.3 * (1 - 1 / (1 + size))
            + 0.3 * (1 - 1 / (1 + pl.col("gamma_change").fill_null(0.05) / 0.1))
            + (0.2 / (1 + age / 5)).fill_null(0)
            + 0.1 * pl.col("source_reliability")
            + 0.1 / 3
        )
        winner, level = pl.lit("unmatched"), pl.lit("LOW")
        floor, width = pl.lit(0.0), pl.lit(0.39)
        for n in reversed(order):
            guideline = rules.active[n]
            low, top = guideline.level.band
            winner = pl.when(held[n]).then(pl.lit(names[n])).otherwise(winner)
            level = pl.when(held[n]).then(pl.lit(str(guideline.level))).otherwise(level)
            floor = pl.when(held[n]).then(low).otherwise(floor)
            width = pl.when(held[n]).then(top - low).otherwise(width)
        columns = frame.lazy().select(winner.alias("winner"), level.alias("level"), (floor + width * lift).alias("score"))
        return columns.collect()

    ours = decide_batch(frame, rules)
    assert ours["winner"].to_list() == bare()["winner"].to_list()
    assert (ours["score"] - bare()["score"]).abs().max() < 1e-12
    value, reference = side_by_side(lambda: decide_batch(frame, rules), bare, 25)
    return [row(f"a batch of {COUNT:,}, decided", value * 1e3, "ms", reference=reference * 1e3, target=1.5)]


def _record(rules: RuleSet, frame: pl.DataFrame) -> Row:
    million = pl.concat([frame] * 100).with_columns(decided_at=1.79e9 + pl.int_range(pl.len()) * 0.02)
    candidate = read(TEXT.replace("volume_over = 50_000", "volume_over = 40_000") + FIVE_MORE)
    began = time.perf_counter()
    assert backtest(million, rules, candidate).changed > 0
    return row("a backtest of 1,000,000 decisions", time.perf_counter() - began, "s", target=5.0)


def _swap() -> list[Row]:
    head = TEXT.partition("[[guideline]]")[0]

    def text(number: int) -> str:
        guideline = '[[guideline]]\nname = "r{0}"\nlevel = "HIGH"\nwhen = "impact >= high and volume > {0} and {1}"\n'
        return head + "".join(guideline.format(number * 1000 + n, "freshness >= fresh") for n in range(200))

    features = _records(1)[0]
    with tempfile.TemporaryDirectory(prefix="gexdesk-bench-") as folder:
        guidelines = Guidelines(Versions(Path(folder)), SystemClock())
        guidelines.start(text(0), "bench")
        swaps = []
        for number in range(1, 16):
            began = time.perf_counter()
            staged = guidelines.offer(text(number), "bench")
            assert isinstance(staged, Staged)
            guidelines.apply(staged, "bench", "bench")
            swaps.append(time.perf_counter() - began)
        still, stormy = _decisions(guidelines, features, []), _decisions(guidelines, features, [text(1), text(2), "name ="])
        paced = _decisions(guidelines, features, [text(1), "name =", text(2), "name ="], pause_s=0.01)
    swap = row("a hot swap of 200 rules: read, compile, sync, swap", min(swaps) * 1e3, "ms", target=50.0)
    return [
        swap,
        row("a decision while sets are swapped without pause, median", stormy[0], "us", reference=still[0]),
        row("a decision during 100 edits a second, half of them bad, p99", paced[1], "us", reference=still[1]),
    ]


def _decisions(guidelines: Guidelines, features: Features, edits: list[str], pause_s: float = 0.0) -> tuple[float, float]:
    """Return median and p99 of a decision, in microseconds of CPU time, while another thread offers and applies edits."""
    done = threading.Event()

    def storm() -> None:
        while not done.is_set():
            for edit in edits:
                staged = guidelines.offer(edit, "bench")
                if isinstance(staged, Staged):
                    guidelines.apply(staged, "bench", "storm")
                if pause_s:
                    done.wait(pause_s)
            if not edits:
                done.wait()

    thread = threading.Thread(target=storm)
    thread.start()
    taken = []
    try:
        for _ in range(20_000 if pause_s or not edits else 1_000):
            began = time.thread_time_ns()
            decide(features, guidelines.current)
            taken.append((time.thread_time_ns() - began) / 1e3)
            os.sched_yield()
    finally:
        done.set()
        thread.join()
    taken.sort()
    return taken[len(taken) // 2], taken[len(taken) * 99 // 100]
