"""The kill switch: for as long as it is on, nothing is fetched and nothing is served."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.standing import Standing


class KillSwitch:
    """Find the switch on."""

    def __init__(self, standing: Standing) -> None:
        self._standing = standing

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition."""
        stopped = self._standing.stopped
        if stopped is not None:
            yield Condition(
                kind=Kind.KILL_SWITCH, key="stopped", severity=2, subject="everything",
                text=f"is stopped by the kill switch: {stopped.author}, {stopped.reason}", do_first="K starts it again",
            )  # fmt: skip
