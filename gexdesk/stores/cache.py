"""Keep what readers get now: one value a symbol, in memory, with a snapshot on disk."""

import asyncio
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Self

import msgspec

from gexdesk.model.errors import StoreError
from gexdesk.model.exposure import Exposure
from gexdesk.stores.base import LiveValue
from gexdesk.stores.durable import make_folder, write_durably
from gexdesk.stores.spool_record import sealed, unsealed


class Subscription:
    """Hand out published values in order, as an async iterator; a slow reader loses the oldest.

    Use it as a context manager, so that the cache forgets it afterwards. Readers that must not miss a
    symbol compare ``dropped`` and read ``EmbeddedCache.all`` again when it went up.

    Attributes:
        dropped: Values this subscriber never saw because it was too slow.
    """

    def __init__(self, cache: "EmbeddedCache", limit: int) -> None:
        self._cache = cache
        self._waiting: asyncio.Queue[LiveValue] = asyncio.Queue(limit)
        self.dropped = 0

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> LiveValue:
        return await self._waiting.get()

    def close(self) -> None:
        """Stop receiving; closing twice is fine."""
        self._cache.forget(self)

    def offer(self, value: LiveValue) -> None:
        """Queue a value, in place of the oldest where the subscriber lags."""
        if self._waiting.full():
            self._waiting.get_nowait()
            self.dropped += 1
        self._waiting.put_nowait(value)


