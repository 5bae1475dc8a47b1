"""The guidelines in force: offered, checked, applied and rolled back while another thread decides by them.

A set is immutable and ``current`` is one reference, so that a decision sees one set or the next, never half of either. All that
takes time (reading, compiling, syncing) is done before the reference changes.
"""

from threading import Lock

from msgspec import Struct

from gexdesk.guidelines.rules import RuleSet, read
from gexdesk.guidelines.versions import Version, Versions, difference
from gexdesk.model.clock import Clock
from gexdesk.model.errors import GuidelineError
from gexdesk.model.text import printable


class Staged(Struct, frozen=True):
    """Hold a set that was checked and waits to be applied.

    Attributes:
        base: Version in force when it was offered; its ``diff`` is against that one.
        at: When it was offered, UTC seconds.
    """

    rules: RuleSet
    text: str
    author: str
    base: str
    diff: str
    at: float


class Fault(Struct, frozen=True):
    """Say why an offered text was refused; it stands until a good one is offered.

    Attributes:
        message: One line with file, line and column.
        details: As in ``GuidelineError.details``.
        at: When it was offered, UTC seconds.
    """

    message: str
    details: dict[str, object]
    author: str
    at: float


class Guidelines:
    """Hold the set in force; any thread may read ``current``, ``fault`` and ``staged``.

    Args:
        versions: Where every set that decides is kept first.
        clock: Stamps versions and faults.
        file: Name of the rule file, for faults.
    """

    def __init__(self, versions: Versions, clock: Clock, file: str = "guidelines.toml") -> None:
        self._versions = versions
        self._clock = clock
        self._file = file
        self._lock = Lock()
        self._fault: Fault | None = None
        self._staged: Staged | None = None
        self._current: RuleSet | None = None
        self._version: Version | None = None
        self._text = ""

    def start(self, text: str | GuidelineError, author: str, *, edited: bool = True) -> Version:
        """Put the configured text in force, or, where it is faulty, the last version that decided.

        The text becomes a new version where it says something else than the last one. A fault stands beside the last version.

        Args:
            text: Of the rule file, or why it could not be read.
            edited: Somebody changed the file since it was last looked at. Where nobody did, the last version stays whatever
                the file says: what an operator applied or rolled back to outlives a restart.

        Raises:
            GuidelineError: The text is faulty and there is no version to go on with, or the versions cannot be read or kept.
        """
        with self._lock:
            last = self._versions.last()
            try:
                if isinstance(text, GuidelineError):
                    raise text
                rules = read(text, self._file)
            except GuidelineError as error:
                if last is None:
                    raise
                self._fault = self._refused(error, author)
            else:
                if last is None or (edited and self._versions.text(last) != text):
                    last = self._versions.keep(
                        rules.version, text, at=self._clock.now(), author=author, reason="in force at the start"
                    )
            self._text = self._versions.text(last)
            self._current, self._version = read(self._text, last.version), last
            return last

    @property
    def current(self) -> RuleSet:
        """Return the set in force."""
        if self._current is None:
            raise GuidelineError("no guidelines are in force yet; call start first")
        return self._current

    @property
    def version(self) -> Version:
        """Return the version in force: who set it, when and why."""
        if self._version is None:
            raise GuidelineError("no guidelines are in force yet; call start first")
        return self._version

    @property
    def text(self) -> str:
        """Return the text in force."""
        return self._text

    @property
    def fault(self) -> Fault | None:
        """Return why the text offered last was refused; None when it was good."""
        return self._fault

    @property
    def staged(self) -> Staged | None:
        """Return the set that waits to be applied, if one does."""
        return self._staged

    def prepare(self, text: str, author: str, file: str = "") -> Staged:
        """Check a text against what is in force, and leave everything as it is.

        Args:
            file: Name of where the text is from, for faults; by default the rule file's.

        Raises:
            GuidelineError: The text is faulty.
        """
        rules = read(text, file or self._file)
        with self._lock:
            base = self.current.version
            diff = difference(self._text, text, base, rules.version)
            return Staged(rules, text, printable(author, 80), base, diff, self._clock.now())

    def offer(self, text: str | GuidelineError, author: str) -> Staged | Fault:
        """Check the rule file's text and stage it; what is in force stays either way.

        A good one replaces what was staged and ends the fault; one that is in force already leaves nothing staged. A bad one,
        or the reason why there is none, leaves both the set in force and the staged one.
        """
        try:
            if isinstance(text, GuidelineError):
                raise text
            prepared = self.prepare(text, author)
        except GuidelineError as error:
            self._fault = fault = self._refused(error, author)
            return fault
        with self._lock:
            self._staged = prepared if prepared.text != self._text else None
            self._fault = None
            return prepared

    def apply(self, staged: Staged, author: str, reason: str) -> Version:
        """Keep a staged set as a version, then decide by it.

        Raises:
            GuidelineError: Another set came into force since it was staged (its diff would be wrong), or it could not be kept.
                What is in force stays.
        """
        with self._lock:
            if staged.base != self.current.version:
                fault = f"{staged.rules.version} was staged against {staged.base}, but {self.current.version} is in force now"
                raise GuidelineError(f"{fault}; offer it again and look at what it changes")
            return self._swap(staged.rules, staged.text, author, reason)

    def rollback(self, version: str, author: str, reason: str) -> Version:
        """Decide by an earlier version again; it becomes the newest one in the history.

        Raises:
            GuidelineError: There is no such version, or it could not be read or kept. What is in force stays.
        """
        with self._lock:
            text = self.text_of(version)
            return self._swap(read(text, version), text, author, reason)

    def text_of(self, version: str) -> str:
        """Return the text of an earlier version. Raises GuidelineError where there is none of that name, or it is gone."""
        return self._versions.text(self._versions.find(version))

    def set_torn_aside(self) -> str:
        """Put a line that a crash left half written beside the history; as ``Versions.set_torn_aside``."""
        return self._versions.set_torn_aside()

    def unnamed(self) -> int:
        """Count kept texts that are in no line of the history: more than one, and it has lost lines. As ``history``."""
        return self._versions.unnamed()

    def history(self) -> tuple[Version, ...]:
        """Return all versions, the oldest first. Raises GuidelineError."""
        return self._versions.history()

    def _swap(self, rules: RuleSet, text: str, author: str, reason: str) -> Version:
        version = self._versions.keep(rules.version, text, at=self._clock.now(), author=author, reason=reason)
        self._current, self._version, self._text = rules, version, text
        self._staged = None
        return version

    def _refused(self, error: GuidelineError, author: str) -> Fault:
        return Fault(error.message, error.details, printable(author, 80), self._clock.now())
