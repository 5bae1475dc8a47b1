"""More CRITICAL than the bound behind its promise allows for."""

from collections.abc import Iterator

from gexdesk.engine.admission import Admission
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind


class AdmissionBroken:
    """Find sources that bring more CRITICAL than is carried."""

    def __init__(self, admission: Admission) -> None:
        self._admission = admission

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield a condition a source."""
        self._admission.look()
        for excess in self._admission.excess():
            who = excess.source or "all sources together"
            yield Condition(
                kind=Kind.ADMISSION_BROKEN, key=f"admission {excess.source}", severity=2, subject=excess.source or "CRITICAL",
                text=(
                    f"{who} brought {excess.came:,} CRITICAL at once; {excess.burst:,} and {excess.per_s:.1f} a second are "
                    "carried, beyond that the promise is not proven"
                ),
                do_first="O sets a level below CRITICAL for a time; look at the rule that calls so much CRITICAL",
                source=excess.source,
            )  # fmt: skip
