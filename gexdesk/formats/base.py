"""What a format owes, and how one is chosen by content."""

from collections.abc import Sequence
from typing import Protocol

from gexdesk.model.snapshot import Snapshot


class Format(Protocol):
    """Turn the bytes of one vendor's layout into snapshots. Every implementation passes ``tests/contracts/format_contract.py``.

    Attributes:
        name: As configured and shown, e.g. ``cboe_json``.
        default_delay_s: Known delay of its quotes where the configuration says nothing.
    """

    name: str
    default_delay_s: float

    def recognises(self, head: bytes) -> str:
        """Say whether the first 64 KB look like this format.

        Returns:
            Empty when they do; else why not, in a few printable words that an operator understands.
        """
        ...

    def decode(self, body: bytes, time_shift_s: float = 0.0) -> Sequence[Snapshot]:
        """Decode a whole document into one snapshot or more, in file order.

        Args:
            body: The document, no longer compressed.
            time_shift_s: Added to every ``as_of`` (not to ``quoted_at`` and expiries).

        Raises:
            MalformedPayload: What was found, where, what is allowed. Nothing is ever guessed.
        """
        ...
