"""Judge a run: SC-1 to SC-5 and the stages' limits, each with its figures. What was not measured is failed."""

import math
from collections import Counter
from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from msgspec import Struct
from numpy.typing import NDArray

from gexdesk.certify.bounds import mean_at_most, none_of, percentile, wilson
from gexdesk.certify.changes import FEWEST
from gexdesk.certify.grid import label
from gexdesk.certify.load import FEEDS, Turn, schedule
from gexdesk.certify.offered import Offer
from gexdesk.certify.record import F8, Record
from gexdesk.certify.run import Measured
from gexdesk.model.level import Level

PLAYED = tuple(feed.name for feed in FEEDS if feed.kind == "replay")
PROMISE_S = 30.0
MEAN_S = 10.0
DEVIATION = 0.01
CORRECT = 0.98
RECEIVE_S, PRIORITISE_S = 5.0, 1.0
GRACE_S = 0.25
"""Synced writes lie between a decision and its place in the queue: what was decided so shortly before was not passed over."""

RECOGNISED = 0.98
CRITICAL_SHARE = 0.04
"""Of the load 5% is CRITICAL; a run in which far less was is no proof of anything."""

LEAST_CRITICAL = 100
LEAST_CHOICES = 0.01
"""Share of dispatches at which something else waited, at least: where nothing ever waits no order is proven."""

ACHIEVED = 0.95
STALL_S = 1.0
"""No change of the guidelines may keep decisions waiting by so much longer than they wait elsewhere."""


Figures = dict[str, float | int | str | None]


class Criterion(Struct, frozen=True):
    """Hold one verdict.

    Attributes:
        what: The criterion in words.
        limit, found: As a person reads them.
        figures: What it rests on.
        why: Why it failed; empty where it passed.
    """

    name: str
    what: str
    limit: str
    found: str
    passed: bool
    figures: Figures
    why: str = ""


def judge(m: Measured) -> tuple[Criterion, ...]:
    """Judge a run by every criterion."""
    return (
        _accounted(m), _achieved(m), _within_promise(m), _deviation(m), _changes(m), _assigned(m), _mean_at_peak(m),
        *_stages(m),
    )  # fmt: skip


def _verdict(words: tuple[str, str, str], found: str, faults: Sequence[str], figures: Figures) -> Criterion:
    """Return a verdict; ``words`` are its name, what it says and its limit."""
    return Criterion(*words, found, not faults, figures, "; ".join(faults))


def _accounted(m: Measured) -> Criterion:
    """Hold the engine's record against what was offered: nothing lost, nothing twice, nothing dead but what was broken."""
    r = m.record
    given = {d: o for d, o in m.offered.by_digest.items() if o.feed.kind != "replay"}
    ended: dict[str, str] = {}
    for digest, status in zip(r.sha256, r.status, strict=True):
        ended[digest] = status
    missing = [d for d in given if d not in ended]
    wrong = [d for d, o in given.items() if d in ended and (ended[d] == "DEAD") != (o.turn is Turn.BROKEN)]
    strangers = sum(digest not in m.offered.by_digest for digest in ended)
    broken = sum(o.turn is Turn.BROKEN for o in given.values())
    # A document that was processed twice has two jobs of one digest; only what a replay plays again is meant to have them.
    jobs = Counter(digest for digest, source in zip(r.sha256, r.source, strict=True) if not source.startswith(PLAYED))
    twice = sum(jobs.values()) - len(jobs)
    played = sum(count["received"] for name, count in m.closing["sources"].items() if name.startswith(PLAYED))
    offered, kept = m.offered.documents + played, m.closing["received"]
    faults = []
    if offered != kept:
        faults.append(f"{offered:,} documents were offered, {kept:,} were accepted")
    if missing:
        faults.append(f"{len(missing):,} documents were offered and have no end ({_named(missing, given)})")
    if wrong:
        faults.append(f"{len(wrong):,} ended as they must not ({_named(wrong, given)})")
    if strangers or twice:
        faults.append(f"{strangers:,} were never offered, {twice:,} ended twice")
    if still := _open(m):
        faults.append(f"{still:,} were still open at the end")
    if not m.killed:
        faults.append("no decoder was there to be killed at the peak: the run had one fault less than it must")
    if m.closing["repeats"] < m.offered.again:
        faults.append(f"{m.offered.again:,} repeats were offered, {m.closing['repeats']:,} were taken for such")
    figures: Figures = {
        "offered": offered, "accepted": kept, "completed": m.closing["completed"], "dead_letters": m.closing["dead"],
        "broken_offered": broken, "repeats": m.closing["repeats"], "repeats_offered": m.offered.again,
        "failed_answers_offered": m.offered.failures, "attempts_again": m.closing["failed"], "conflated": m.closing["conflated"],
        "decoders_killed": int(m.killed),
    }  # fmt: skip
    found = f"{offered:,} offered, {kept:,} accepted, {m.closing['completed']:,} completed, {m.closing['dead']:,} dead letters"
    words = ("accounted", "every document offered has the one end it must have", "none missing")
    return _verdict(words, found, faults, figures)


