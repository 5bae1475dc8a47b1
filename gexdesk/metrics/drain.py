"""When a queue will be empty."""


def drain_s(depth: int, in_per_s: float, out_per_s: float) -> float | None:
    """Estimate the seconds until a queue is empty, if its rates stay as they are.

    Returns:
        0 where it is empty now, None where it is not draining.
    """
    if depth <= 0:
        return 0.0
    return depth / (out_per_s - in_per_s) if out_per_s > in_per_s else None
