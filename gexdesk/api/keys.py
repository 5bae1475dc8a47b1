"""Keys that let programs and people in over TCP: random, kept as digests, with scopes and an end."""

import fcntl
import hashlib
import hmac
import os
import secrets
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from enum import StrEnum
from pathlib import Path

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gexdesk.model.checked import Checked, as_checked, read_checked
from gexdesk.model.errors import SettingsError, StoreError, UnknownTarget
from gexdesk.model.text import printable

KEYS_NAME = "keys.json"
_PREFIX = "gxd_"


class Scope(StrEnum):
    """Name what a key may do; none includes another but ``admin``, which includes all."""

    READ = "read"
    SUBMIT = "submit"
    OPERATE = "operate"
    ADMIN = "admin"


class Key(Struct, frozen=True, forbid_unknown_fields=True):
    """Describe a key; the key itself is known to its holder alone.

    Attributes:
        name: Who holds it, as the audit and the desk name them.
        digest: SHA-256 of the key, hex.
        until: When it ends; None has no end. A field that is not one of these is damage: without it a key might end never.
        per_minute: Calls it may make in a minute.
    """

    id: str
    name: str
    scopes: tuple[Scope, ...]
    digest: str
    created_at: float
    until: float | None = None
    revoked_at: float | None = None
    per_minute: int = 600

    def allows(self, scope: Scope) -> bool:
        """Say whether its holder may do what needs a scope."""
        return scope in self.scopes or Scope.ADMIN in self.scopes

    def stands(self, now: float) -> bool:
        """Say whether it is neither revoked nor at its end."""
        return self.revoked_at is None and (self.until is None or self.until > now)


class _Kept(Checked, frozen=True, forbid_unknown_fields=True):
    keys: tuple[Key, ...]


class KeyBook:
    """Hold the keys of one state folder in an owner-only file; another process's changes are seen at the next call.

    Args:
        state: The state folder.
    """

    def __init__(self, state: Path) -> None:
        self._path = state / KEYS_NAME
        self._seen: tuple[int, int] | None = None
        self._keys: tuple[Key, ...] = ()

    def all(self) -> tuple[Key, ...]:
        """Return every key, revoked and ended ones included. Raises StoreError where the file is damaged."""
        try:
            stat = self._path.stat()
        except FileNotFoundError:
            return ()
        if self._seen != (stat.st_mtime_ns, stat.st_ino):
            try:
                self._keys = read_checked(self._path.read_bytes(), _Kept).keys
            except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
                raise StoreError(f"{self._path} cannot be read ({error}): no key is valid until it is mended or removed") from error
            self._seen = (stat.st_mtime_ns, stat.st_ino)
        return self._keys

    def create(
        self, name: str, scopes: Iterable[Scope], now: float, for_s: float | None = None, per_minute: int = 600
    ) -> tuple[str, Key]:
        """Make a key of 256 random bits and return it with its description; it is shown this once.

        Raises:
            SettingsError: No scope, or no name.
            StoreError: It could not be kept.
        """
        name, wanted = printable(name, 40), tuple(sorted(set(scopes)))
        if not name or not wanted:
            raise SettingsError(f"a key needs a name and at least one scope of {', '.join(Scope)}")
        secret = _PREFIX + secrets.token_urlsafe(32)
        until = None if for_s is None else now + for_s
        key = Key(secrets.token_hex(4), name, wanted, _digest(secret), now, until, per_minute=per_minute)
        with self._alone():
            self._keep((*self.all(), key))
        return secret, key

    def revoke(self, key_id: str, now: float) -> Key:
        """End a key at once. Raises UnknownTarget, StoreError."""
        with self._alone():
            keys = self.all()
            found = next((key for key in keys if key.id == key_id and key.revoked_at is None), None)
            if found is None:
                raise UnknownTarget(f"no key in force has the id {printable(key_id, 20)!r}; `gexdesk key list` shows them")
            ended = replace(found, revoked_at=now)
            self._keep(tuple(ended if key is found else key for key in keys))
        return ended

    def holder(self, secret: str, now: float) -> Key | None:
        """Return the key in force that a caller shows, None where it is none; takes as long either way."""
        digest, found = _digest(secret), None
        for key in self.all():
            if hmac.compare_digest(key.digest, digest):
                found = key
        return found if found is not None and found.stands(now) else None

    def in_force(self, key_id: str, now: float) -> bool:
        """Say whether the key of an id may still be used. Raises as ``all``."""
        return any(key.id == key_id and key.stands(now) for key in self.all())

    @contextmanager
    def _alone(self) -> Iterator[None]:
        """Change the file while nobody else does: two programs that make keys at once must lose neither."""
        try:
            lock = os.open(self._path.with_name(f".{KEYS_NAME}.lock"), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        except OSError as error:
            raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error
        try:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
        finally:
            os.close(lock)

    def _keep(self, keys: tuple[Key, ...]) -> None:
        temporary = self._path.with_name(f".{KEYS_NAME}.tmp")
        try:
            fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
            with open(fd, "wb") as file:
                file.write(as_checked(_Kept(keys=keys)))
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(self._path)
        except OSError as error:
            raise StoreError(f"{self._path} could not be written ({error.strerror}); nothing was changed") from error


def _digest(secret: str) -> str:
    """Return the SHA-256 of a key; it has 256 random bits, so no slow hash is needed."""
    return hashlib.sha256(secret.encode()).hexdigest()