def _open(m: Measured) -> int:
    """Return how many documents have no end yet, but for what replays, which never end, had just brought."""
    counts = [count for name, count in m.closing["sources"].items() if not name.startswith(PLAYED)]
    return sum(c["received"] - c["completed"] - c["dead"] - c["repeats"] for c in counts)


def _named(digests: list[str], given: dict[str, Offer]) -> str:
    offer = given[digests[0]]
    return f"e.g. {offer.feed.name} #{offer.number}, {offer.turn}"


def _achieved(m: Measured) -> Criterion:
    """Hold the rates that came about against the promised ones, part by part."""
    figures: Figures = {}
    faults, told = [], []
    for part, planned in (("steady", _planned(m, "steady")), ("peak", _planned(m, "peak"))):
        begins, ends = m.parts[part]
        offered = sum(begins <= o.at < ends for o in m.offered.by_digest.values() if o.feed.kind != "replay")
        available = int(_inside(m.record.available_at, m.parts[part]).sum())
        per_s = ends - begins
        figures |= {
            f"{part}_planned_per_s": planned / per_s, f"{part}_offered_per_s": offered / per_s,
            f"{part}_available_per_s": available / per_s,
        }  # fmt: skip
        told.append(f"{part} {offered / per_s:,.1f} of {planned / per_s:,.1f} a second")
        if offered < ACHIEVED * planned:
            why = f"at the {part} only {offered / planned:.0%} of the promised load could be offered on this machine"
            faults.append(f"{why} (generator behind by up to {m.offered.behind_s:.1f} s)")
    counting = m.parts["counting"]
    done = int(_inside(m.record.available_at, counting).sum())
    figures["counting_available_per_s"] = done / max(counting[1] - counting[0], 1e-9)
    figures["generator_behind_s"] = m.offered.behind_s
    figures["undecided_most"] = max((s.undecided for s in m.samples), default=0)
    words = ("achieved", "the promised load was really offered", f">= {ACHIEVED:.0%} of it")
    return _verdict(words, ", ".join(told), faults, figures)


def _planned(m: Measured, part: str) -> float:
    plan = m.plan
    feeds = tuple(feed for feed in FEEDS if feed.kind != "replay")
    begins, ends = (0.0, plan.steady_s) if part == "steady" else (plan.steady_s, plan.steady_s + plan.peak_s)
    due = [d for d in schedule(ends, (plan.steady_s, plan.steady_s + plan.peak_s), feeds) if begins <= d.at_s]
    bare = {Turn.REFUSED, Turn.CUT, Turn.AGAIN}  # what brings no document of its own
    return sum(d.feed.turn(d.number) not in bare for d in due)


def _inside(at: F8, part: tuple[float, float]) -> NDArray[np.bool_]:
    return np.asarray((at >= part[0]) & (at < part[1]))


def _urgent(m: Measured) -> NDArray[np.bool_]:
    """Say of each job whether it was decided CRITICAL, wherever it was moved since; what was offered broken is never available."""
    broken = {digest for digest, offer in m.offered.by_digest.items() if offer.turn is Turn.BROKEN}
    pairs = zip(m.record.decided_level, m.record.sha256, strict=True)
    return np.array([level == Level.CRITICAL and digest not in broken for level, digest in pairs], dtype=bool)


