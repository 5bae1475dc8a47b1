"""Remember what operators set, across restarts: overrides and pauses, with who, why and until when."""

from pathlib import Path
from typing import TypeVar

import msgspec
from msgspec import Struct

from gexdesk.model.decision import Override
from gexdesk.model.errors import StoreError
from gexdesk.stores.durable import write_durably

T = TypeVar("T")


class Pause(Struct, frozen=True):
    """Hold why a source is paused."""

    author: str
    reason: str
    since: float


class _Kept(Struct, frozen=True):
    overrides: dict[str, Override] = {}
    pauses: dict[str, Pause] = {}
    stopped: Pause | None = None


class Standing:
    """Hold overrides by source and by job, pauses by source, and the kill switch; synced to a file at each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = _Kept()

    def open(self) -> None:
        """Read what an earlier engine left.

        Raises:
            StoreError: The file is damaged; it is named, and nothing is assumed in its place.
        """
        try:
            self._kept = msgspec.json.decode(self._path.read_bytes(), type=_Kept)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError) as error:
            raise StoreError(
                f"{self._path} holds overrides and pauses and cannot be read ({error}); "
                "look at it, then remove it to start without any"
            ) from error

    def override(self, target: str, now: float) -> Override | None:
        """Return the override in force for a source or job."""
        found = self._kept.overrides.get(target)
        return found if found is not None and (found.until is None or found.until > now) else None

    def expired(self, now: float) -> dict[str, Override]:
        """Return overrides whose time has come; the caller ends them."""
        return {t: o for t, o in self._kept.overrides.items() if o.until is not None and o.until <= now}

    def overrides(self, now: float) -> dict[str, Override]:
        """Return every override in force, by target."""
        return {t: o for t, o in self._kept.overrides.items() if o.until is None or o.until > now}

    def pauses(self) -> dict[str, Pause]:
        """Return every pause in force, by source."""
        return dict(self._kept.pauses)

    def pause_of(self, source: str) -> Pause | None:
        """Return the pause in force for a source."""
        return self._kept.pauses.get(source)

    @property
    def stopped(self) -> Pause | None:
        """Return who turned the kill switch and why, while it is on."""
        return self._kept.stopped

    def set_override(self, target: str, override: Override | None) -> None:
        """Set or end an override; durable when it returns. Raises as every setter here: StoreError, and nothing was changed."""
        self._keep(msgspec.structs.replace(self._kept, overrides=_with(self._kept.overrides, target, override)))

    def set_pause(self, source: str, pause: Pause | None) -> None:
        """Set or end a source's pause; durable when it returns."""
        self._keep(msgspec.structs.replace(self._kept, pauses=_with(self._kept.pauses, source, pause)))

    def set_stopped(self, pause: Pause | None) -> None:
        """Turn the kill switch on or off; durable when it returns."""
        self._keep(msgspec.structs.replace(self._kept, stopped=pause))

    def _keep(self, kept: _Kept) -> None:
        try:
            write_durably(self._path, msgspec.json.format(msgspec.json.encode(kept)))
        except OSError as error:
            raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
        self._kept = kept


def _with(held: dict[str, T], name: str, value: T | None) -> dict[str, T]:
    rest = {other: known for other, known in held.items() if other != name}
    return rest if value is None else rest | {name: value}
