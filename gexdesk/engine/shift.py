"""Who has the shift: the operator who took it over last, across restarts."""

from pathlib import Path

import msgspec
from msgspec import Struct

from gexdesk.model.errors import StoreError
from gexdesk.stores.durable import write_durably


class OnDuty(Struct, frozen=True):
    """Name who has the shift, and since when; nobody before the first hand-over."""

    operator: str = ""
    since: float | None = None


class Shift:
    """Hold who is on duty, synced to a file at each hand-over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self.on_duty = OnDuty()

    def open(self) -> None:
        """Read what an earlier engine left.

        Raises:
            StoreError: The file is damaged; it is named.
        """
        try:
            self.on_duty = msgspec.json.decode(self._path.read_bytes(), type=OnDuty)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self._path} names who has the shift and cannot be read ({error}); look at it, then remove it"
            ) from error

    def take(self, operator: str, now: float) -> None:
        """Put an operator on duty; durable when it returns. Raises StoreError, and nothing was changed."""
        on_duty = OnDuty(operator, now)
        try:
            write_durably(self._path, msgspec.json.encode(on_duty))
        except OSError as error:
            raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
        self.on_duty = on_duty