def _latency(r: Record) -> F8:
    """Return receipt to available, infinite for what never became available."""
    return np.asarray(np.where(np.isfinite(r.available_at), r.available_at - r.received_at, np.inf))


def _within_promise(m: Measured) -> Criterion:
    r = m.record
    latency = _latency(r)[_urgent(m)]
    late, count = int((latency > PROMISE_S).sum()), len(latency)
    meant = {d for d, o in m.offered.by_digest.items() if o.turn is Turn.CRITICAL}
    decided = zip(r.sha256, r.decided_level, r.data_age_s, strict=True)
    seen = [(level == Level.CRITICAL, age) for digest, level, age in decided if digest in meant]
    known = sum(was for was, _ in seen)
    old = sum(bool(not was and age >= 5.0) for was, age in seen)
    share = count / max(len(r), 1)
    faults = []
    if late:
        faults.append(f"{late:,} of {count:,} came later than {PROMISE_S:g} s")
    if count < LEAST_CRITICAL or share < CRITICAL_SHARE:
        faults.append(f"only {count:,} CRITICAL documents ({share:.1%}) were processed: too few to prove anything")
    if known < RECOGNISED * len(seen):
        words = f"only {known:,} of {len(seen):,} documents meant CRITICAL were decided so"
        faults.append(f"{words}; {old:,} of the others were 5 s old before they were decided")
    figures: Figures = {
        "critical": count, "late": late, "late_share_upper_95": wilson(late, count)[1] if late else none_of(count),
        "p50_s": percentile(latency.tolist(), 50), "p99_s": percentile(latency.tolist(), 99), "max_s": _max(latency),
        "meant_critical": len(seen), "recognised": known, "too_old_when_decided": old, "share_of_all": share,
        "bound_worst_s": max((s.bound_s for s in m.samples if s.bound_s is not None), default=None),
    }  # fmt: skip
    found = f"{count - late:,} of {count:,}, the latest after {_max(latency):.2f} s"
    return _verdict(("SC-1", "CRITICAL available within 30 s of arrival", "100%"), found, faults, figures)


def _deviation(m: Measured) -> Criterion:
    r = m.record
    dispatches = m.closing["dispatches"]
    counted = round(m.closing["deviation"] * dispatches)
    above, waiting = r.waiting_above(GRACE_S), r.waiting()
    begun = np.isfinite(r.started_at)
    recounted, of = int((above > 0).sum()), int((begun & (r.attempts == 1)).sum())
    choices = float((waiting[begun] > 0).mean()) if begun.any() else 0.0
    upper = wilson(max(counted, recounted), dispatches)[1]
    faults = []
    if dispatches < m.plan.dispatches:
        faults.append(f"only {dispatches:,} dispatches came about where {m.plan.dispatches:,} are judged: {_too_slow(m)}")
    if choices < LEAST_CHOICES:
        faults.append(f"something else waited at only {choices:.2%} of the dispatches: no order is proven by that")
    if not upper < DEVIATION:
        faults.append(f"the upper bound of the deviation is {upper:.3%}")
    low, high = wilson(counted, dispatches)
    figures: Figures = {
        "dispatches": dispatches, "deviating": counted, "share": counted / max(dispatches, 1), "wilson_low": low,
        "wilson_high": high, "recounted_dispatches": of, "recounted_deviating": recounted, "grace_s": GRACE_S,
        "upper_bound": upper, "with_a_choice": choices, "waiting_p99": percentile(waiting[begun].tolist(), 99),
    }  # fmt: skip
    found = f"{counted:,} of {dispatches:,} by its own count, {recounted:,} by the record; at most {upper:.3%}"
    return _verdict(("SC-2", "priority deviation under load", "< 1% (Wilson, 95%)"), found, faults, figures)


def _too_slow(m: Measured) -> str:
    begins, ends = m.parts["counting"]
    rate = float(_inside(m.record.available_at, (begins, ends)).sum()) / max(ends - begins, 1e-9)
    return f"this machine did {rate:,.0f} documents a second"


