"""Follow a sender's own count of its messages."""

from gexdesk.sources.base import Missed, OutOfOrder

_RESET_BELOW = 2
_LARGEST = 2**63


class Sequence:
    """Say what a sender's counter tells: what never came, and what came out of order.

    It outlives a lost connection: what was sent meanwhile is missing. A count that begins again at 0 or 1 is a new one.
    """

    def __init__(self) -> None:
        self._last: int | None = None

    def follow(self, value: object) -> Missed | OutOfOrder | None:
        """Take the next message's count; a value that is no count is left alone, and one that stands twice is a repeat."""
        if type(value) is not int or not 0 <= value < _LARGEST:
            return None
        last = self._last
        if last is None or value == last + 1 or (value < _RESET_BELOW and value != last):
            self._last = value
            return None
        if value <= last:
            return OutOfOrder(f"sequence {value} after {last}") if value < last else None
        self._last = value
        first, count = last + 1, value - last - 1
        return Missed(count, f"sequence {first}" if count == 1 else f"sequence {first} to {value - 1}")
