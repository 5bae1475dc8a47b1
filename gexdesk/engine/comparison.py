"""Compare the sources of each symbol, at the same moment of the market, all the time."""

from bisect import bisect_left
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from gexdesk.engine.serving import Serving
from gexdesk.engine.symbols import Symbols
from gexdesk.gates.agree import apart, compare, disagreements
from gexdesk.gates.facts import Facts, dollars, points
from gexdesk.model.clock import Clock
from gexdesk.model.errors import UnknownTarget
from gexdesk.model.look.symbol import CompareLook, CompareSeen
from gexdesk.model.symbol_view import CompareRow
from gexdesk.model.text import printable

EVERY_S = 5.0
KEPT = 480
"""A word each five seconds for forty minutes: a feed that is a quarter of an hour late still meets its moment."""

NEAR_S = 60.0
STALE_S = 300.0
TWICE = 2
"""A disagreement must be there in so many comparisons of different snapshots before anybody is told."""


@dataclass(slots=True)
class _Apart:
    """Hold how a symbol's pair compared last, and how often in a row it disagreed on different snapshots."""

    seen: CompareSeen
    times: int = 0
    stamps: tuple[float | None, float | None] = (None, None)


class Comparison:
    """Remember what each source said when, and lay two sources side by side."""

    def __init__(self, symbols: Symbols, serving: Serving, clock: Clock) -> None:
        self._symbols = symbols
        self._serving = serving
        self._clock = clock
        self._said: dict[str, dict[str, list[Facts]]] = {}
        self._pairs: dict[str, _Apart] = {}

    def heard(self, facts: Facts) -> None:
        """Take a good snapshot with its levels; what comes out of order or within five seconds is not needed."""
        said = self._said.setdefault(facts.symbol, {}).setdefault(facts.source, [])
        if said and facts.market_at < said[-1].market_at:
            if facts.as_of <= said[-1].as_of:
                return
            said.clear()  # a replay began anew
        if len(said) > 1 and facts.market_at - said[-2].market_at < EVERY_S:
            said.pop()  # the newest is always there, those before it five seconds apart
        said.append(facts)
        if len(said) > 2 * KEPT:
            del said[:KEPT]

    def sighting(self, symbol: str, source: str, at: float) -> Facts | None:
        """Return what another source said of a symbol for a moment of the market, the nearest within a minute."""
        found = [near for name, said in self._said.get(symbol, {}).items() if name != source and (near := _near(said, at))]
        return min(found, key=lambda facts: abs(facts.market_at - at), default=None)

    def look(self, now: float) -> None:
        """Compare every symbol's serving source with its standby; called once a second."""
        for symbol in self._said:
            seen = self.compare(symbol, "")
            last = self._pairs.get(symbol)
            stamps = (seen.left_as_of, seen.right_as_of)
            if last is None:
                last = self._pairs[symbol] = _Apart(seen)
            if not disagreements(seen.rows):
                last.times = 0
            elif stamps != last.stamps:
                last.times += 1
            last.seen, last.stamps = seen, stamps

    def disagreeing(self) -> Iterator[tuple[CompareSeen, str]]:
        """Yield the pairs that disagree now, each with its figures in one line."""
        for symbol, pair in self._pairs.items():
            if pair.times >= TWICE and disagreements(pair.seen.rows):
                yield pair.seen, self._words(symbol)

    def disagrees(self, symbol: str) -> str:
        """Say how far a symbol's sources are apart; empty where they agree, or cannot be compared."""
        pair = self._pairs.get(symbol)
        return self._words(symbol) if pair is not None and pair.times >= TWICE and disagreements(pair.seen.rows) else ""

    def compare(self, symbol: str, other: str) -> CompareSeen:
        """Return a symbol's serving source beside its standby, or the source named."""
        plan, now = self._symbols.of(symbol), self._clock.now()
        left, right = self._serving.serving(symbol), other or self._serving.standby(symbol)
        said = self._said.get(symbol, {})
        newest = [said[name][-1] if said.get(name) else None for name in (left, right)]
        pair, text = self._aligned(said, left, right, now) if right else (None, "no second source brings it")
        rows: tuple[CompareRow, ...] = ()
        if pair is not None:
            ages = [now - one.market_at if one is not None else 0.0 for one in newest]
            rows = compare(*pair, plan.tolerances, age_left_s=ages[0], age_right_s=ages[1])
        known = self._pairs.get(symbol)
        return CompareSeen(
            symbol=symbol, left=left, right=right, left_delay_s=_delay(newest[0]), right_delay_s=_delay(newest[1]),
            left_as_of=pair[0].as_of if pair is not None else None, right_as_of=pair[1].as_of if pair is not None else None,
            rows=rows, disagree=not other and known is not None and known.times >= TWICE and bool(disagreements(rows)), text=text,
        )  # fmt: skip

    async def answer(self, question: CompareLook) -> CompareSeen:
        """Answer ``CompareLook``. Raises UnknownTarget."""
        symbol = self._symbols.of(question.symbol).name
        if symbol not in self._said and symbol not in self._symbols:
            raise UnknownTarget(f"no symbol is named {printable(question.symbol, 20)!r}")
        names = [account.name for account in self._symbols.sources_of(symbol)]
        if question.other and question.other not in names:
            raise UnknownTarget(f"{printable(question.other, 40)} does not bring {symbol}; {', '.join(names) or 'no source'} does")
        return self.compare(symbol, question.other)

    def _aligned(
        self, said: dict[str, list[Facts]], left: str, right: str, now: float
    ) -> tuple[tuple[Facts, Facts] | None, str]:
        """Return the newest moment of the market both sources speak of, or why there is none."""
        for name in (left, right):
            if not said.get(name):
                return None, f"{name or 'no source'} has given nothing yet"
        late = min((said[left][-1], said[right][-1]), key=lambda facts: facts.market_at)
        if now - late.received_at > STALE_S:
            return None, f"{late.source} has given nothing for {now - late.received_at:.0f} s"
        found = _near(said[right if late.source == left else left], late.market_at)
        if found is None:
            return None, f"nothing of the other source is near {late.source}'s moment of the market yet"
        pair = (late, found) if late.source == left else (found, late)
        why = apart(*pair)
        return (None, why) if why else (pair, "")

    def _words(self, symbol: str) -> str:
        seen = self._pairs[symbol].seen
        words = [_row_words(row, seen) for row in disagreements(seen.rows)]
        return f"{seen.left} and {seen.right} disagree: {', '.join(words)}"


def _row_words(row: CompareRow, seen: CompareSeen) -> str:
    if row.name in ("net_gex", "gross_gex"):
        return f"{row.name[:-4]} {dollars(row.left)} / {dollars(row.right)}"
    named = {"zero_gamma": "flip", "call_wall": "call wall", "put_wall": "put wall"}.get(row.name, row.name)
    gap = abs((row.left or 0.0) - (row.right or 0.0))
    return f"{named} {points(row.left)} / {points(row.right)}, {gap:,.6g} apart"


def _near(said: Sequence[Facts], at: float) -> Facts | None:
    """Return what was said nearest to a moment of the market, the later one of two, within a minute."""
    place = bisect_left(said, at, key=lambda facts: facts.market_at)
    best = min(reversed(said[max(0, place - 1) : place + 1]), key=lambda facts: abs(facts.market_at - at), default=None)
    return best if best is not None and abs(best.market_at - at) <= NEAR_S else None


def _delay(facts: Facts | None) -> float:
    return facts.delay_s if facts is not None else 0.0