def _changes(m: Measured) -> Criterion:
    r = m.record
    held = sum(change.held for change in m.changes)
    by_kind = {what: sum(c.what == what for c in m.changes) for what in ("apply", "roll back", "invalid")}
    raised, wrong, kept_wrong = 0, 0, 0
    for symbol, version, level in zip(r.symbol, r.version, r.decided_level, strict=True):
        if symbol in m.raised and version in m.versions:
            raised, wrong = raised + 1, wrong + (level != "HIGH")
        elif symbol in m.raised and version == m.base:
            kept_wrong += level == "HIGH"
    unknown = sum(v != m.base and v not in m.versions for v in r.version if v)
    decided = np.sort(r.decided_at[np.isfinite(r.decided_at)])
    stall = max((_stall(decided, change.at, change.at + change.took_s) for change in m.changes), default=math.inf)
    usual = _stall_elsewhere(decided, m)
    lags = [s.loop_lag_s for s in m.samples if s.part in ("steady", "peak")]
    faults = [f"{c.what} did not hold: {c.words[:160]}" for c in m.changes if not c.held][:3]
    if len(m.changes) < FEWEST or not raised:
        faults.append(f"only {len(m.changes)} changes, and {raised} decisions by a changed set: too few to prove anything")
    if wrong or kept_wrong or unknown:
        faults.append(f"{wrong + kept_wrong:,} decisions were not as their version says, {unknown:,} of no version known")
    if not stall - usual < STALL_S:
        faults.append(f"nothing was decided for {stall:.2f} s around a change, for {usual:.2f} s elsewhere")
    figures: Figures = {
        "changes": len(m.changes), "held": held, **{f"{what.replace(' ', '_')}s": n for what, n in by_kind.items()},
        "decisions_by_changed_sets": raised, "took_s_max": max((c.took_s for c in m.changes), default=None),
        "longest_without_a_decision_s": stall, "the_same_elsewhere_s": usual, "loop_lag_s_max": max(lags, default=None),
    }  # fmt: skip
    found = f"{held} of {len(m.changes)} changes held, {raised:,} decisions by changed sets, none waited over {stall:.2f} s"
    words = ("SC-3", "guidelines changed and rolled back while ingesting, without effect on it", "none")
    return _verdict(words, found, faults, figures)


def _stall(decided: F8, begins: float, ends: float) -> float:
    """Return the longest time without a decision that overlaps a span."""
    first = max(0, int(np.searchsorted(decided, begins)) - 1)
    last = min(len(decided), int(np.searchsorted(decided, ends)) + 1)
    around = decided[first:last]
    return float(np.diff(around).max()) if len(around) > 1 else math.inf


def _stall_elsewhere(decided: F8, m: Measured) -> float:
    """Return the longest time without a decision while data came, that no change overlaps; 0 where there is none."""
    begins, ends = m.parts["steady"][0], m.parts["counting"][1]
    within = decided[(decided >= begins) & (decided < ends)]
    gaps = [
        float(after - before) for before, after in pairwise(within)
        if not any(change.at < after and change.at + change.took_s > before for change in m.changes)
    ]  # fmt: skip
    return max(gaps, default=0.0)


def _assigned(m: Measured) -> Criterion:
    g, r = m.graded, m.record
    live = right = 0
    for at, version in enumerate(r.version):
        if version != m.base or not math.isfinite(r.data_age_s[at]):
            continue
        live += 1
        expected = label(_known(r.volume[at]), _known(r.open_interest[at]), _known(r.gamma_change[at]), r.data_age_s[at])
        right += expected == r.decided_level[at]
    low = wilson(right, live)[0]
    faults = []
    if g["rows"] < 10_000 or live < 1_000:
        faults.append(f"only {g['rows']:,} labelled rows and {live:,} live decisions")
    if g["accuracy"] < CORRECT:
        faults.append(f"{g['rows'] - g['correct']:,} of {g['rows']:,} labelled rows are wrong")
    if low < CORRECT and right < live:  # of too few that are all right, that they are few was said
        faults.append(f"of {live:,} live decisions {live - right:,} are not what the firm's table says")
    figures: Figures = {
        "grid_rows": g["rows"], "grid_correct": g["correct"], "grid_accuracy": g["accuracy"], "live_decisions": live,
        "live_correct": right, "live_lower_bound": low,
    }  # fmt: skip
    found = f"{g['correct']:,} of {g['rows']:,} labelled rows, {right:,} of {live:,} live decisions"
    return _verdict(("SC-4", "correct automatic assignment", f">= {CORRECT:.0%}"), found, faults, figures)


