"""Compare a snapshot with the previous one of the same source and session."""

import math


def gamma_change(net: float | None, previous_net: float | None, previous_gross: float | None) -> float | None:
    """Return abs(net - previous net) / previous gross, a fraction.

    Dividing by gross rather than net keeps the number meaningful near zero gamma, where net changes its sign.

    Args:
        net, previous_net, previous_gross: USD per 1% move; None where unknown.

    Returns:
        None where any of them is unknown or not finite, or the previous gross is not positive: from nothing there is no
        fraction of change, and an infinite one would make every first quote of an empty chain look large.
    """
    if net is None or previous_net is None or previous_gross is None:
        return None
    if not (math.isfinite(net) and math.isfinite(previous_net) and math.isfinite(previous_gross)) or previous_gross <= 0:
        return None
    return abs(net - previous_net) / previous_gross
