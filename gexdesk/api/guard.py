"""The guard at the door: who calls, and whether they may do what they ask."""

import contextlib
import math
import pwd
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path

from msgspec import Struct
from starlette.requests import HTTPConnection

from gexdesk.api.door import UNIX
from gexdesk.api.keys import KeyBook, Scope
from gexdesk.api.rate import RateLimit
from gexdesk.api.refusals import NoKey, NotAllowed, TooMany
from gexdesk.model.errors import StoreError
from gexdesk.model.text import printable

FAILED_PER_MINUTE = 30
"""Calls without a valid key that one address may make."""

BODIES_AT_ONCE = 32
"""Bodies of one key that are read at once: who sends theirs slowly must not take every call from the others."""


class Visitor(Struct, frozen=True):
    """Name who calls.

    Attributes:
        scopes: What they may do; on the unix socket its owner everything, its group all but what is for admins.
        key_id: Of the key that was shown; empty on the unix socket.
    """

    name: str
    scopes: frozenset[Scope]
    key_id: str = ""


class Guard:
    """Let callers in: on the socket they are who the kernel says, on TCP who their key says.

    Args:
        state: The folder that holds the keys.
        read_only: Let nobody change anything, whatever their key says.
    """

    def __init__(self, state: Path, *, read_only: bool = False, now: Callable[[], float] = time.time) -> None:
        self._keys = KeyBook(state)
        self._rate = RateLimit(time.monotonic)
        self._read_only = read_only
        self._reading = Counter[str]()
        self._owners = {"root", _user(state.stat().st_uid)}
        self._now = now

    def fault(self) -> str:
        """Say why no key lets anybody in; empty where the keys can be read."""
        try:
            self._keys.all()
        except StoreError as error:
            return error.message
        return ""

    def visitor(self, call: HTTPConnection) -> Visitor:
        """Say who calls.

        Raises:
            NoKey: Over TCP without a key in force.
            TooMany: Over the rate of the key, or of addresses that show none.
        """
        host, port = call.client if call.client is not None else ("unknown", -1)
        if port == UNIX:
            return self._on_socket(call, host)
        shown = call.headers.get("x-api-key") or _bearer(call.headers.get("authorization", ""))
        key = self._keys.holder(shown, self._now()) if shown else None
        if key is None:
            self._within(f"address {host}", FAILED_PER_MINUTE)
            raise NoKey("no key in force was shown; send one as X-API-Key or as Authorization: Bearer")
        self._within(f"key {key.id}", key.per_minute)
        scopes = frozenset(Scope) if Scope.ADMIN in key.scopes else frozenset(key.scopes)
        return Visitor(f"{key.name} (key {key.id})", scopes, key.id)

    def _on_socket(self, call: HTTPConnection, user: str) -> Visitor:
        """Take who the kernel says; over a login that several share, the name they gave stands before it."""
        given = printable(call.headers.get("x-operator", ""), 24)
        name = f"{given} as {user}" if given and given != user else user
        return Visitor(name, frozenset(Scope) if user in self._owners else frozenset(Scope) - {Scope.ADMIN})

    def still_in(self, visitor: Visitor) -> bool:
        """Say whether who was let in a while ago still may be: their key may have ended or been revoked since."""
        return not visitor.key_id or self._keys.in_force(visitor.key_id, self._now())

    @contextlib.contextmanager
    def reading(self, visitor: Visitor) -> Iterator[None]:
        """Hold one of the places in which bodies of a key are read; on the unix socket there is always one. Raises TooMany."""
        if not visitor.key_id:
            yield
            return
        if self._reading[visitor.key_id] >= BODIES_AT_ONCE:
            words = f"{BODIES_AT_ONCE} bodies of this key are being read, more are not taken at once; come back in 1 s"
            raise TooMany(words, retry_after_s=1)
        self._reading[visitor.key_id] += 1
        try:
            yield
        finally:
            self._reading[visitor.key_id] -= 1
            if not self._reading[visitor.key_id]:
                del self._reading[visitor.key_id]

    def allowed(self, call: HTTPConnection, scope: Scope, *, changes: bool | None = None) -> Visitor:
        """Say who calls, where they may do what needs a scope. Raises as ``visitor``, and NotAllowed.

        Args:
            changes: Whether anything is changed by it, which a read-only engine refuses; None: by everything but reading.
        """
        visitor = self.visitor(call)
        self.covers(visitor, scope, changes=changes)
        return visitor

    def covers(self, visitor: Visitor, scope: Scope, *, changes: bool | None = None) -> None:
        """Let pass who may do what needs a scope, where only what they sent says which it is. Raises NotAllowed.

        Args:
            changes: As in ``allowed``.
        """
        if scope not in visitor.scopes:
            has = ", ".join(sorted(visitor.scopes))
            raise NotAllowed(f"{printable(visitor.name, 60)} may {has}; this needs {scope}", needs=scope)
        if self._read_only and (scope is not Scope.READ if changes is None else changes):
            raise NotAllowed("this engine was started read-only: nothing can be changed through it")

    def _within(self, caller: str, per_minute: int) -> None:
        wait_s = math.ceil(self._rate.wait_s(caller, per_minute))  # up: who comes back when told is let in
        if wait_s:
            raise TooMany(f"over {per_minute} calls a minute; come back in {wait_s} s", retry_after_s=wait_s)


def _bearer(header: str) -> str:
    scheme, _, value = header.partition(" ")
    return value.strip() if scheme.lower() == "bearer" else ""


def _user(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
