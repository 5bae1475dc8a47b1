"""What a source owes: bytes as they come, and an honest word on every try."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Literal, Protocol, runtime_checkable

from msgspec import Struct

from gexdesk.model.payload import Arrival

BreakerState = Literal["closed", "open", "half_open"]


class Fetched(Struct, frozen=True):
    """Report a request that brought a payload, which is acknowledged by now."""

    elapsed_s: float


class Unchanged(Struct, frozen=True):
    """Report a request that succeeded and brought nothing new."""

    elapsed_s: float


class Failed(Struct, frozen=True):
    """Report a request that failed; ``reason`` is printable and without secrets."""

    reason: str


class Ended(Struct, frozen=True):
    """Report that the source has nothing more to give, ever (a replay without loop)."""


class Connected(Struct, frozen=True):
    """Note, beside the outcomes, that a connection stands on which data is pushed; it says nothing of data."""

    elapsed_s: float


class Missed(Struct, frozen=True):
    """Note, beside the outcomes, that the sender's own count shows messages that never came.

    Attributes:
        count: How many.
        words: Where, e.g. ``sequence 41 to 45``; printable.
    """

    count: int
    words: str


class OutOfOrder(Struct, frozen=True):
    """Note, beside the outcomes, that a message came after one the sender counts later; it is handed over all the same."""

    words: str


class BreakerMoved(Struct, frozen=True):
    """Note, beside the outcomes, that the source's breaker changed.

    Attributes:
        probe_at: UTC seconds of the next probe while it is open, else None.
    """

    state: BreakerState
    probe_at: float | None


Outcome = Fetched | Unchanged | Failed | Ended | Connected | Missed | OutOfOrder | BreakerMoved
Deliver = Callable[[Arrival], Awaitable[None]]
"""Hand over bytes; returns once they are acknowledged (synced), so that only then the source forgets them.
Raises PayloadError where the bytes can never be taken, and StoreError where they cannot be kept now (try again)."""
DeliverTogether = Callable[[Sequence[Arrival]], Awaitable[None]]
"""Hand over several at once, in order: all are acknowledged when it returns, none where it raises, as ``Deliver`` does."""
Report = Callable[[Outcome], None]


class Source(Protocol):
    """Get bytes until cancelled. Pausing cancels ``run``, resuming calls it again: keep no state that this breaks."""

    name: str

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Fetch, deliver and report for ever, or until ``Ended`` was reported.

        A failed request is reported and tried again at the source's own pace; it never ends the run.
        """
        ...


@runtime_checkable
class Patient(Source, Protocol):
    """A source that waits between tries which fail."""

    def hasten(self) -> None:
        """Make the next try at once, since another source of the same vendor is answered; a wait its server asked for is kept."""
        ...
