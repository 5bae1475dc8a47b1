"""The desk's figures for Prometheus: levels, sources, guidelines, incidents, lag. Names are bounded by the configuration."""

from collections.abc import Iterator
from math import inf

from prometheus_client import CollectorRegistry, generate_latest
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric

from gexdesk.model.view.desk import DeskView
from gexdesk.model.view.level import HISTOGRAM_EDGES_S, LevelView


class _Figures:
    """Turn one picture into metric families."""

    def __init__(self, view: DeskView) -> None:
        self._view = view

    def collect(self) -> Iterator[Metric]:
        yield from self._levels()
        yield from self._sources()
        yield from self._desk()

    def _levels(self) -> Iterator[Metric]:
        depth = GaugeMetricFamily("gexdesk_queue_jobs", "Jobs in the queue by level and state.", labels=("level", "state"))
        oldest = GaugeMetricFamily("gexdesk_queue_oldest_age_seconds", "Age of the oldest waiting job.", labels=("level",))
        kept = CounterMetricFamily("gexdesk_promises_kept", "Jobs available within their level's promise.", labels=("level",))
        latency = HistogramMetricFamily("gexdesk_latency_seconds", "Receipt to available.", labels=("level",))
        for level in self._view.levels:
            for state in ("depth", "paused", "delayed", "processing"):
                depth.add_metric((level.level, "waiting" if state == "depth" else state), getattr(level, state))
            age_s = 0.0 if level.oldest_received_at is None else max(0.0, self._view.taken_at - level.oldest_received_at)
            oldest.add_metric((level.level,), age_s)
            kept.add_metric((level.level,), level.within_promise)
            latency.add_metric((level.level,), _buckets(level), (level.mean_s or 0.0) * level.count)
        yield from (depth, oldest, kept, latency)

    def _sources(self) -> Iterator[Metric]:
        state = GaugeMetricFamily("gexdesk_source_state", "1 for the state a source is in.", labels=("source", "state"))
        age = GaugeMetricFamily("gexdesk_source_last_success_age_seconds", "Since its last good request.", labels=("source",))
        counts = {
            "requests": CounterMetricFamily("gexdesk_source_requests", "Requests made.", labels=("source",)),
            "successes": CounterMetricFamily("gexdesk_source_successes", "Requests that succeeded.", labels=("source",)),
            "received": CounterMetricFamily("gexdesk_source_payloads", "Payloads acknowledged.", labels=("source",)),
            "dead": CounterMetricFamily("gexdesk_source_dead_letters", "Payloads refused.", labels=("source",)),
        }
        for source in self._view.sources:
            state.add_metric((source.name, source.state), 1)
            if source.last_at is not None:
                age.add_metric((source.name,), max(0.0, self._view.taken_at - source.last_at))
            for field, family in counts.items():
                family.add_metric((source.name,), getattr(source, field))
        yield from (state, age, *counts.values())

    def _desk(self) -> Iterator[Metric]:
        view = self._view
        hits = CounterMetricFamily("gexdesk_guideline_hits", "Decisions a guideline won this session.", labels=("guideline",))
        for guideline in view.guidelines:
            hits.add_metric((guideline.name,), guideline.session)
        open_incidents = GaugeMetricFamily("gexdesk_incidents_open", "Open incidents by severity.", labels=("severity",))
        for severity in (1, 2):
            count = sum(1 for i in view.incidents if i.closed_at is None and i.severity == severity and not i.engine)
            open_incidents.add_metric((str(severity),), count)
        yield from (hits, open_incidents)
        for name, words, value in (
            ("gexdesk_unmatched_decisions", "Decisions no guideline matched.", view.unmatched),
            ("gexdesk_conflicting_decisions", "Same symbol and as_of decided at another level within a minute.", view.conflicts),
            ("gexdesk_payloads_received", "Payloads acknowledged.", view.received),
            ("gexdesk_jobs_completed", "Jobs stored.", view.completed),
            ("gexdesk_dead_letters", "Jobs that ended as dead letters.", view.dead),
        ):
            yield CounterMetricFamily(name, words, value=value)
        for name, words, figure in (
            ("gexdesk_store_lag_seconds", "How long the oldest result has waited to be stored.", view.store_lag_s),
            ("gexdesk_stopped", "1 while the kill switch is on.", float(view.stopped)),
            ("gexdesk_loop_lag_seconds", "Longest stall of the engine's loop in the last ten seconds.", view.loop_lag_s),
            ("gexdesk_payloads_aside", "LOW payloads set aside at high water.", float(view.aside)),
            ("gexdesk_undecided_payloads", "Payloads acknowledged and not decided yet.", float(view.undecided)),
            ("gexdesk_started_timestamp_seconds", "Since when every total counts.", view.since),
        ):
            yield GaugeMetricFamily(name, words, value=figure)
        if view.bound is not None:
            worst_s = inf if view.bound.worst_s is None else view.bound.worst_s
            words = "Receipt to available at the worst for CRITICAL, +Inf where nothing bounds it."
            yield GaugeMetricFamily("gexdesk_critical_bound_seconds", words, value=worst_s)


def metrics_of(view: DeskView) -> bytes:
    """Return a picture's figures as Prometheus text."""
    registry = CollectorRegistry(auto_describe=False)
    registry.register(_Figures(view))
    return generate_latest(registry)


def _buckets(level: LevelView) -> list[tuple[str, float]]:
    running, found = 0, []
    edges = [f"{edge:.6g}" for edge in HISTOGRAM_EDGES_S] + ["+Inf"]
    for edge, count in zip(edges, level.histogram, strict=True):
        running += count
        found.append((edge, float(running)))
    return found
