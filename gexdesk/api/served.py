"""What the routes need of an engine, beyond the desk that screens know."""

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, Protocol

from gexdesk.desk import Desk
from gexdesk.model.event import QueueEvent
from gexdesk.model.request import Accepted, RequestStands, Submission


class Served(Desk, Protocol):
    """An engine as programs use it."""

    async def submit(self, asked: Submission, who: str) -> Accepted:
        """Take a request for one document, durably.

        Raises:
            AddressRefused: The desk will not fetch that URL.
            SubmissionRefused: What it asks is not allowed, or too many requests are open (``retry_after_s``).
            StoreError: It could not be kept.
        """
        ...

    async def request(self, request_id: str) -> RequestStands:
        """Return how a request stands. Raises UnknownTarget."""
        ...

    async def copy_metadata(self) -> Path:
        """Write a consistent copy of the metadata and return where it lies. Raises StoreError."""
        ...

    async def rows(self, relation: str, limit: int, symbol: str | None = None, after: float | None = None) -> list[dict[str, Any]]:
        """Return the newest rows of what was kept.

        Args:
            relation: ``snapshots``, ``decisions``, ``jobs``, ``incidents``, ``gaps``, ``overrides``, ``requests`` or
                ``dead_letters``.
            limit: At most so many, the newest first.
            symbol: Of this symbol alone.
            after: Of what came after this time, UTC seconds.

        Raises:
            UnknownTarget: No such relation.
            StoreError: The store cannot answer now.
        """
        ...

    async def arrow(self, relation: str, limit: int, symbol: str | None = None, after: float | None = None) -> bytes:
        """Return the rows as an Arrow IPC stream, with their own types; arguments and errors as ``rows``."""
        ...

    async def audit(self, limit: int) -> list[dict[str, Any]]:
        """Return the last lines of the audit, the newest first. Raises StoreError."""
        ...

    def updates(self) -> AsyncIterator[QueueEvent]:
        """Yield what happens to jobs, as it happens; a slow reader misses some and is told how many."""
        ...
