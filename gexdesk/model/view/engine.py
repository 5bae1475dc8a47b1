"""One engine: the bound it can prove, and its part in a fleet."""

from msgspec import Struct


class BoundView(Struct, frozen=True):
    """Show the bound on CRITICAL: receipt to available at the worst, proven from what the desk measures of itself.

    Attributes:
        worst_s: None where nothing bounds it: more comes than its reserve can do.
        reserve_share: Of the reserved slots' last ten seconds that they worked, 0 to 1.
        why: What makes most of it, in words: why it is not better.
        term: What makes most of it, by name: ``receive``, ``commit``, ``publish``, ``death``, ``failover``, or the stage in which
            it waits. Empty in pictures of versions that did not tell.
    """

    worst_s: float | None
    promise_s: float
    reserve_share: float
    why: str
    term: str = ""


class EngineView(Struct, frozen=True):
    """Show one engine of a fleet. Counts are of what it did itself, since ``since``.

    Attributes:
        engine_id: Its name, the same in its next life.
        heartbeat_at: When it was last heard.
        silent: It was not heard for longer than its sources wait for it.
        this: It is the one that answers.
        in_flight: Payloads it acknowledged, or works on for others, that have not ended.
        sources: Those it fetches from.
        received, repeats, completed, dead: Payloads it acknowledged, and jobs it ended, for whomever.
        elsewhere: Payloads it acknowledged that others completed or buried.
        loop_lag_s: As ``DeskView.loop_lag_s``.
    """

    engine_id: str
    host: str
    pid: int
    since: float
    heartbeat_at: float
    slots: int
    in_flight: int
    sources: tuple[str, ...]
    received: int
    repeats: int
    completed: int
    dead: int
    elsewhere: int
    loop_lag_s: float = 0.0
    silent: bool = False
    this: bool = True
