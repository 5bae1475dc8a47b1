"""The rulebook: what the rule file says is offered, tried on the record, and put in force when it may be.

Checking, compiling, diffing and syncing happen in threads; a decision reads one reference and never waits for any of it.
"""

import asyncio
import hashlib
import pwd
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from datetime import datetime
from functools import partial
from pathlib import Path

from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.folder_watch import FolderWatch
from gexdesk.engine.keep import Keeper
from gexdesk.engine.levers.record import Record, undone
from gexdesk.engine.trial import Trial
from gexdesk.guidelines.reload import Guidelines, Staged
from gexdesk.guidelines.rules import DEFAULT_FILE, RuleSet, text_of
from gexdesk.guidelines.versions import Version
from gexdesk.model.clock import Clock
from gexdesk.model.daytime import DaySpan
from gexdesk.model.errors import GexdeskError, GuidelineError, LeverRefused
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.market import NEW_YORK, is_trading_day
from gexdesk.stores.base import GuidelineRecord
from gexdesk.stores.durable import write_durably

SHIPPED = "gexdesk"
"""Author of the set that ships."""
TARGET = "guidelines"
LOOK_S = 2.0
"""How often the file is looked at although nothing was heard of it: a watch is a hint."""


class SharedRules(Struct, frozen=True):
    """Hold a set in force as engines tell it one another."""

    version: str
    text: str
    author: str
    reason: str


