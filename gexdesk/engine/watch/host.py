"""What befell this engine itself: it stood still, its clock jumped, the one before it was killed."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Ledger
from gexdesk.model.clock import Clock

BEAT_S = 1.0
TOLD_S = 60.0
STOOD_STILL_S = 5.0
JUMP_S = 2.0


class Host:
    """Find gaps between two beats that no clock explains, and tell for a minute what was found.

    It beats by itself, so that a look which waits for the disk is not taken for a pause, and before each look, so that no other
    cause is judged by a clock that jumped. Nothing of it is a source's fault: after such a gap all of them are heard anew.
    """

    def __init__(self, ledger: Ledger, clock: Clock) -> None:
        self._ledger = ledger
        self._clock = clock
        self._beaten: tuple[float, float] | None = None
        self._told: dict[Kind, tuple[str, float]] = {}

    def tell(self, kind: Kind, text: str, now: float) -> None:
        """Show something for a minute, and blame no source for it meanwhile."""
        self._told[kind] = text, now + TOLD_S
        for account in self._ledger.all():
            if account.listening_since is not None:
                account.listening_since = now

    async def run(self) -> None:
        """Beat each second, for ever."""
        while True:
            self.beat()
            await self._clock.sleep(BEAT_S)

    def beat(self) -> None:
        """Compare both clocks with the last beat."""
        now, monotonic = self._clock.now(), self._clock.monotonic()
        if self._beaten is not None:
            wall_s, still_s = now - self._beaten[0], monotonic - self._beaten[1]
            if still_s > STOOD_STILL_S:
                self.tell(Kind.STOOD_STILL, f"the engine itself stood still for {still_s:.0f} s", now)
            if abs(wall_s - still_s) > JUMP_S:
                way = "forward" if wall_s > still_s else "back"
                self.tell(Kind.CLOCK_JUMP, f"the clock was set {way} by {abs(wall_s - still_s):.1f} s: ages are wrong by that", now)
        self._beaten = now, monotonic

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield what is still told."""
        self.beat()
        for kind, (text, until) in self._told.items():
            if until - TOLD_S <= now < until:
                yield Condition(
                    kind=kind, key=f"host {kind}", severity=2, subject="clock" if kind is Kind.CLOCK_JUMP else "engine", text=text,
                    do_first=_DO_FIRST[kind], came_at=until - TOLD_S,
                )  # fmt: skip


_DO_FIRST = {
    Kind.CLOCK_JUMP: "check the host's time service; the stamps of that second are doubtful",
    Kind.STOOD_STILL: "look at the host: load, memory, disk",
    Kind.UNCLEAN_START: "look at the engine's log for its last words; nothing acknowledged is lost",
}
