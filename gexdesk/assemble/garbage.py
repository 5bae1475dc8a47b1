"""Let Python look for garbage rarely: by default it took a tenth of the loop's time, a fifth of a second at once."""

import gc

_ALLOCATIONS = 20_000
"""So many objects more than were freed start a look at the young ones. What a payload brings is freed with it, by count: of what
only a look can find (cycles) it leaves nothing."""


def not_yet() -> None:
    """Do not look while an engine is built: looking through what a recovery makes again and again takes twice as long."""
    gc.disable()


def rarely() -> None:
    """Begin, once everything is built: what is there stays, and is not looked through, not even once."""
    gc.freeze()
    gc.set_threshold(_ALLOCATIONS, 10, 10)
    gc.enable()


def as_before() -> None:
    """Look as Python does by itself."""
    gc.unfreeze()
    gc.set_threshold(700, 10, 10)
    gc.enable()
