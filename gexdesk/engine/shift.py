"""Who has the shift: the operator who took it over last, across restarts."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.stores.durable import write_durably


class OnDuty(Struct, frozen=True):
    """Name who has the shift, and since when; nobody before the first hand-over."""

    operator: str = ""
    since: float | None = None

    @property
    def author(self) -> str:
        """Return who made it so."""
        return self.operator


Share = Callable[[OnDuty | None], None]
"""Share who is on duty; None is nobody."""


class Shift:
    """Hold who is on duty, synced to a file at each hand-over."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writing = Lock()  # of threads: a lever's and what another engine set may come at once
        self._share: Share = _alone
        self.on_duty = OnDuty()

    def shares(self, share: Share) -> None:
        """Tell somebody of each hand-over before it is written down; called in the taker's thread, and may refuse."""
        self._share = share

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

    def standing(self) -> dict[str, OnDuty]:
        """Return who is on duty under no name, for other engines; nothing where nobody is."""
        return {"": self.on_duty} if self.on_duty.operator else {}

    def take(self, on_duty: OnDuty) -> OnDuty:
        """Put an operator on duty, and return who was; durable when it returns.

        Raises:
            StoreError: It cannot be written down; nothing was changed.
            LeverRefused: Somebody took it through another engine since; nothing was changed.
        """
        self._share(on_duty)  # first: what the fleet refuses changes nothing here
        try:
            return self.follow(on_duty)
        except StoreError:
            with suppress(GexdeskError):
                self._share(self.standing().get(""))
            raise

    def follow(self, on_duty: OnDuty) -> OnDuty:
        """Put on duty who took the shift through another engine, and return who was; durable when it returns. Raises StoreError."""
        with self._writing:
            was = self.on_duty
            try:
                write_durably(self._path, msgspec.json.encode(on_duty))
            except OSError as error:
                raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
            self.on_duty = on_duty
            return was


def _alone(on_duty: OnDuty | None) -> None:
    """Share with nobody."""
