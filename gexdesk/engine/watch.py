"""Watch: name what is wrong now, from the accounts, the queue and the promises."""

from gexdesk.engine.incidents import Condition
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.standing import Standing
from gexdesk.queues.base import QueueState

FAILING_S = 3.0
LATE_INTERVALS = 3.0
REFUSED_IN_A_ROW = 3
TOLD_S = 60.0
DEAD_LETTER_S = 60.0
STORE_LAG_S = 10.0


def state_of(account: Account, standing: Standing, now: float) -> str:
    """Return a source's state, the words of ``SourceView.state``."""
    if not account.assigned:
        return "unassigned"
    if standing.pause_of(account.name) is not None:
        return "paused"
    if standing.stopped is not None:
        return "stopped"
    if account.ended:
        return "ended"
    if account.failing_since is not None or account.refused_in_a_row >= REFUSED_IN_A_ROW:
        return "failing"
    quiet_s = account.quiet_s(now)
    if account.due_s is not None and quiet_s is not None and quiet_s > LATE_INTERVALS * account.due_s:
        return "late"
    return "waiting" if account.last_heard_at is None else "live"


class Watch:
    """Turn the state of the desk into conditions, once a second."""

    def __init__(self, ledger: Ledger, standing: Standing, keeper: Keeper) -> None:
        self._ledger = ledger
        self._standing = standing
        self._keeper = keeper
        self._dead: dict[str, tuple[int, float]] = {}
        self._missed: tuple[int, float] = (0, 0.0)
        self._told_until = 0.0
        self._told = ""

    def tell(self, words: str, now: float) -> None:
        """Show for a minute something that befell this engine itself, and blame no source for it meanwhile."""
        self._told, self._told_until = words, now + TOLD_S
        for account in self._ledger.all():
            if account.listening_since is not None:
                account.listening_since = now

    def conditions(self, queue: QueueState, critical_missed: int, now: float) -> list[Condition]:
        """Return everything that is wrong at this moment."""
        found = [c for account in self._ledger.all() for c in self._of_source(account, now)]
        if critical_missed > self._missed[0]:
            self._missed = (critical_missed, now)
        if self._missed[0] and now - self._missed[1] < DEAD_LETTER_S:
            found.append(
                Condition(
                    "promise", 2, "CRITICAL", f"{self._missed[0]} promises missed", "see what is ahead; pause what can wait"
                )
            )
        lag_s = self._keeper.lag_s()
        if lag_s > STORE_LAG_S:
            found.append(
                Condition("store", 1, "stores", f"results wait {lag_s:.0f} s to be stored", "readers are served; check the disk")
            )
        if now < self._told_until:
            found.append(Condition("engine", 2, "engine", self._told, "look at the host: load, memory, disk"))
        if queue.stopped:
            found.append(Condition("stopped", 2, "everything", "is stopped by the kill switch", "K starts it again"))
        return found

    def _of_source(self, account: Account, now: float) -> list[Condition]:
        found = []
        state = state_of(account, self._standing, now)
        subject = account.carries or account.name
        if state == "failing" and account.failing_since is None:
            text = f"{account.name} sends nothing usable: {account.last_refusal}"
            found.append(Condition(f"failing {account.name}", 2, subject, text, "the vendor; P pauses the source"))
        elif state == "failing" and account.failing_since is not None and now - account.failing_since > FAILING_S:
            text = f"{account.name} fails: {account.last_error}"
            found.append(Condition(f"failing {account.name}", 2, subject, text, "the vendor; P pauses the source"))
        elif state == "late" and account.last_heard_at is not None:
            text = f"{account.name} silent: due each {account.due_s:g} s"
            found.append(Condition(f"failing {account.name}", 2, subject, text, "the vendor; P pauses the source"))
        elif state == "unassigned":
            text = f"{account.name} has no standing level and is not processed"
            found.append(Condition(f"unassigned {account.name}", 1, subject, text, 'give it level = "auto" in the configuration'))
        count, at = self._dead.get(account.name, (0, 0.0))
        if account.dead > count:
            count, at = account.dead, now
            self._dead[account.name] = (count, at)
        if count and now - at < DEAD_LETTER_S:
            plural = "payload" if count == 1 else "payloads"
            text = f"{account.name}: {count} {plural} refused: {account.last_refusal}"
            found.append(Condition(f"dead {account.name}", 1, subject, text, "Enter on the source"))
        return found


