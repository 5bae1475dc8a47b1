"""Count what the guidelines did, for the screen: wins, what nothing matched, and data decided two ways."""

from collections import deque

from gexdesk.guidelines.decide import OVERRIDE, UNMATCHED
from gexdesk.guidelines.rules import RuleSet
from gexdesk.model.decision import Decision
from gexdesk.model.features import Features
from gexdesk.model.view.guideline import GuidelineView

MINUTE_S = 60


class _Wins:
    """Count one guideline; the minute is kept in cells of one second."""

    def __init__(self) -> None:
        self.session = 0
        self.conflicts = 0
        self.last_symbol = ""
        self.last_at: float | None = None
        self._cells: deque[tuple[int, int]] = deque()

    def add(self, symbol: str, at: float) -> None:
        second = int(at)
        count = self._cells.pop()[1] if self._cells and self._cells[-1][0] == second else 0
        self._cells.append((second, count + 1))
        self._drop(at)
        self.session += 1
        self.last_symbol, self.last_at = symbol, at

    def last_minute(self, now: float) -> int:
        self._drop(now)
        return sum(count for _, count in self._cells)

    def _drop(self, now: float) -> None:
        while self._cells and self._cells[0][0] <= int(now) - MINUTE_S:
            self._cells.popleft()


class Tally:
    """Hold the counts of one session; the caller brings the time.

    A conflict is the same data decided at different levels: the same symbol with the same ``as_of``, from whichever sources,
    within a minute and equally fresh (data that aged meanwhile rightly counts less). Levels an operator forced are none, and
    several guidelines matching one payload are none, since the highest score settles that.

    Attributes:
        unmatched: Decisions for which no guideline held.
        conflicts: Decisions that differ from the one before on the same data.
    """

    def __init__(self) -> None:
        self.start_session()

    def start_session(self) -> None:
        """Begin every count anew."""
        self.unmatched = 0
        self.conflicts = 0
        self._wins: dict[str, _Wins] = {}
        self._decided: dict[tuple[str, float], tuple[Decision, float]] = {}

    def record(self, features: Features, decision: Decision, at: float, as_of: float) -> None:
        """Count one decision; one made by an override counts nowhere.

        Args:
            at: When it was made.
            as_of: Stamp of the snapshot it is about, as every source of the symbol writes it.
        """
        if decision.winner == OVERRIDE:
            return
        if decision.winner == UNMATCHED:
            self.unmatched += 1
        else:
            self._wins.setdefault(decision.winner, _Wins()).add(features.symbol, at)
        self._compare((features.symbol, as_of), decision, at)

    def views(self, rules: RuleSet, now: float) -> tuple[GuidelineView, ...]:
        """Show the active guidelines in the file's order, those that never won too."""
        return tuple(
            GuidelineView(
                guideline.name, guideline.level, wins.last_minute(now), wins.session, wins.last_symbol, wins.last_at, wins.conflicts
            )
            for guideline in rules.active
            for wins in [self._wins.get(guideline.name) or _Wins()]
        )

    def _compare(self, data: tuple[str, float], decision: Decision, at: float) -> None:
        before, before_at = self._decided.pop(data, (decision, at))
        if at - before_at < MINUTE_S and before.freshness is decision.freshness and before.level is not decision.level:
            self.conflicts += 1
            for winner in {before.winner, decision.winner} - {UNMATCHED}:
                self._wins.setdefault(winner, _Wins()).conflicts += 1
        self._decided[data] = (decision, at)
        while (oldest := next(iter(self._decided))) != data and at - self._decided[oldest][1] >= MINUTE_S:
            del self._decided[oldest]
