"""What a source owes: bytes as they come, and an honest word on every try."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from msgspec import Struct

from gexdesk.model.payload import Arrival


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


Outcome = Fetched | Unchanged | Failed | Ended
Deliver = Callable[[Arrival], Awaitable[None]]
"""Hand over bytes; returns once they are acknowledged (synced), so that only then the source forgets them.
Raises PayloadError where the bytes can never be taken, and StoreError where they cannot be kept now (try again)."""
Report = Callable[[Outcome], None]


class Source(Protocol):
    """Get bytes until cancelled. Pausing cancels ``run``, resuming calls it again: keep no state that this breaks."""

    name: str

    async def run(self, deliver: Deliver, report: Report) -> None:
        """Fetch, deliver and report for ever, or until ``Ended`` was reported.

        A failed request is reported and tried again at the source's own pace; it never ends the run.
        """
        ...
