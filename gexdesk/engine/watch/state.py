"""Name a source's state, for the picture and for what watches over it."""

from gexdesk.engine.ledger import Account
from gexdesk.engine.standing import Standing

LATE_INTERVALS = 3.0
REFUSED_IN_A_ROW = 3


def state_of(account: Account, standing: Standing, now: float) -> str:
    """Return a source's state, the words of ``SourceView.state``."""
    if not account.assigned:
        return "unassigned"
    if standing.pause_of(account.name) is not None:
        return "paused"
    if standing.stopped is not None:
        return "stopped"
    if account.runs_on:
        return "elsewhere"
    if account.ended:
        return "ended"
    if account.failing_since is not None or account.refused_in_a_row >= REFUSED_IN_A_ROW:
        return "failing"
    quiet_s = account.quiet_s(now)
    if account.due_s is not None and quiet_s is not None and quiet_s > LATE_INTERVALS * account.due_s:
        return "late"
    if account.last_heard_at is None:
        return "waiting"
    if account.due_s is not None and now - account.last_heard_at > LATE_INTERVALS * account.due_s:
        return "quiet"
    return "live"