def _known(value: float) -> float | None:
    return None if math.isnan(value) else float(value)


def _mean_at_peak(m: Measured) -> Criterion:
    r = m.record
    latency = _latency(r)[_urgent(m) & _inside(r.received_at, m.parts["peak"])]
    count, upper = len(latency), mean_at_most(latency.tolist())
    mean = float(latency.mean()) if count else math.nan
    faults = []
    if count < 30:
        faults.append(f"only {count} CRITICAL documents came at the peak: too few to prove anything")
    if not upper < MEAN_S:
        faults.append(f"the mean is at most {upper:.2f} s")
    figures: Figures = {
        "critical_at_peak": count, "mean_s": mean, "mean_upper_95_s": upper, "max_s": _max(latency),
    }  # fmt: skip
    found = f"{mean:.3f} s over {count:,}, at most {upper:.3f} s (95%)"
    return _verdict(("SC-5", "mean CRITICAL latency at the peak", f"< {MEAN_S:g} s"), found, faults, figures)


def _stages(m: Measured) -> list[Criterion]:
    r = m.record
    critical = _urgent(m)
    offers = [m.offered.by_digest.get(digest) for digest in r.sha256]
    offered_at = np.array([o.at if o is not None and o.feed.kind != "replay" else math.nan for o in offers])
    promised = _inside(r.received_at, (m.parts["steady"][0], m.parts["peak"][1]))
    rows = (
        ("receive", "offered to held", r.received_at - offered_at, RECEIVE_S),
        ("prioritise", "received to decided, the synced write of the payload in it", r.decided_at - r.received_at, PRIORITISE_S),
    )
    found = []
    for name, what, took, limit in rows:
        # While counting documents come as fast as they are taken: a queue before the door is what is wanted there.
        usual = took[np.isfinite(took) & promised]
        urgent = took[np.isfinite(took) & critical & promised]
        p99, worst = percentile(usual.tolist(), 99), _max(urgent)
        faults = []
        if not p99 < limit:
            faults.append(f"one in a hundred takes {p99:.2f} s or more")
        if not worst < limit:
            faults.append(f"a CRITICAL one took {worst:.2f} s")
        figures: Figures = {
            "documents": len(usual), "p50_s": percentile(usual.tolist(), 50), "p99_s": p99, "max_s": _max(usual),
            "critical_p99_s": percentile(urgent.tolist(), 99), "critical_max_s": worst,
        }  # fmt: skip
        told = f"p99 {p99:.3f} s, CRITICAL at most {worst:.3f} s"
        found.append(_verdict((name, what, f"< {limit:g} s"), told, faults, figures))
    took = (r.available_at - r.started_at)[critical]
    took = took[np.isfinite(took)]
    worst = _max(took)
    faults = [] if worst < PROMISE_S else [f"a CRITICAL one took {worst:.2f} s"]
    figures = {"documents": len(took), "p99_s": percentile(took.tolist(), 99), "max_s": worst}
    told = f"p99 {percentile(took.tolist(), 99):.3f} s, at most {worst:.3f} s"
    found.append(_verdict(("process", "CRITICAL, claimed to available", f"< {PROMISE_S:g} s"), told, faults, figures))
    return found


def _max(values: F8) -> float:
    return float(values.max()) if len(values) else math.nan


def overall(criteria: Sequence[Criterion], record: Record) -> bool:
    """Say whether a run passes: every criterion does, and there was something to judge."""
    return len(record) > 0 and all(criterion.passed for criterion in criteria)
