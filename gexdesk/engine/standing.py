"""Remember what operators set, across restarts: overrides and pauses, with who, why and until when."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

import msgspec
from msgspec import Struct, field

from gexdesk.model.checked import Checked, as_checked, read_checked
from gexdesk.model.decision import Override
from gexdesk.model.errors import GexdeskError, StoreError
from gexdesk.stores.durable import write_durably

T = TypeVar("T")


class Pause(Struct, frozen=True, forbid_unknown_fields=True):
    """Hold why a source is paused."""

    author: str
    reason: str
    since: float


class Armed(Struct, frozen=True):
    """Hold the override of a schedule's occurrence, which ends with it."""

    schedule: str
    override: Override


class _Kept(Checked, frozen=True, forbid_unknown_fields=True):
    overrides: dict[str, Override] = field(default_factory=dict)
    pauses: dict[str, Pause] = field(default_factory=dict)
    stopped: Pause | None = None
    skipped: dict[str, float] = field(default_factory=dict)


Share = Callable[[str, str, Any], None]
"""Share a change: its kind (``override``, ``pause``, ``stopped``, ``skip``), what it is of, and the value or None."""

_FIELDS = {"override": "overrides", "pause": "pauses", "skip": "skipped", "stopped": "stopped"}


class Standing:
    """Hold overrides, pauses by source, and the kill switch; synced to a file at each change.

    An override is known by its target: a source's name, ``symbol:`` and the symbol, or ``job:`` and the job's id.

    Attributes:
        armed: Overrides of schedules, by target; an operator's of the same target goes before. Not in the file, since the
            calendar says them again.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._kept = _Kept()
        self._writing = Lock()  # of threads: a lever's and what another engine set may come at once
        self._share: Share = _alone
        self.armed: dict[str, Armed] = {}

    def shares(self, share: "Share") -> None:
        """Tell somebody of each change before it is written down; called in the setter's thread, and may refuse."""
        self._share = share

    def open(self) -> None:
        """Read what an earlier engine left.

        Raises:
            StoreError: The file is damaged; it is named, and nothing is assumed in its place.
        """
        try:
            self._kept = read_checked(self._path.read_bytes(), _Kept)
        except FileNotFoundError:
            return
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(
                f"{self._path} holds overrides and pauses and cannot be read ({error}); "
                "look at it, then remove it to start without any"
            ) from error

    def override(self, target: str, now: float) -> Override | None:
        """Return the override in force for a target: an operator's, else a schedule's."""
        own = self._kept.overrides.get(target)
        if own is not None and (own.until is None or own.until > now):
            return own
        return self.scheduled(target, now)

    def scheduled(self, target: str, now: float) -> Override | None:
        """Return the override that a schedule set for a target."""
        armed = self.armed.get(target)
        return armed.override if armed is not None and (armed.override.until or 0.0) > now else None

    def own(self, target: str) -> Override | None:
        """Return what an operator set for a target and nobody ended, its time come or not."""
        return self._kept.overrides.get(target)

    def governing(
        self, job_id: str, symbol: str, source: str, now: float, *, instead: tuple[str, Override | None] | None = None
    ) -> Override | None:
        """Return the override that governs a job: its own, else its symbol's, else its source's.

        Args:
            symbol: Empty for a document of several symbols, which follows its source.
            instead: A target, and what to take in place of its override.
        """
        if not self._kept.overrides and not self.armed and instead is None:
            return None
        for key in (f"job:{job_id}", f"symbol:{symbol}", source):
            found = instead[1] if instead is not None and instead[0] == key else self.override(key, now)
            if found is not None:
                return found
        return None

    def in_force(self, now: float) -> dict[str, Override]:
        """Return every override in force by target, those of schedules too."""
        keys = {*self._kept.overrides, *self.armed}
        return {key: found for key in keys if (found := self.override(key, now)) is not None}

    def skips(self, schedule: str, ends_at: float) -> bool:
        """Say whether an operator ended this occurrence of a schedule early."""
        return self._kept.skipped.get(schedule) == ends_at

    def skip(self, target: str) -> None:
        """End what a schedule armed for a target early; durable when it returns."""
        armed = self.armed[target]
        self._set("skip", armed.schedule, armed.override.until)
        del self.armed[target]

    def unskip(self, schedule: str) -> None:
        """Take ``skip`` back, so that the schedule arms its occurrence again; durable when it returns."""
        self._set("skip", schedule, None)

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
        """Set or end an override; durable when it returns.

        Raises as every setter here: StoreError, LeverRefused where another engine set it since; nothing was changed.
        """
        self._set("override", target, override)

    def set_pause(self, source: str, pause: Pause | None) -> None:
        """Set or end a source's pause; durable when it returns."""
        self._set("pause", source, pause)

    def set_stopped(self, pause: Pause | None) -> None:
        """Turn the kill switch on or off; durable when it returns."""
        self._set("stopped", "", pause)

    def standing(self, kind: str) -> dict[str, Any]:
        """Return what stands of a kind that is shared, by target, source or schedule."""
        if kind == "stopped":
            return {} if self._kept.stopped is None else {"": self._kept.stopped}
        held: dict[str, Any] = getattr(self._kept, _FIELDS[kind])
        return dict(held)

    def take(self, kind: str, of: str, value: Any) -> None:
        """Take over what another engine set, or ended with None; durable when it returns. Raises StoreError."""
        self._keep(kind, of, value)
        if kind == "skip":
            for target in [target for target, armed in self.armed.items() if armed.schedule == of]:
                del self.armed[target]

    def _set(self, kind: str, of: str, value: Any) -> None:
        self._share(kind, of, value)  # first: what the fleet refuses changes nothing here
        was = self.standing(kind).get(of)  # now: what others set before is there by now
        try:
            self._keep(kind, of, value)
        except StoreError:
            with suppress(GexdeskError):  # the others took it meanwhile, and let it go again
                self._share(kind, of, was)
            raise

    def _keep(self, kind: str, of: str, value: Any) -> None:
        with self._writing:
            field = _FIELDS[kind]
            wanted = value if kind == "stopped" else _with(getattr(self._kept, field), of, value)
            kept = msgspec.structs.replace(self._kept, **{field: wanted})
            try:
                write_durably(self._path, as_checked(kept))
            except OSError as error:
                raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
            self._kept = kept


def _alone(kind: str, of: str, value: object) -> None:
    """Share with nobody."""


def _with(held: dict[str, T], name: str, value: T | None) -> dict[str, T]:
    rest = {other: known for other, known in held.items() if other != name}
    return rest if value is None else rest | {name: value}
