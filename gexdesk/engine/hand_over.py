"""What one shift leaves to the next: incidents, what stands, and the holes in the data."""

from collections.abc import Callable, Mapping, Sequence

from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.serving import Served
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.model.clock import Clock
from gexdesk.model.look.handover import HandOverLook, HandOverSeen, StandingView

GAPS_SHOWN = 50


class HandOver:
    """Sum the desk up for whoever comes.

    Args:
        failed_over: Symbols that their first source does not serve.
        gaps: Holes that are not filled, one line each, newest first.
    """

    def __init__(
        self, *, incidents: Incidents, mutes: Mutes, standing: Standing, shift: Shift,
        failed_over: Callable[[], Mapping[str, Served]], gaps: Callable[[], Sequence[str]], clock: Clock,
    ) -> None:  # fmt: skip
        self._incidents = incidents
        self._mutes = mutes
        self._standing = standing
        self._shift = shift
        self._failed_over = failed_over
        self._gaps = gaps
        self._clock = clock

    async def answer(self, question: HandOverLook) -> HandOverSeen:
        """Return the sum as of now."""
        return self.sum()

    def sum(self) -> HandOverSeen:
        """Return the sum as of now."""
        now = self._clock.now()
        incidents = tuple(i for i in self._incidents.views() if i.closed_at is None or not i.seen)
        standing, mutes, gaps = self._stands(now), self._mutes.in_force(now), sorted(self._gaps(), key=_over)
        on_duty = self._shift.on_duty
        counts = (
            (sum(i.closed_at is None and i.state != "snoozed" for i in incidents), "open", "open"),
            (sum(i.state == "snoozed" for i in incidents), "snoozed", "snoozed"),
            (sum(not i.seen for i in incidents), "unseen", "unseen"),
            (sum(s.what == "override" for s in standing), "override", "overrides"),
            (sum(s.what == "pause" for s in standing), "pause", "pauses"),
            (sum(s.what == "fail-over" for s in standing), "fail-over", "fail-overs"),
            (len(mutes), "maintenance window", "maintenance windows"),
            (len(gaps), "gap", "gaps"),
        )
        words = ", ".join(f"{count} {one if count == 1 else many}" for count, one, many in counts if count)
        return HandOverSeen(
            shift_by=on_duty.operator, shift_since=on_duty.since, incidents=incidents, standing=standing, mutes=mutes,
            gaps=tuple(gaps[:GAPS_SHOWN]), summary=words or "nothing is open and nothing stands",
        )  # fmt: skip

    def _stands(self, now: float) -> tuple[StandingView, ...]:
        overrides = [
            StandingView("override", target, o.words, o.author, o.reason, o.since, o.until)
            for target, o in self._standing.overrides(now).items()
        ]
        pauses = [
            StandingView("pause", target, "paused", p.author, p.reason, p.since, None)
            for target, p in self._standing.pauses().items()
        ]
        if (stopped := self._standing.stopped) is not None:
            pauses.append(StandingView("pause", "everything", "kill switch", stopped.author, stopped.reason, stopped.since, None))
        overs = [
            StandingView("fail-over", symbol, f"from {over.source}", over.author, over.reason, over.since, None)
            for symbol, served in self._failed_over().items()
            if (over := served.over) is not None
        ]
        return tuple(sorted((*pauses, *overs, *overrides), key=lambda s: (s.until is not None, s.until or s.since)))


def _over(gap: str) -> bool:
    """Say whether nothing is to be done about a gap: it neither goes on nor can be filled. Those come last."""
    return "goes on" not in gap and "can be filled" not in gap
