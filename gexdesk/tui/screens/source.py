"""Everything of one feed: how it does, what went wrong, what is in force, its symbols, its last decisions and their reasons."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.history import TrendLook, TrendSeen
from gexdesk.model.look.source import SourceLook, SourceSeen
from gexdesk.model.record_view import DecidedView
from gexdesk.model.view.source import SourceView
from gexdesk.tui import figures
from gexdesk.tui.decided import decided_lines
from gexdesk.tui.forms.aim import Aimed, lever_on_source
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import LEVER_KEYS, Key
from gexdesk.tui.screens.reading import CROSS, ReadingPage
from gexdesk.tui.widgets import bars
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

TREND_S = 600
COLUMNS = (
    Column("", 10),
    Column("symbol", 7, grows=3),
    Column("level", 8),
    Column("score", 5, right=True),
    Column("winner", 18, grows=10),
    Column("change", 8, right=True, rank=1),
    Column("data age", 8, right=True, rank=2),
    Column("open int.", 9, right=True, rank=3),
    Column("volume", 9, right=True, rank=3),
    Column("because", 10, rank=4, grows=60),
)
VIEWS = ("facts", "symbols")


class SourcePage(ReadingPage):
    """Show one source."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("p", "payload", "p", "payload", "the payload of the decision under the cursor: its bytes, and what became of it"),
        Key("w", "waiting", "w", "queue", "what waits of it"),
        Key("x", "dead", "x", "dead letters", "what of it could not be used"),
        Key("v", "turn", "v", "symbols", "its symbols in place of its figures, where there is no room for both"),
        Key("enter", "symbol", "Enter", "", "the symbol of the decision under the cursor"),
        CROSS,
        *(key for key in LEVER_KEYS if key.action != "lever('failover')"),
    )

    def __init__(self, house: House, name: str) -> None:
        self.name_wanted = name
        self.seen: SourceSeen | None = None
        self.trend: TrendSeen | None = None
        self.view = "facts"
        self._beats = 0
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return figures, symbols, the trail of decisions and all of the one under the cursor."""
        self.trail: Listing[DecidedView] = Listing(
            "trail", self.sight, "DECISIONS", COLUMNS, row=self._row, nothing="nothing of it was decided yet",
            text=lambda d: f"{d.symbol} {d.decision.level} {d.decision.winner} {d.decision.reason}",
        )  # fmt: skip
        self.trail.gone_words = "older than the trail goes"
        self.table = self.trail
        self.lines = LinesPane("decision", self.sight, self._decision)
        self.facts = LinesPane("facts", self.sight, self._facts)
        self.carried = LinesPane("carried", self.sight, self._symbols)
        return (self.facts, self.carried, self.trail, self.lines)

    def place(self, space: Region) -> dict[str, Region]:
        """Put figures and symbols side by side where there is room; the trail below, and the decision under it."""
        x, y, width, height = space
        wide = width >= 130
        upper = min(height * 2 // 5, 17 if wide else 9)
        lower = min(12 if height >= 30 else 6, (height - upper) // 2)
        left = 84 if wide else width
        found = {
            "trail": Region(x, y + upper, width, height - upper - lower),
            "decision": Region(x, y + height - lower, width, lower),
        }
        if wide:
            gap = upper - 1
            return found | {"facts": Region(x, y, left, gap), "carried": Region(x + left + 2, y, width - left - 2, gap)}
        return found | {"facts" if self.view == "facts" else "carried": Region(x, y, width, upper)}

    async def fetch(self) -> None:
        """Ask for the source, and now and then for its last ten minutes. Raises EngineAway, UnknownTarget, StoreError."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = await desk.look(SourceLook(source=self.name_wanted))
        self.trail.take({f"{d.job_id} {d.at}": d for d in self.seen.decisions})
        if self._beats % 5 == 0:
            now = self.sight.now
            self.trend = await desk.look(TrendLook("source", self.name_wanted, now - TREND_S, now))
        self._beats += 1

    @property
    def source(self) -> SourceView | None:
        """Return it as the picture has it."""
        return self.sight.source(self.name_wanted)

    def moved(self) -> None:
        """Tell about the decision under the cursor."""
        self.lines.paint()

    # ------------------------------------------------------------------ going on
    def action_payload(self) -> None:
        """Open the payload of the decision under the cursor."""
        one = self.trail.under_cursor
        job_id = one.job_id if one is not None else self.seen.last_job if self.seen is not None else ""
        if job_id:
            self.open_page("payload", job_id)
        else:
            self.notice.say(f"{self.name_wanted} has brought nothing that is recorded")

    def action_symbol(self) -> None:
        """Open the symbol of the decision under the cursor."""
        if (one := self.trail.under_cursor) is not None and one.symbol:
            self.open_page("symbol", one.symbol)

    def action_waiting(self) -> None:
        """Open its queue."""
        self.open_page("queue", self.name_wanted)

    def action_dead(self) -> None:
        """Open its dead letters."""
        self.open_page("dead", self.name_wanted)

    def action_turn(self) -> None:
        """Show its symbols in place of its figures, or those again."""
        self.view = VIEWS[1 - VIEWS.index(self.view)]
        self.rearrange()
        self.paint_body()

    def aim(self, verb: Verb) -> Aimed:
        """Aim at the source."""
        source, view = self.source, self.sight.shown
        if source is None or view is None:
            return f"the engine no longer knows {self.name_wanted}"
        return lever_on_source(verb, source, view)

    # ------------------------------------------------------------------ drawing
    def _facts(self, width: int) -> list[list[Run]]:
        source, now = self.source, self.sight.now
        if source is None:
            return [[(f" {self.name_wanted} ", "badge"), ("  the engine does not know it", "eye")]]
        well = source.state in ("live", "waiting", "quiet", "ended")
        head: list[Run] = [
            (f" {source.name} ", "badge"),
            (f"  {source.state if well else '! ' + source.state}", "bold" if well else "eye"),
            (f"  {source.level or '-'}", "bold"),
            (f", {source.why or 'no level: not processed'}", ""),
            (f"   {source.kind}", "faint"),
        ]
        found = source_pairs(source, self.seen, now)
        body = facts(found, width, max(1, width // 40))
        line = self._rate_line(width)
        return [head, *([line] if line else []), *body]

    def _rate_line(self, width: int) -> list[Run]:
        """Draw what came a minute over the last ten."""
        if self.trend is None or not self.trend.rows:
            return []
        at, rate = 0, self.trend.columns.index("rate_per_min")
        cells = min(60, width - 36)
        samples = [0] * TREND_S
        newest_at = self.trend.rows[-1][at] or 0.0
        first = last = int(newest_at) - TREND_S
        for row in self.trend.rows:
            end = int(row[at] or 0.0)
            # Of the older ones there is one row a minute: it stands for all seconds since the row before.
            for second in range(max(last, end - 60, first), end):
                samples[second - first] = int(row[rate] or 0)
            last = max(last, end)
        drawn = bars.trend(samples, cells, newest_at, TREND_S // cells)
        return [(" last 10 min   ", "faint"), (drawn, ""), (f" {max(samples)} a minute at most", "faint")]

    def _symbols(self, width: int) -> list[list[Run]]:
        seen, now = self.seen, self.sight.now
        if seen is None:
            return [[(" asking the engine ...", "faint")]]
        lines: list[list[Run]] = [[(" SYMBOLS", "bold"), (f"   {len(seen.symbols)}", "faint")]]
        for one in seen.symbols:
            feed = one.feed
            fine = feed.state in ("ok", "waiting", "closed", "history", "ended")
            age = None if feed.as_of is None else now - feed.as_of + feed.delay_s
            net = figures.billions(feed.figures.net_gex, feed.figures.gross_gex) if feed.figures is not None else ""
            lines.append(
                [
                    (f" {fit(one.symbol, 8)}{fit(feed.role, 8)} ", ""),
                    (fit(feed.state if fine else f"! {feed.state}", 12), "" if fine else "eye"),
                    (f" data {fit(figures.age(age), 7, right=True)}  {fit(net, 9, right=True)}", ""),
                    (f"  {feed.text}" if feed.text else "", "faint"),
                ]
            )
        return lines

    def _decision(self, width: int) -> list[list[Run]]:
        one = self.trail.under_cursor
        return decided_lines(one, width, self.sight.now) if one is not None else []

    def _row(self, one: DecidedView) -> list[Run]:
        decision, features = one.decision, one.features
        change, age, held, volume = (
            features.get(name) for name in ("gamma_change", "data_age_s", "open_interest", "volume")
        )  # fmt: skip
        return [
            (figures.time_of_day(int(one.at)), ""),
            (one.symbol or "several", ""),
            (str(decision.level), "bold" if decision.level == "CRITICAL" else ""),
            (f"{decision.score:.2f}", ""),
            (decision.winner, "bold" if decision.winner in ("override", "unmatched") else ""),
            (f"{change * 100:.1f} %" if isinstance(change, float) else "first", ""),
            (figures.age(age) if isinstance(age, float) else figures.UNKNOWN, ""),
            (figures.short_count(int(held)) if isinstance(held, float) else figures.UNKNOWN, ""),
            (figures.short_count(int(volume)) if isinstance(volume, float) else figures.UNKNOWN, ""),
            (decision.reason.partition(": ")[2] or decision.reason, "faint"),
        ]


def source_pairs(source: SourceView, seen: SourceSeen | None, now: float) -> list[tuple[str, str, str]]:
    """Return label, text and ink of everything known of a source, what needs an eye first."""

    def ago(at: float | None) -> str:
        return "never" if at is None else f"{figures.age(now - at)} ago"

    pairs: list[tuple[str, str, str]] = []
    if source.last_error:
        since = f", failing for {figures.age(now - seen.failing_since)}" if seen is not None and seen.failing_since else ""
        pairs.append(("last error", source.last_error + since, "eye"))
    if source.breaker != "closed":
        probe = "" if source.probe_at is None else f", asked again in {figures.age(max(0.0, source.probe_at - now))}"
        pairs.append(("breaker", f"{source.breaker.replace('_', ' ')}{probe}", "eye"))
    if source.paused_by:
        pairs.append(("paused", f"by {source.paused_by}: {source.paused_reason}", "bold"))
    if source.override:
        until = figures.until(source.override_until, now)
        pairs.append(("override", f"{source.override} by {source.override_by}, {until}: {source.override_reason}", "bold"))
    if source.last_refusal:
        pairs.append(("last refused", source.last_refusal, "eye" if source.dead else ""))
    if source.missed:
        pairs.append(("missed", f"{figures.many(source.missed, 'message')}; {source.last_missed}", "eye"))
    due = "nobody knows when" if source.due_s is None else f"each {figures.promise(source.due_s)}"
    payload = seen.last_payload_at if seen is not None else None
    answers = "not known yet" if source.response_s is None else f"{figures.latency(source.response_s)}, moving average"
    pairs += [
        ("heard", f"{ago(source.last_at)}, due {due}", ""),
        ("last payload", ago(payload), ""),
        ("answers in", answers, ""),
        ("errors 5 min", figures.count(source.errors_5m), "eye" if source.errors_5m else ""),
        ("reliable", f"{_share(source.reliability)} ever, {_share(source.reliability_today)} today", ""),
        ("", f"{_share(source.reliability_5m)} in 5 min, {source.successes:,} of {source.requests:,} good", ""),
        ("queued now", figures.count(source.queued), ""),
        ("per minute", figures.count(source.rate_per_min), ""),
        ("received", f"{source.received:,}, completed {source.completed:,}", ""),
        ("dead letters", figures.count(source.dead), "bold" if source.dead else ""),
        ("repeats", f"{source.repeats:,}, reorders {source.reorders:,}", ""),
        ("standing", source.standing or "none: not processed", ""),
        ("quotes", f"delayed {figures.promise(source.delay_s)}" if source.delay_s else "not delayed", ""),
        ("expected", {"always": "at any hour"}.get(source.hours, f"in {source.hours} hours"), ""),
    ]
    if source.breaker == "closed":
        pairs.append(("breaker", "closed", ""))
    if seen is not None:
        pairs += [("vendor", seen.vendor, ""), ("format", seen.format or "found out from the bytes", "")]
        pairs.append(("data type", seen.data_type.replace("_", " "), ""))
        if seen.assumed is not None:
            pairs.append(("assumed", f"volume {seen.assumed[0]:,.0f}, open interest {seen.assumed[1]:,.0f}", ""))
    if source.base_url:
        pairs.append(("from", source.base_url, ""))
    return pairs


def _share(share: float) -> str:
    """Write a share, cut and never rounded up."""
    return "100 %" if share >= 1 else f"{int(share * 1000) / 10:.1f} %"
