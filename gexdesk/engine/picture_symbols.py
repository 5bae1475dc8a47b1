"""Draw what readers have of each symbol, and say in a word what is worst about it."""

from gexdesk.engine.comparison import Comparison
from gexdesk.engine.gatekeeper import Gatekeeper
from gexdesk.engine.quarantine import Quarantine
from gexdesk.engine.serving import Serving
from gexdesk.engine.symbols import Symbols
from gexdesk.gates.ordering import REVISED
from gexdesk.model.symbol_view import FeedOfSymbol
from gexdesk.model.text import printable
from gexdesk.model.view.symbol import SymbolView
from gexdesk.stores.base import LiveCache, LiveValue

GOOD_QUALITY = 0.9
OLD_S = 300.0
DELAYED_S = 60.0
_FAULTS = ("QUARANTINE", "FROZEN", "SILENT", "REPEATS")


class PictureSymbols:
    """Build the symbols' part of a picture."""

    def __init__(
        self, *, cache: LiveCache, symbols: Symbols, serving: Serving, gates: Gatekeeper, quarantine: Quarantine,
        comparison: Comparison,
    ) -> None:  # fmt: skip
        self._cache = cache
        self._symbols = symbols
        self._serving = serving
        self._gates = gates
        self._quarantine = quarantine
        self._comparison = comparison

    def take(self, now: float) -> tuple[SymbolView, ...]:
        """Return every symbol that has a value or should have one, in the order of the configuration."""
        values = {value.symbol: value for value in self._cache.all()}
        names = dict.fromkeys((*(plan.name for plan in self._symbols.expected()), *values))
        return tuple(self.view(name, now) for name in sorted(names, key=self._symbols.place))

    def view(self, symbol: str, now: float) -> SymbolView:
        """Return what readers have of one symbol."""
        value, plan = self._cache.get(symbol), self._symbols.of(symbol)
        serving, standby = self._serving.serving(symbol), self._serving.standby(symbol)
        check, text = self.check(symbol, value, now)
        exposure = value.exposure if value is not None else None
        offered = self._serving.offered(symbol, standby) if standby else None
        over = self._serving.failed_over(symbol)
        return SymbolView(
            symbol=symbol,
            served_by=value.source if value is not None else "",
            level=value.level if value is not None else None,
            why=value.why if value is not None else "",
            as_of=exposure.as_of if exposure is not None else None,
            delay_s=value.delay_s if value is not None else 0.0,
            changed_at=value.changed_at if value is not None else None,
            available_at=value.available_at if value is not None else None,
            added_s=max(0.0, value.available_at - value.received_at) if value is not None else None,
            spot=exposure.spot if exposure is not None else None,
            net_gex=exposure.net_gex if exposure is not None else None,
            gross_gex=exposure.gross_gex if exposure is not None else None,
            zero_gamma=exposure.zero_gamma.value if exposure is not None else None,
            call_wall=exposure.call_wall if exposure is not None else None,
            put_wall=exposure.put_wall if exposure is not None else None,
            coverage=exposure.coverage if exposure is not None else None,
            check=check,
            check_text=printable(text, 200),
            expected=plan.expected,
            serving=serving,
            standby=standby,
            standby_delay_s=offered.value.delay_s if offered is not None else None,
            standby_as_of=offered.value.exposure.as_of if offered is not None else None,
            readers=plan.readers,
            flags=value.flags if value is not None else (),
            quarantined=sum(case.count for case in self._quarantine.held(symbol)),
            failed_over=printable(f"{over.author}: {over.reason}", 200) if over is not None else "",
            revision=self._serving.revision(symbol),
        )

    def check(self, symbol: str, value: LiveValue | None, now: float) -> tuple[str, str]:
        """Return the word of ``SymbolView.check`` and its line."""
        serving = self._serving.serving(symbol)
        word, text = self._gates.feed(symbol, serving, now) if serving else ("waiting", "no source brings it")
        if word == "paused":
            return "PAUSED", text
        if value is None:
            return self._without_value(symbol, serving, word, text, now)
        if word in _FAULTS:
            return word, text
        disagrees = self._comparison.disagrees(symbol)
        if disagrees:
            return "DISAGREE", disagrees
        return _of_value(value, now)

    def _without_value(self, symbol: str, serving: str, word: str, text: str, now: float) -> tuple[str, str]:
        if word in ("QUARANTINE", "closed"):
            return word, text
        account = next((one for one in self._symbols.sources_of(symbol) if one.name == serving), None)
        if account is not None and not account.ended and not self._symbols.overdue(symbol, account, now):
            return "waiting", text
        return "MISSING", f"expected, and readers have nothing: {text or serving}"

    def feed(self, symbol: str, source: str, now: float, *, role: str) -> FeedOfSymbol:
        """Return how one source of a symbol does."""
        word, text = self._gates.feed(symbol, source, now)
        return self._gates.described(symbol, source, role=role, state=word, text=printable(text, 200))


def _of_value(value: LiveValue, now: float) -> tuple[str, str]:
    exposure = value.exposure
    age_s = now - exposure.as_of
    if age_s > OLD_S:
        return "old", f"its stamp is {age_s / 60:.0f} minutes old"
    if exposure.quality is not None and exposure.quality < GOOD_QUALITY:
        return f"qual {exposure.quality:.0%}", "; ".join(exposure.quality_reasons)
    if told := [flag.replace("_", " ") for flag in value.flags if flag != REVISED]:
        return "flagged", ", ".join(told)
    if value.delay_s >= DELAYED_S:
        return f"D{value.delay_s / 60:.0f}", f"its quotes are delayed by {value.delay_s / 60:.0f} minutes"
    return "ok", ""
