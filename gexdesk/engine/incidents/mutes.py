"""Maintenance windows: what fails in one is shown and pages nobody."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock

import msgspec
from msgspec import Struct

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.incident import Incident
from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.model.view.incident import MuteView
from gexdesk.stores.durable import write_durably

TARGET_KINDS = ("source", "vendor", "symbol")


class _Kept(Struct, frozen=True):
    mutes: tuple[MuteView, ...] = ()


Share = Callable[[str, MuteView | None], None]
"""Share a window, or None for its end, by what it is of: the kind and the name of its target."""


class Mutes:
    """Hold the windows, synced to a file at each change."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._mutes: tuple[MuteView, ...] = ()
        self._writing = Lock()  # of threads: a lever's and what another engine set may come at once
        self._share: Share = _alone

    def shares(self, share: Share) -> None:
        """Tell somebody of each change before it is written down; called in the setter's thread, and may refuse."""
        self._share = share

    def open(self) -> None:
        """Read what an earlier engine left.

        Raises:
            StoreError: The file is damaged; it is named, and nothing is assumed in its place.
        """
        try:
            self._mutes = msgspec.json.decode(self._path.read_bytes(), type=_Kept).mutes
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self._path} holds the maintenance windows and cannot be read ({error}); "
                "look at it, then remove it to start without any"
            ) from error

    def in_force(self, now: float) -> tuple[MuteView, ...]:
        """Return the windows that are on."""
        return tuple(mute for mute in self._mutes if mute.until > now)

    def find(self, target_kind: str, target: str, now: float) -> MuteView | None:
        """Return the window of one target that is on."""
        return next((m for m in self.in_force(now) if (m.target_kind, m.target) == (target_kind, target)), None)

    def cover(self, incident: Incident, now: float) -> bool:
        """Say whether every cause of an incident lies in a window."""
        mutes = self.in_force(now)
        return bool(mutes) and all(any(_covers(mute, condition) for mute in mutes) for condition in incident.present)

    def begin(self, mute: MuteView, now: float) -> None:
        """Begin a window, in place of one for the same target; durable when it returns.

        Raises as ``end`` does: StoreError, LeverRefused where another engine set it since; nothing was changed.
        """
        self._set(_of(mute.target_kind, mute.target), mute, now)

    def end(self, target_kind: str, target: str, now: float) -> None:
        """End a window; durable when it returns."""
        self._set(_of(target_kind, target), None, now)

    def standing(self, now: float) -> dict[str, MuteView]:
        """Return the windows that are on by what they are of, for other engines."""
        return {_of(mute.target_kind, mute.target): mute for mute in self.in_force(now)}

    def take(self, of: str, mute: MuteView | None, now: float) -> None:
        """Take over what another engine set, or ended with None; durable when it returns. Raises StoreError."""
        with self._writing:
            kept = self.standing(now)
            kept.pop(of, None)
            mutes = (*kept.values(), *(() if mute is None else (mute,)))
            try:
                write_durably(self._path, msgspec.json.format(msgspec.json.encode(_Kept(mutes))))
            except OSError as error:
                raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
            self._mutes = mutes

    def _set(self, of: str, mute: MuteView | None, now: float) -> None:
        self._share(of, mute)  # first: what the fleet refuses changes nothing here
        was = self.standing(now).get(of)  # now: what others set before is there by now
        try:
            self.take(of, mute, now)
        except StoreError:
            with suppress(GexdeskError):
                self._share(of, was)
            raise


def _alone(of: str, mute: MuteView | None) -> None:
    """Share with nobody."""


def _of(target_kind: str, target: str) -> str:
    return f"{target_kind} {target}"


def _covers(mute: MuteView, condition: Condition) -> bool:
    match mute.target_kind:
        case "source":
            return condition.source == mute.target
        case "vendor":
            return condition.vendor == mute.target
        case _:
            return condition.symbols == (mute.target,)
