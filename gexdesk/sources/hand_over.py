"""Hand bytes over until they are taken or refused for good."""

from collections.abc import Callable

from gexdesk.model.clock import Clock
from gexdesk.model.errors import PayloadError
from gexdesk.model.payload import Arrival
from gexdesk.sources.backoff import STORE_CAP_S, STORE_FIRST_S, backoff_s
from gexdesk.sources.base import Deliver


async def hand_over(
    arrival: Arrival, deliver: Deliver, *, clock: Clock, jitter: Callable[[], float], put_off: Callable[[str], None]
) -> str:
    """Deliver, again and again while the desk cannot keep it now; nothing newer is read meanwhile.

    Args:
        put_off: Told why, each time it could not be kept.

    Returns:
        Empty once it is acknowledged, else why it can never be taken.
    """
    failures = 0
    while True:
        try:
            await deliver(arrival)
        except PayloadError as error:
            return error.message
        except Exception as error:  # a StoreError, or a fault beyond: the bytes are still here
            put_off(f"could not be kept, will be handed over again: {error or type(error).__name__}")
            failures += 1
            await clock.sleep(backoff_s(failures, STORE_FIRST_S, jitter, STORE_CAP_S))
        else:
            return ""
