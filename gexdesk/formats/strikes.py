"""Put the strikes of a given table in order, and refuse what cannot be one."""

import numpy as np
from numpy.typing import NDArray

from gexdesk.formats.ranges import MAX_POINTS, Where, refuse_rows
from gexdesk.model.snapshot import F8


def ascending(strike: F8, where: Where) -> NDArray[np.intp]:
    """Return the order that sorts n strikes ascending.

    Args:
        strike: float64[n], points, in file order.
        where: Names a row of the file.

    Raises:
        MalformedPayload: A strike is not above 0 or above ``MAX_POINTS``, or stands twice.
    """
    refuse_rows(~((strike > 0) & (strike <= MAX_POINTS)), where, lambda i: f"strike {strike[i]:.15g}", "above 0")
    order = np.argsort(strike, kind="stable")
    again = np.zeros(len(strike), dtype=np.bool_)
    again[order[1:]] = np.diff(strike[order]) == 0
    refuse_rows(again, where, lambda i: f"strike {strike[i]:.15g} stands twice", "each strike once")
    return order
