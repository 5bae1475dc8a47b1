"""Share what operators set with the other engines of the fleet; ``engine/shared_levers.py`` names what that is.

Each has a name and a version on the board. An engine sets it against the version it knows, so that of two operators who act at
once on two hosts the second is refused; what another engine set is taken over as soon as it is told, a second later at most. While
the board is away each engine acts for itself, and holds what it has to bring over a restart, too; afterwards the later act of the
two counts, and what lost is said.

A board may lose what it had: wiped, it has another birth mark; come back older, e.g. from a copy of its file, it has counted less,
and is given another mark by whoever finds that. An engine then compares all of it with what it knew: of each name the later act
stands, on the board and here, what was ended too. Who knew nothing of it (an engine that starts) takes what the board has.
"""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

import msgspec

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.levers.record import Record
from gexdesk.fleet.told import Entry, Told
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GexdeskError, LeverRefused, QueueAway, StoreError
from gexdesk.model.text import printable
from gexdesk.stores.durable import write_durably

if TYPE_CHECKING:
    from gexdesk.fleet.board import Board

THREAD_WAITS_S = 6.0
"""Longest wait of a lever for the fleet; the board's own patience is shorter, but others may be before it."""

KEEP_ENDED_S = 86_400.0
TICK_S = 0.001
"""How much later than what it acts on an act counts at least, though the other engine's clock be ahead."""
_NOTHING = msgspec.Raw(b"\xc0")

Take = Callable[[str, Any, Entry], Awaitable[None]]
"""Take over what another engine set: what of its kind (a target, a source, ...), the value or None, and who set it."""


class Kept(msgspec.Struct, frozen=True):
    """Say how one kind of thing is shared.

    Attributes:
        type: Of its values.
        take: Takes over what another engine set.
        own: Returns what stands here, by what it is of.
        over: Says of a value whether its own time has come: it counts as ended then. None where a value has none.
    """

    type: Any
    take: Take
    own: Callable[[], dict[str, Any]]
    over: Callable[[Any], bool] | None = None

    def value_of(self, entry: Entry) -> Any:
        """Return what stands by an entry: None where it was ended, or its time has come. Raises MsgspecError."""
        value = msgspec.msgpack.decode(entry.value, type=self.type | None)
        return None if value is None or (self.over is not None and self.over(value)) else value


