"""Look at the guidelines: in force, staged, faulty, and every version that decided."""

import asyncio

from msgspec.structs import replace

from gexdesk.engine.rulebook import Rulebook
from gexdesk.guidelines.backtest import Backtest
from gexdesk.guidelines.guideline import Guideline
from gexdesk.guidelines.reload import Fault
from gexdesk.guidelines.tally import Tally
from gexdesk.model.clock import Clock
from gexdesk.model.level import Level
from gexdesk.model.look.guidelines import (
    FaultView,
    GuidelinesLook,
    GuidelinesSeen,
    MoverView,
    RuleView,
    StagedView,
    TrialView,
    VersionView,
)
from gexdesk.model.view.guideline import GuidelineView


class RulebookLook:
    """Answer ``GuidelinesLook``."""

    def __init__(self, rulebook: Rulebook, tally: Tally, clock: Clock) -> None:
        self._rulebook = rulebook
        self._tally = tally
        self._clock = clock

    async def guidelines(self, _question: GuidelinesLook) -> GuidelinesSeen:
        """Return everything about the guidelines. Raises GuidelineError where the versions cannot be read."""
        book = self._rulebook
        history = await asyncio.to_thread(book.guidelines.history)
        now, rules, version, fault = self._clock.now(), book.rules, book.guidelines.version, book.guidelines.fault
        counts = {view.name: view for view in self._tally.views(rules, now)}
        return GuidelinesSeen(
            name=rules.name,
            version=version.version,
            author=version.author,
            at=version.at,
            reason=version.reason,
            text=book.guidelines.text,
            file=str(book.file) if book.file is not None else "",
            rules=tuple(_rule(guideline, counts.get(guideline.name)) for guideline in rules.guidelines),
            history=tuple(VersionView(v.version, v.author, v.at, v.reason, v.diff) for v in reversed(history)),
            staged=self._staged(),
            fault=None if fault is None else _fault(fault),
            apply_on_save=book.apply_on_save,
            locked_hours=tuple(map(str, book.locked)),
            locked_until=book.locked_until(now),
            revision=book.revision,
            unmatched=self._tally.unmatched,
            conflicts=self._tally.conflicts,
        )

    def _staged(self) -> StagedView | None:
        staged, trial = self._rulebook.guidelines.staged, self._rulebook.trial
        if staged is None:
            return None
        tried = None if trial.found is None else _tried(trial.found)
        return StagedView(staged.rules.version, staged.author, staged.at, staged.text, staged.diff, tried, trial.note)


def _rule(guideline: Guideline, counted: GuidelineView | None) -> RuleView:
    shown = RuleView(
        name=guideline.name,
        level=guideline.level,
        description=guideline.description,
        when=guideline.when,
        active=guideline.active,
        score=guideline.score,
        symbols=guideline.symbols,
        sessions=guideline.sessions,
        expires=guideline.expires,
    )
    if counted is None:
        return shown
    return replace(
        shown,
        last_minute=counted.last_minute,
        session=counted.session,
        last_symbol=counted.last_symbol,
        last_at=counted.last_at,
        conflicts=counted.conflicts,
    )


def _tried(found: Backtest) -> TrialView:
    return TrialView(
        rows=found.rows,
        changed=found.changed,
        counts={Level(one): {Level(other): n for other, n in row.items()} for one, row in found.confusion.items()},
        movers=tuple(MoverView(mover.symbol, mover.before, mover.after, mover.count) for mover in found.movers),
        critical_before=found.critical_before,
        critical_after=found.critical_after,
        capacity_ratio=found.capacity_ratio,
        words=found.words,
    )


def _fault(fault: Fault) -> FaultView:
    line, column = fault.details.get("line"), fault.details.get("column")
    return FaultView(
        message=fault.message,
        author=fault.author,
        at=fault.at,
        file=str(fault.details.get("file", "")),
        line=line if isinstance(line, int) else None,
        column=column if isinstance(column, int) else None,
        found=str(fault.details.get("found", "")),
        allowed=str(fault.details.get("allowed", "")),
        did_you_mean=str(fault.details.get("did_you_mean", "")),
    )
