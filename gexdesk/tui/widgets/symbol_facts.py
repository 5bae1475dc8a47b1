"""What is known of one symbol beside its curve and strikes: what is wrong with it, its figures, the sources that feed it."""

from collections.abc import Callable, Iterable
from textwrap import wrap

from gexdesk.model.exposure import Exposure
from gexdesk.model.look.symbol import SymbolSeen
from gexdesk.model.symbol_view import Figures
from gexdesk.tui import figures
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.pane import BLANK, Pane

FAULT_LINES = 2

MAY_LACK = ("abs gamma", "0DTE share", "put/call", "coverage", "open int.", "DEX", "VEX", "CHEX", "vendor net")
"""Figures that some formats do not carry: a line of nothing but dashes is left out."""


class FaultPane(Pane):
    """Draw what is wrong with it, in full; of what is held back also its figures beside those that readers have."""

    def __init__(self, id: str, sight: Sight, seen: Callable[[], SymbolSeen | None]) -> None:
        super().__init__(id, sight)
        self._seen = seen

    def lines(self, width: int) -> list[list[Run]]:
        """Return the lines there are: none where nothing is wrong."""
        seen = self._seen()
        if seen is None or not seen.view.check_text:
            return []
        lines: list[list[Run]] = [[(f" {part}", "eye")] for part in wrap(f"! {seen.view.check_text}", width - 2)[:FAULT_LINES]]
        case = next((one for one in seen.cases if one.source == seen.view.serving), None)
        if case is None:
            return lines
        sides = [("held back", case.suspect, "x shows why"), ("readers have", case.live, f"from {case.live_source}")]
        return lines + [_side(*side) for side in sides]

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line."""
        lines = self.lines(self.size.width)
        return lines[y] if y < len(lines) else BLANK


def _side(label: str, side: Figures | None, more: str) -> list[Run]:
    """Write the figures that matter of one side."""
    if side is None:
        return [(fit(f" {label}", 14), "faint"), ("nothing", "bold")]
    words = f"spot {figures.price(side.spot)}  net GEX {figures.billions(side.net_gex, side.gross_gex)}"
    stamp = figures.time_of_day(int(side.as_of))
    return [(fit(f" {label}", 14), "faint"), (words, "bold"), (f"  as of {stamp}  {more}", "faint")]


class FactsPane(Pane):
    """Draw the figures that an operator is asked for, with what changed since the snapshot before.

    Args:
        id: Of the pane.
        sight: Tells the time.
        symbol: Whose they are, while nothing is known of it.
        seen: Gives what the engine said last; None before it did.
        hedges: Tells whether the hedging exposures are shown in their place.
    """

    def __init__(
        self, id: str, sight: Sight, symbol: str, seen: Callable[[], SymbolSeen | None], hedges: Callable[[], bool]
    ) -> None:
        super().__init__(id, sight)
        self._symbol, self._seen, self._hedges = symbol, seen, hedges
        self._lines: list[list[Run]] = []

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Write the lines anew."""
        self._lines = self._write()
        super().paint(rows)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line."""
        return self._lines[y] if y < len(self._lines) else BLANK

    def _write(self) -> list[list[Run]]:
        seen = self._seen()
        if seen is None:
            return [[(f" {self._symbol} ", "badge"), ("  asking the engine ...", "faint")]]
        view, now = seen.view, self.sight.now
        check: Run = ("ok", "") if view.check == "ok" else (f"! {view.check}", "eye")
        head: list[Run] = [(f" {seen.symbol} ", "badge"), (f"  {view.level or '-'}  ", "bold"), check]
        if seen.exposure is None:
            return [head] if view.check_text else [head, [(" nothing serves it", "eye")]]
        facts = _hedges(seen.exposure) if self._hedges() else _figures(seen, seen.exposure, now)
        facts = [one for one in facts if one[0] not in MAY_LACK or any(c.isdigit() for c in one[1] + one[2])]
        lines = [head]
        for label, text, more in facts:
            told = whole_parts(more, self.size.width - 16 - width_of(text))
            lines.append([(fit(f" {label}", 14), "faint"), (text, ""), (f"  {told}" if told else "", "faint")])
        return lines


class FeedsPane(Pane):
    """Draw one line for each source of the symbol, the serving one first."""

    def __init__(self, id: str, sight: Sight, seen: Callable[[], SymbolSeen | None]) -> None:
        super().__init__(id, sight)
        self._seen = seen

    def draw(self, y: int) -> Iterable[Run]:
        """Draw the heading or one source."""
        seen = self._seen()
        if seen is None:
            return BLANK
        if y == 0:
            readers = " ".join(seen.view.readers) or "nobody is named"
            held = f"   held back {len(seen.cases)}" if seen.cases else ""
            return ((" FEEDS", "bold"), (f"   readers {readers}", "faint"), (held, "eye"))
        if y > len(seen.feeds):
            return BLANK
        feed, now = seen.feeds[y - 1], self.sight.now
        data = None if feed.as_of is None else now - feed.as_of + feed.delay_s
        delay = f" D{feed.delay_s / 60:.0f}" if feed.delay_s else ""
        fine = feed.state in ("ok", "waiting", "closed", "history", "ended")
        return (
            (f" {fit(feed.role, 8)} {fit(feed.source + delay, 20)} ", ""),
            (fit(feed.state if fine else f"! {feed.state}", 12), "" if fine else "eye"),
            (f" data {fit(figures.age(data), 6, right=True)}", ""),
            (f"  net {figures.billions(feed.figures.net_gex, feed.figures.gross_gex)}" if feed.figures is not None else "", ""),
            (f"  {feed.text}", "faint"),
        )


def _figures(seen: SymbolSeen, exposure: Exposure, now: float) -> list[tuple[str, str, str]]:
    view, before = seen.view, seen.previous
    regime = "" if exposure.net_gex is None else "positive gamma" if exposure.net_gex > 0 else "negative gamma"
    flip = exposure.zero_gamma
    away = ""
    if flip.value is not None and exposure.spot:
        away = f"{(flip.value / exposure.spot - 1) * 100:+.2f} % from spot{_points(flip.value, before, 'zero_gamma')}"
    roots = f", {len(flip.roots)} roots" if len(flip.roots) > 1 else ""
    delay = f" D{view.delay_s / 60:.0f}" if view.delay_s else ""
    age = figures.age(None if view.as_of is None else now - view.as_of + view.delay_s)
    changed = figures.age(None if view.changed_at is None else now - view.changed_at)
    by_volume = figures.billions(exposure.net_gex_volume, exposure.gross_gex)
    return [
        ("spot", figures.price(exposure.spot), _moved(exposure.spot, before, "spot")),
        ("served by", f"{view.served_by}{delay}", f"data {age}, changed {changed} ago"),
        (
            "net GEX", figures.billions(exposure.net_gex, exposure.gross_gex),
            ", ".join(filter(None, (_moved_gex(exposure, before), regime))),
        ),
        ("gross GEX", figures.billions(exposure.gross_gex), f"net by volume {by_volume}"),
        ("flip", figures.price(flip.value) if flip.value is not None else flip.status.replace("_", " "), away + roots),
        (
            "call wall", figures.price(exposure.call_wall) + _was(exposure.call_wall, before, "call_wall"),
            f"put wall {figures.price(exposure.put_wall)}{_was(exposure.put_wall, before, 'put_wall')}",
        ),
        ("abs gamma", figures.price(exposure.absolute_gamma_strike), f"max pain {figures.price(exposure.max_pain)}"),
        ("0DTE share", _percent(exposure.zero_dte_share), f"top 5 strikes {_percent(exposure.top5_share)}"),
        ("put/call", f"{_ratio(exposure.put_call_oi)} by OI", f"{_ratio(exposure.put_call_volume)} by volume"),
        ("coverage", _percent(exposure.coverage), f"quality {_percent(exposure.quality)}"),
        (
            "open int.", _contracts(exposure.total_open_interest),
            f"volume {_contracts(exposure.total_volume)}{_more(exposure.total_volume, before)}",
        ),
        *(("checks", flag, "") for flag in seen.flags[:3]),
        *(("because", reason, "") for reason in (*exposure.quality_reasons, *exposure.warnings)[:3]),
    ]  # fmt: skip


def _hedges(exposure: Exposure) -> list[tuple[str, str, str]]:
    conventions = exposure.conventions
    return [
        ("DEX", figures.billions(exposure.dex), "USD"),
        ("VEX", figures.billions(exposure.vex), "USD a vol point"),
        ("CHEX", figures.billions(exposure.chex), "USD a day"),
        ("rate", f"{conventions.rate:.3%}", f"dividend yield {conventions.dividend_yield:.3%}"),
        ("time", conventions.time, f"gamma from {conventions.gamma_source}"),
        ("sign", conventions.sign, f"x {conventions.multiplier:g}"),
        ("vendor net", figures.billions(exposure.vendor_net_gex, exposure.gross_gex), ""),
        *(
            (e.expiry, figures.billions(e.net_gex, exposure.gross_gex), f"gross {figures.billions(e.gross_gex)}")
            for e in exposure.gex_by_expiry[:8]
        ),
    ]


def _moved(now: float | None, before: Figures | None, field: str) -> str:
    was = getattr(before, field) if before is not None else None
    return f"{(now / was - 1) * 100:+.2f} %" if now is not None and was else ""


def _points(now: float, before: Figures | None, field: str) -> str:
    was = getattr(before, field) if before is not None else None
    return f", moved {now - was:+,.1f}" if was is not None and round(now - was, 1) else ""


def _was(now: float | None, before: Figures | None, field: str) -> str:
    was = getattr(before, field) if before is not None else None
    return f" was {figures.price(was)}" if now is not None and was is not None and was != now else ""


def _more(volume: float | None, before: Figures | None) -> str:
    was = before.total_volume if before is not None else None
    return f", +{figures.count(int(volume - was))}" if volume is not None and was is not None and volume > was else ""


def _moved_gex(exposure: Exposure, before: Figures | None) -> str:
    if before is None or before.net_gex is None or exposure.net_gex is None:
        return ""
    moved = figures.billions(exposure.net_gex - before.net_gex, exposure.gross_gex)
    return f"moved {moved}" if any(c in "123456789" for c in moved) else ""


def whole_parts(text: str, width: int) -> str:
    """Return as many parts of a text, between commas, as fit whole: half a number is a wrong one."""
    parts = text.split(", ")
    while parts and width_of(", ".join(parts)) > width:
        parts.pop()
    return ", ".join(parts)


def _percent(share: float | None) -> str:
    return figures.UNKNOWN if share is None else f"{share * 100:.1f} %"


def _ratio(value: float | None) -> str:
    return figures.UNKNOWN if value is None else f"{value:.2f}"


def _contracts(value: float | None) -> str:
    return figures.UNKNOWN if value is None else figures.count(int(value))