class Shared:
    """Hold what is known of the board. A name is the kind, and after a space what of it, e.g. ``pause spx-chain``.

    Args:
        memory: File with what was set here and is not on the board yet.
    """

    def __init__(
        self, board: "Board", *, host: str, record: Record, chronicle: Chronicle, clock: Clock, memory: Path
    ) -> None:
        self._board = board
        self._host = host
        self._record = record
        self._chronicle = chronicle
        self._clock = clock
        self._memory = memory
        self._kinds: dict[str, Kept] = {}
        self._known: dict[str, Entry] = {}
        self._unsent: dict[str, Entry] = {}
        self._turn = asyncio.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self.birth = ""
        self.version = -1
        self.agreed = False

    def kind(self, name: str, kept: Kept) -> None:
        """Share one more kind of thing."""
        self._kinds[name] = kept

    def begin(self) -> None:
        """Share from now on, from this loop and its threads."""
        self._loop = asyncio.get_running_loop()
        try:
            self._unsent = self._remembered()
        except (OSError, msgspec.MsgspecError) as error:
            words = printable(f"{self._memory} holds what was set here while Redis was away and cannot be read: {error}", 300)
            self._chronicle.tell("lever", f"{words}; what the rest of the fleet has counts", grave=True)

    async def put(self, kind: str, of: str, value: object) -> None:
        """Share what an operator set here. While the board is away it stands here alone, and is brought there later.

        Raises:
            LeverRefused: Somebody set it through another engine since.
            StoreError: The board is away, and what is to be brought there cannot be written down.
        """
        if self._loop is None:
            return
        name, raw, actor = f"{kind} {of}", msgspec.Raw(msgspec.msgpack.encode(value)), self._record.latest
        async with self._turn:
            entry = Entry(raw, actor, self._host, self._after(name))
            try:
                other = await self._send(name, entry, self._version(name))
            except QueueAway:
                await self._hold(name, entry)
                return
        if other is not None:
            who = f"{printable(other.actor, 60)} on {printable(other.host, 60)}"
            raise LeverRefused(f"{of or kind} was changed by {who} just now; nothing was done, look again")

    def put_from_thread(self, kind: str, of: str, value: object) -> None:
        """Share as ``put``, from a thread that writes the same down here. Raises LeverRefused, also where it takes too long."""
        if self._loop is not None:
            asyncio.run_coroutine_threadsafe(self._put_in_time(kind, of, value), self._loop).result(2 * THREAD_WAITS_S)

    async def _put_in_time(self, kind: str, of: str, value: object) -> None:
        try:
            async with asyncio.timeout(THREAD_WAITS_S):
                await self.put(kind, of, value)
        except TimeoutError:  # its version is not noted: should the fleet have it all the same, the next look takes it over
            words = f"the fleet did not answer within {THREAD_WAITS_S:g} s; nothing was done here"
            raise LeverRefused(f"{words}, look again in some seconds: {of or kind} may have been set all the same") from None

    def behind(self, told: Told) -> bool:
        """Say whether there is something to look for: the board has changed, or lacks what was set here."""
        return (told.birth, told.version) != (self.birth, self.version) or bool(self._unsent)

    async def look(self) -> None:
        """Take over what others set, and bring there what stands here alone. Raises QueueAway."""
        async with self._turn:
            posted = await self._board.read()
            # A board that was wiped has another mark, whatever it counted to since; one that came back older has counted less.
            older = posted.birth == self.birth and posted.version < self.version
            lost = older or posted.birth != self.birth
            put_back: list[str] = []
            for name, entry in posted.entries.items():
                known = self._known.get(name)
                if lost and known is not None:
                    put_back += await self._mend(name, entry, known)
                elif known is None or entry.version > known.version:
                    await self._meet(name, entry)
            if lost:
                put_back += await self._put_back(posted.entries)
            if put_back:
                words = f"Redis had lost what was set, it was put back as it stands here: {', '.join(map(_words, put_back))}"
                self._chronicle.tell("lever", printable(words, 300), grave=True)
            await self._bring(posted.entries)
            # whoever stood still may find the count where it was, or beyond: the new mark tells
            self.birth = await self._board.renew(posted.birth) if older else posted.birth
            self.version, self.agreed = posted.version, True
        long_ago = {name: entry for name, entry in posted.entries.items() if self._ended_long_ago(name, entry)}
        await self._board.forget({name: entry.version for name, entry in long_ago.items()})

    async def _mend(self, name: str, entry: Entry, known: Entry) -> list[str]:
        """Let the later of two stand: what a board has that lost something, and what was known of it here.

        Returns:
            The name where what was known is on the board again.
        """
        other: Entry | None = entry
        while other is not None:
            if name in self._unsent or _moment(other) > _moment(known):
                await self._meet(name, other)
                return []
            if _moment(other) == _moment(known):
                self._known[name] = other
                return []
            other = await self._send(name, known, other.version)
        return [name]

    async def _put_back(self, entries: Mapping[str, Entry]) -> list[str]:
        """Put on the board again what it no longer has at all, also what was ended, or whoever stood still would set it anew."""
        put_back: list[str] = []
        for name, known in list(self._known.items()):
            if name in entries or name in self._unsent or self._ended_long_ago(name, known):
                continue
            other = await self._send(name, known, 0)
            put_back += [name] if other is None else await self._mend(name, other, known)
        return put_back

    async def _meet(self, name: str, entry: Entry) -> None:
        """Take over one thing, unless the same was set here later while the board was away."""
        mine = self._unsent.get(name)
        if mine is not None and mine.at > entry.at:
            await self._send(name, mine, entry.version)
            return
        await self._let_go(name)
        self._known[name] = entry
        kind, _, of = name.partition(" ")
        kept = self._kinds.get(kind)
        if kept is None:
            return  # a newer engine shares more than this one knows
        try:
            value = kept.value_of(entry)
            if kept.own().get(of) == value:
                return
            if mine is not None:
                later = f"{printable(entry.actor, 60)}'s later word"
                words = f"{of or kind}: what was set here while Redis was away gives way to {later}"
                self._chronicle.tell("lever", words, grave=True)
            await kept.take(of, value, entry)
        except (GexdeskError, msgspec.MsgspecError, OSError) as error:
            words = printable(f"what {entry.actor} set on {entry.host} ({of or kind}) could not be taken over: {error}", 300)
            self._chronicle.tell("lever", words, grave=True)
            return
        if self.agreed:
            self._record.heard(of or kind, entry.actor, entry.at)
            act = "ended" if value is None else "set"
            words = f"{printable(entry.actor, 60)} on {printable(entry.host, 60)} {act} {_words(name)}"
            self._chronicle.tell("lever", words)

    async def _bring(self, entries: Mapping[str, Entry]) -> None:
        for name, entry in list(self._unsent.items()):
            await self._send(name, entry, self._version(name))
        for kind, kept in self._kinds.items():
            for of, value in kept.own().items():
                name = f"{kind} {of}"
                if name in entries or name in self._known:
                    continue
                raw = msgspec.Raw(msgspec.msgpack.encode(value))
                author = str(getattr(value, "author", "") or "an earlier engine")
                await self._send(name, Entry(raw, author, self._host, self._clock.now()), 0)

    async def _send(self, name: str, entry: Entry, known: int) -> Entry | None:
        """Put one thing on the board, as it stands now. Returns what somebody else set since, where one did. Raises QueueAway."""
        if self._ended(name, entry):
            entry = msgspec.structs.replace(entry, value=_NOTHING)
        version, other = await self._board.put(name, entry, known)
        if other is not None and version == 0:  # nobody set it: it was ended long ago, and forgotten with its version
            version, other = await self._board.put(name, entry, 0)
        if other is not None:
            return msgspec.structs.replace(other, version=version)
        self._known[name] = msgspec.structs.replace(entry, version=version)
        await self._let_go(name)
        return None

    def _version(self, name: str) -> int:
        known = self._known.get(name)
        return 0 if known is None else known.version

    def _after(self, name: str) -> float:
        """Return the time of an act that is done now: later than what it acts on, whatever that engine's clock said."""
        known, now = self._known.get(name), self._clock.now()
        return now if known is None else max(now, known.at + TICK_S)

    def _ended_long_ago(self, name: str, entry: Entry) -> bool:
        return self._clock.now() - entry.at > KEEP_ENDED_S and self._ended(name, entry)

    def _ended(self, name: str, entry: Entry) -> bool:
        """Say whether nothing stands of it any more; of what cannot be read nobody knows that."""
        kept = self._kinds.get(name.partition(" ")[0])
        if entry.value == _NOTHING or kept is None or kept.over is None:
            return entry.value == _NOTHING
        try:
            return kept.value_of(entry) is None
        except msgspec.MsgspecError:
            return False

    def _remembered(self) -> dict[str, Entry]:
        """Return what an earlier life of this engine had to bring, as far as it stands here. Raises OSError, MsgspecError."""
        try:
            held = msgspec.msgpack.decode(self._memory.read_bytes(), type=dict[str, Entry])
        except FileNotFoundError:
            return {}
        unsent = {}
        for name, entry in held.items():
            kind, _, of = name.partition(" ")
            kept = self._kinds.get(kind)
            if kept is not None and kept.own().get(of) == kept.value_of(entry):  # else it was held, and then not done
                unsent[name] = entry
        return unsent

    async def _hold(self, name: str, entry: Entry) -> None:
        """Remember what has to be brought; durable when it returns. Raises StoreError."""
        unsent = self._unsent | {name: entry}
        try:
            await asyncio.to_thread(write_durably, self._memory, msgspec.msgpack.encode(unsent))
        except OSError as error:
            raise StoreError(f"{self._memory} could not be written ({error.strerror}); nothing was changed") from error
        self._unsent = unsent

    async def _let_go(self, name: str) -> None:
        if self._unsent.pop(name, None) is not None:
            with contextlib.suppress(OSError):  # what it says too much is older than what the board has
                await asyncio.to_thread(write_durably, self._memory, msgspec.msgpack.encode(self._unsent))


def _words(name: str) -> str:
    kind, _, of = name.partition(" ")
    return f"{kind}{f' of {of}' if of else ''}"


def _moment(entry: Entry) -> tuple[float, str]:
    """Return what orders two acts on one thing, the same way on every engine."""
    return entry.at, entry.host


async def follow(shared: Shared, board: "Board") -> None:
    """Take over what others set as soon as they tell of it, for ever."""
    async for _ in board.news():
        with contextlib.suppress(QueueAway):
            await shared.look()
