"""Plan a run: how long each part lasts, how many dispatches it is to reach, and where it gives up."""

from msgspec import Struct

from gexdesk.certify.load import PEAK_S


class Plan(Struct, frozen=True):
    """Hold the parts of one run, in seconds.

    Attributes:
        steady_s: The promised load.
        peak_s: Ten times the documents and the small chains.
        dispatches: How many the deviation is judged over; after the peak small documents carry on until they are reached.
        counted_by_s: It ends then, whether or not they were, in seconds from the beginning of the load.
        drained_by_s: So does the wait for what is under way once no more is offered.
        change_every_s: From one change of the guidelines to the next, until the peak is over.
    """

    steady_s: float
    peak_s: float
    dispatches: int
    counted_by_s: float
    drained_by_s: float
    change_every_s: float


FULL = Plan(steady_s=150.0, peak_s=PEAK_S, dispatches=100_000, counted_by_s=660.0, drained_by_s=740.0, change_every_s=2.0)
"""At most a quarter of an hour, with what comes before and after."""

QUICK = Plan(steady_s=8.0, peak_s=8.0, dispatches=10_000, counted_by_s=36.0, drained_by_s=43.0, change_every_s=0.5)
"""At most a minute, judged by what so few can tell."""