class EmbeddedCache:
    """Implement ``LiveCache`` in memory for one event loop.

    Only values of one source are compared by ``as_of``: when another source begins to serve a symbol, its next value
    replaces the old source's whatever their stamps, because a standby may be a delayed feed.
    """

    def __init__(self) -> None:
        self._values: dict[str, LiveValue] = {}
        self._serving: dict[str, str] = {}
        self._subscriptions: list[Subscription] = []
        self._given: dict[str, tuple[float, set[object]]] = {}

    def serve(self, symbol: str, source: str) -> None:
        """Make a source the serving one of a symbol; the present value stays until that source publishes."""
        self._serving[symbol] = source

    async def publish(self, value: LiveValue) -> bool:
        """Make the value readable and tell subscribers.

        ``revision`` and ``changed_at`` are set here, whatever the value brings: the revision goes up by one per published
        value of the symbol, ``changed_at`` stays where the numbers are those of the same source's previous value.

        Returns:
            False where the value is another source's, older, or the same content for the same ``as_of``.
        """
        if self._serving.setdefault(value.symbol, value.source) != value.source:
            return False
        present = self._values.get(value.symbol)
        changed_at = value.exposure.as_of
        if present is not None and present.source == value.source:
            if not _supersedes(value, present) or self._came_before(value, present):
                return False
            if _same_numbers(value, present):
                changed_at = present.changed_at
        revision = 1 if present is None else present.revision + 1
        self._put(msgspec.structs.replace(value, revision=revision, changed_at=changed_at))
        return True

    async def mark(self, symbol: str, flag: str) -> None:
        """Put one more flag on what readers have of a symbol, and tell subscribers; nothing where it has it already."""
        present = self._values.get(symbol)
        if present is not None and flag not in present.flags:
            self._put(msgspec.structs.replace(present, revision=present.revision + 1, flags=(*present.flags, flag)))

    def adopt(self, value: LiveValue) -> bool:
        """Take over a value that another engine published; False where readers have it, or a newer one, or another source's."""
        if self._serving.setdefault(value.symbol, value.source) != value.source:
            return False
        present = self._values.get(value.symbol)
        if present is not None and present.source == value.source:
            same = (present.job_id, present.exposure.as_of) == (value.job_id, value.exposure.as_of)
            if (same and set(value.flags) <= set(present.flags)) or (not same and not _supersedes(value, present)):
                return False
        revision = value.revision if present is None else max(value.revision, present.revision + 1)
        self._put(msgspec.structs.replace(value, revision=revision))
        return True

    def get(self, symbol: str) -> LiveValue | None:
        """Return what readers have now."""
        return self._values.get(symbol)

    def all(self) -> Sequence[LiveValue]:
        """Return every live value, by symbol."""
        return [self._values[symbol] for symbol in sorted(self._values)]

    def subscribe(self, limit: int = 1024) -> Subscription:
        """Return the values published from now on; ``limit`` bounds what a slow reader may leave waiting."""
        subscription = Subscription(self, limit)
        self._subscriptions.append(subscription)
        return subscription

    def forget(self, subscription: Subscription) -> None:
        """Drop a subscription; an unknown one is ignored."""
        if subscription in self._subscriptions:
            self._subscriptions.remove(subscription)

    def _came_before(self, value: LiveValue, present: LiveValue) -> bool:
        """Say whether it is a document delivered again whose correction, for the same stamp, readers have already."""
        stamp, given = self._given.get(value.symbol, (math.nan, set()))
        content = _content(value)
        return stamp == value.exposure.as_of and content in given and content != _content(present)

    def _put(self, value: LiveValue) -> None:
        stamp, given = self._given.get(value.symbol, (math.nan, set()))
        given = given if stamp == value.exposure.as_of else set()
        given.add(_content(value))
        self._given[value.symbol] = (value.exposure.as_of, given)
        self._values[value.symbol] = value
        for subscription in self._subscriptions:
            subscription.offer(value)

    def save(self, path: Path) -> None:
        """Write every live value to a file, atomically and synced. Raises StoreError; the old file is kept then."""
        try:
            make_folder(path.parent)
            write_durably(path, sealed(msgspec.msgpack.encode(list(self._values.values()))))
        except OSError as error:
            raise StoreError(f"the live values could not be saved to {path.name}: {error.strerror}; check space") from error

    def load(self, path: Path) -> int:
        """Take over values saved by an earlier process; each symbol's saved source serves it until ``serve`` says otherwise.

        Returns:
            How many values were taken; 0 where the file is missing. A symbol that was published meanwhile keeps its newer value.

        Raises:
            StoreError: The file cannot be read, or is not as it was saved; none was taken.
        """
        try:
            saved = msgspec.msgpack.decode(unsealed(path.read_bytes()), type=list[LiveValue])
        except FileNotFoundError:
            return 0
        except (OSError, ValueError) as error:  # what cannot be decoded is a ValueError, too
            raise StoreError(
                f"{path} held the last live values and cannot be believed ({error}); readers have none until each source "
                "brings its next, and a new one is written then"
            ) from error
        taken = [value for value in saved if value.symbol not in self._values]
        for value in taken:
            self._values[value.symbol] = value
            self._serving.setdefault(value.symbol, value.source)
        return len(taken)


def _supersedes(new: LiveValue, present: LiveValue) -> bool:
    """Say whether readers get the new value: newest stamp wins, but no stamp counts as later than its own receipt.

    Without that limit one stamp in the future would keep every later value from readers.
    """
    stamp, known = stamp_of(new), stamp_of(present)
    if stamp != known:
        return stamp > known
    return new.received_at >= present.received_at and new.exposure != present.exposure


def stamp_of(value: LiveValue) -> float:
    """Return what values of one source are ordered by, UTC seconds."""
    return min(value.exposure.as_of, value.received_at)


def _content(value: LiveValue) -> object:
    """Return what tells one document's numbers from another's."""
    return _numbers(value.exposure) if value.inputs is None else value.inputs


def _same_numbers(new: LiveValue, present: LiveValue) -> bool:
    """Compare what was given where that is known: gamma computed from equal inputs drifts as time passes."""
    if new.inputs is not None and present.inputs is not None:
        return new.inputs == present.inputs
    return _numbers(new.exposure) == _numbers(present.exposure)


def _numbers(exposure: Exposure) -> tuple[float | None, ...]:
    return (
        exposure.net_gex,
        exposure.gross_gex,
        exposure.total_open_interest,
        exposure.total_volume,
        exposure.spot,
        exposure.call_wall,
        exposure.put_wall,
    )
