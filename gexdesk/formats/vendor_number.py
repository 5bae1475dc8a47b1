"""Read a column of numbers in which a vendor writes some text for a missing one."""

import math
from collections.abc import Sequence

import numpy as np

from gexdesk.formats.ranges import Where, refuse_rows
from gexdesk.model.snapshot import F8
from gexdesk.model.text import printable


def numbers(given: Sequence[float | str | None], missing: str, name: str, where: Where) -> F8:
    """Return float64[n], NaN where a value is None or the text for a missing one.

    Args:
        missing: The only text that may stand for a number.

    Raises:
        MalformedPayload: Another text; names the row.
    """
    texts = np.array([isinstance(value, str) for value in given], dtype=np.bool_)
    if not texts.any():
        return np.array(given, dtype=np.float64)  # None becomes NaN
    wrong = np.array([isinstance(value, str) and value != missing for value in given], dtype=np.bool_)
    allowed = f"a number, or '{missing}' for a missing one"
    refuse_rows(wrong, where, lambda i: f"{name} is '{printable(str(given[i]), 40)}'", allowed)
    return np.array([math.nan if isinstance(value, str) else value for value in given], dtype=np.float64)
