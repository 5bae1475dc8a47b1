"""Read the newest of many quote times, as vendors that stamp each contract alone have them."""

from collections.abc import Iterable

from gexdesk.formats.ranges import stamp_in_range
from gexdesk.model.errors import MalformedPayload


def newest_ms(stamps: Iterable[float | None], names: str) -> float:
    """Return the newest of many stamps in epoch milliseconds, as UTC seconds; None, 0 and negative ones are missing.

    Args:
        names: The fields they stand in, for an operator.

    Raises:
        MalformedPayload: There is none, or the newest lies outside 1990 to 2100.
    """
    newest = max((stamp for stamp in stamps if stamp is not None and stamp > 0), default=None)
    if newest is None:
        raise MalformedPayload(f"no contract has a time ({names}); allowed: epoch milliseconds on one or more")
    return stamp_in_range(newest / 1000.0, names)
