"""Expectations: remember what a lever promised, and say how it came once the first job it moved is available."""

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.model.job import Job


class Expected(Struct, frozen=True):
    """Hold one prediction.

    Attributes:
        act: Who did what, for the log.
        job_id: The first job that was moved; empty where the next one to come is meant.
        wait_s: Predicted time from the lever, or from that job's receipt, to its start; None where nobody could tell.
        at: When the lever was pulled, UTC seconds.
    """

    act: str
    job_id: str
    wait_s: float | None
    at: float


class Expectations:
    """Hold one prediction a target; a newer lever on the same target replaces it."""

    def __init__(self, chronicle: Chronicle) -> None:
        self._chronicle = chronicle
        self._expected: dict[str, Expected] = {}

    def expect(self, key: str, expected: Expected) -> None:
        """Remember a prediction for a target, by its key."""
        self._expected[key] = expected

    def available(self, job: Job, started_at: float | None, at: float) -> None:
        """Note that a job is available; where it is the one that was foreseen, say how the prediction came out."""
        if not self._expected:
            return
        for key in (f"job:{job.job_id}", f"symbol:{job.symbol}", job.source):
            expected = self._expected.get(key)
            if expected is None or (expected.job_id != job.job_id if expected.job_id else job.received_at < expected.at):
                continue
            del self._expected[key]
            since = expected.at if expected.job_id else job.received_at
            foreseen = "nobody could tell" if expected.wait_s is None else f"about {expected.wait_s:.1f} s"
            began = "" if started_at is None else f"began after {max(0.0, started_at - since):.1f} s, "
            words = f"{began}available after {max(0.0, at - since):.1f} s"
            self._chronicle.tell("lever", f"{expected.act}: foreseen {foreseen}; {words}")