class Rulebook:
    """Hold the guidelines in force and follow their file.

    Args:
        file: None where the shipped set was taken; nothing is watched then.
        locked: Hours in which nothing comes into force unless it is forced.
        seen: Where the digest of the file as last looked at is remembered.
        turn: The operators' own: a saved file does not come into force in the middle of a lever.

    Attributes:
        revision: Goes up with each set that is staged or comes into force.
    """

    def __init__(
        self, *, guidelines: Guidelines, trial: Trial, file: Path | None, seen: Path, apply_on_save: bool,
        locked: Sequence[DaySpan], keeper: Keeper, record: Record, chronicle: Chronicle, clock: Clock, turn: asyncio.Lock,
    ) -> None:  # fmt: skip
        self.guidelines = guidelines
        self.trial = trial
        self.file = file
        self.apply_on_save = apply_on_save
        self.locked = tuple(locked)
        self.revision = 1
        self._seen = seen
        self._keeper = keeper
        self._record = record
        self._chronicle = chronicle
        self._clock = clock
        self._turn = turn
        self._signature: tuple[int, ...] | None = None
        self._told = ""
        self._task: asyncio.Task[None] | None = None
        self._share: Callable[[SharedRules], Awaitable[None]] = _alone

    def shares(self, share: "Callable[[SharedRules], Awaitable[None]]") -> None:
        """Tell somebody of each set before it comes into force here; it may refuse."""
        self._share = share

    def standing(self) -> "SharedRules":
        """Return what is in force, for other engines."""
        version = self.guidelines.version
        return SharedRules(version.version, self.guidelines.text, version.author, version.reason)

    async def follow(self, rules: "SharedRules") -> None:
        """Put a set in force that was put in force through another engine. Raises GuidelineError."""
        if rules.text == self.guidelines.text:
            return
        before = f"{self.rules.version} by {self.guidelines.version.author}"
        staged = await asyncio.to_thread(self.guidelines.prepare, rules.text, rules.author, rules.version)
        version = await asyncio.to_thread(self.guidelines.apply, staged, rules.author, rules.reason)
        self.revision += 1
        self.trial.of(None)
        self._keeper.note(_recorded(version, self.guidelines.text))
        self._chronicle.tell("lever", f"guidelines: {before} -> {version.version} by {rules.author}, as in the rest of the fleet")

    @property
    def rules(self) -> RuleSet:
        """Return the set in force."""
        return self.guidelines.current

    @property
    def staged_words(self) -> str:
        """Say in a line what is staged, by whom and what it would change; empty where nothing is."""
        staged = self.guidelines.staged
        if staged is None:
            return ""
        effect = self.trial.found.words if self.trial.found is not None else self.trial.note
        return f"{staged.rules.version} by {staged.author}: {effect}"

    async def start(self) -> None:
        """Put a set in force: the file where it was edited meanwhile, else what was in force last; then follow the file.

        Raises:
            GuidelineError: The file cannot be used and no version is there to go on with.
        """
        text, author, signature = await asyncio.to_thread(self._read)
        try:
            torn = await asyncio.to_thread(self.guidelines.set_torn_aside)
        except GuidelineError as error:  # a full disk: what is cut short is left out all the same
            torn = error.message
        history = await asyncio.to_thread(self.guidelines.history)
        edited = await asyncio.to_thread(self._edited, text, history[-1] if history else None)
        version = await asyncio.to_thread(self.guidelines.start, text, author, edited=edited)
        self._signature = signature
        self.revision = len(history) + 1
        self._keeper.note(_recorded(version, self.guidelines.text))
        if history and history[-1] != version:
            await self._record.add(
                actor=author, act="apply", target=TARGET, reason=version.reason, before=history[-1].version, after=version.version
            )
        if isinstance(text, str):
            await asyncio.to_thread(self._remember, text)
        if torn:
            self._chronicle.tell("engine", f"guidelines: {torn}; {version.version} by {version.author} decides now", grave=True)
        lost = await asyncio.to_thread(self.guidelines.unnamed)
        if lost > 1:  # one text may lack its line by a crash
            words = f"guidelines: the history has lost lines, {lost} sets that were kept are in none; {version.version} decides now"
            self._chronicle.tell("engine", f"{words}. Look at it: the audit names what was applied last", grave=True)
        if (fault := self.guidelines.fault) is not None:
            self._chronicle.tell("engine", f"guidelines: {fault.message} {version.version} stays in force", grave=True)
        elif self.file is not None and text != self.guidelines.text:
            self._chronicle.tell("engine", f"guidelines: {version.version} by {version.author} stays; {self.file.name} differs")
            await self._offer(text, author)
        self.trial.start()
        if self.file is not None:
            self._task = asyncio.create_task(self._follow(self.file), name="rulebook")

    @property
    def loops(self) -> tuple[asyncio.Task[None], ...]:
        """Return what runs until ``stop``: the engine cannot go on without it."""
        return (*(() if self._task is None else (self._task,)), *self.trial.loops)

    async def stop(self) -> None:
        """Stop following the file."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)
        await self.trial.stop()

    async def look(self) -> None:
        """Offer the file where it changed since it was last looked at, and apply it where the settings say so."""
        text, author, signature = await asyncio.to_thread(self._read)
        if signature == self._signature:
            return
        self._signature = signature
        staged = await self._offer(text, author)
        if staged is not None and self.apply_on_save:
            await self._apply_saved(staged)

    async def put_in_force(self, staged: Staged, lever: Lever) -> Version:
        """Keep a staged set and decide by it from now on; the caller holds the turn.

        Raises:
            LeverRefused: It is locked now and not forced.
            GuidelineError: Another set came into force since it was staged, or it could not be kept.
        """
        self.check_lock(lever)
        swap = partial(self.guidelines.apply, staged, lever.actor, lever.reason)
        return await self._swap(lever, staged.rules.version, lambda: staged.text, swap)

    async def roll_back(self, lever: Lever) -> Version:
        """Decide by an earlier version again; errors as ``put_in_force``."""
        self.check_lock(lever)
        swap = partial(self.guidelines.rollback, lever.to, lever.actor, lever.reason)
        return await self._swap(lever, lever.to, partial(self.guidelines.text_of, lever.to), swap)

    def locked_until(self, now: float) -> float | None:
        """Return when the lock that stands now ends; None where none does."""
        held = [found for span in self.locked if (found := span.around(now)) is not None]
        return max((ends_at for day, ends_at in held if is_trading_day(day)), default=None)

    def check_lock(self, lever: Lever) -> None:
        """Raise LeverRefused where nothing may come into force now and the lever does not force it."""
        until = self.locked_until(self._clock.now())
        if until is not None and not lever.forced:
            words = f"{datetime.fromtimestamp(until, NEW_YORK):%H:%M} New York"
            raise LeverRefused(f"guidelines are locked until {words}; force it to act now")

    async def _follow(self, file: Path) -> None:
        watch = FolderWatch(file.parent)
        try:
            while True:
                heard = asyncio.ensure_future(watch.changed.wait())
                looked = asyncio.ensure_future(self._clock.sleep(LOOK_S))
                try:
                    await asyncio.wait({heard, looked}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    heard.cancel()
                    looked.cancel()
                watch.take()
                try:
                    await self.look()
                except (GexdeskError, OSError) as error:
                    self._chronicle.tell("engine", f"guidelines: {error}; what is in force stays", grave=True)
                if not watch.alive:
                    watch = FolderWatch(file.parent)
        finally:
            watch.stop()

    async def _offer(self, text: str | GuidelineError, author: str) -> Staged | None:
        """Stage the file's text and try it on the record, or let its fault stand."""
        offered = await asyncio.to_thread(self.guidelines.offer, text, author)
        if isinstance(text, str):
            await asyncio.to_thread(self._remember, text)
        self.revision += 1
        staged = self.guidelines.staged
        if not isinstance(offered, Staged):
            words = f"guidelines: {offered.message} {self.rules.version} stays in force"
            self._chronicle.tell("engine", words, grave=True)
            return None
        self.trial.of(staged)
        if staged is not None and staged.rules.version != self._told:
            self._chronicle.tell("engine", f"guidelines {staged.rules.version} by {staged.author} is staged")
        self._told = staged.rules.version if staged is not None else ""
        return staged

    async def _apply_saved(self, staged: Staged) -> None:
        lever = Lever(Verb.APPLY, "", "saved", target_kind=TARGET, actor=staged.author)
        async with self._turn:
            try:
                await self.put_in_force(staged, lever)
            except LeverRefused as locked:
                self._chronicle.tell("engine", f"guidelines {staged.rules.version} waits: {locked.message}", grave=True)

    async def _swap(self, lever: Lever, after: str, text_of: Callable[[], str], swap: Callable[[], Version]) -> Version:
        was, before = self.standing(), f"{self.rules.version} by {self.guidelines.version.author}"
        forced = self.locked_until(self._clock.now()) is not None
        async with self._record.of(lever, TARGET, before, f"{after}, forced in locked hours" if forced else after):
            rules = SharedRules(after, await asyncio.to_thread(text_of), lever.actor, lever.reason)
            await self._share(rules)  # first: what the fleet refuses has decided nothing here
            async with undone(lambda: self._share(was)):
                version = await asyncio.to_thread(swap)
        self.revision += 1
        self.trial.of(None)
        self._keeper.note(_recorded(version, self.guidelines.text))
        self._chronicle.tell("lever", f"{lever.actor} {lever.verb} guidelines: {before} -> {version.version} ({lever.reason})")
        text, author, _ = await asyncio.to_thread(self._read)
        if self.file is not None and isinstance(text, str) and text != self.guidelines.text:
            await self._offer(text, author)  # the file says something else than what is in force: that stays to be seen
        return version

    def _read(self) -> tuple[str | GuidelineError, str, tuple[int, ...] | None]:
        """Return the file's text or why there is none, who wrote it, and what tells it from a later one."""
        if self.file is None:
            return text_of(DEFAULT_FILE), SHIPPED, None
        signature, author = (0, 0, 0), "somebody"
        with suppress(OSError):  # reading it says why
            stat = self.file.stat()
            signature, author = (stat.st_ino, stat.st_size, stat.st_mtime_ns), _named(stat.st_uid)
        try:
            return text_of(self.file), author, signature
        except GuidelineError as error:
            return error, author, signature

    def _edited(self, text: str | GuidelineError, last: Version | None) -> bool:
        """Say whether the file's text is another one than it was when an engine looked at it last.

        A shipped set that an upgrade changed replaces a shipped one, never what an operator applied.
        """
        try:
            seen = self._seen.read_text(encoding="utf-8")
        except (OSError, UnicodeDecodeError):
            return True
        if not isinstance(text, str) or seen == self._mark(text):
            return False
        return self.file is not None or not seen.endswith(" shipped") or last is None or last.author == SHIPPED

    def _remember(self, text: str) -> None:
        with suppress(OSError):  # without it the file counts as edited at the next start
            self._seen.parent.mkdir(mode=0o700, parents=True, exist_ok=True)
            write_durably(self._seen, self._mark(text).encode())

    def _mark(self, text: str) -> str:
        digest = hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()
        return f"{digest} {'shipped' if self.file is None else 'file'}"


async def _alone(rules: SharedRules) -> None:
    """Share with nobody."""


def _recorded(version: Version, text: str) -> GuidelineRecord:
    return GuidelineRecord(version.version, version.author, version.at, version.reason, text)


def _named(uid: int) -> str:
    """Return the name of a file's owner, or the number where it has none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"user {uid}"
