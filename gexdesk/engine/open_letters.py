"""Know the dead letters that nobody tried again or let go, those of earlier engines too."""

from collections import Counter
from collections.abc import Iterable

from msgspec import Struct

from gexdesk.stores.base import OpenLetter

HELD = 10_000
"""Letters that an engine takes over from the last one, the newest."""

HELD_A_SOURCE = 1_000
"""Letters held of one source, the newest: a format that changes at night makes half a million. Of the rest the number is known."""


class Waiting(Struct, frozen=True):
    """Say what waits of one source.

    Attributes:
        symbol: What all its letters are about; empty where one of them does not say, or they differ.
        newest: The one that was buried last.
    """

    count: int
    symbol: str
    newest: OpenLetter


class _Source:
    """Hold the letters of one source, in the order of their burial.

    Attributes:
        more: How many are not held, older than those that are.
    """

    def __init__(self) -> None:
        self.letters: dict[str, OpenLetter] = {}
        self.more = 0
        self._symbols: Counter[str] = Counter()
        self._let_go: OpenLetter | None = None
        self._let_go_symbols: set[str] = set()

    def add(self, letter: OpenLetter) -> None:
        self.remove(letter.job_id)
        self.letters[letter.job_id] = letter
        self._symbols[letter.symbol] += 1
        if len(self.letters) > HELD_A_SOURCE:
            oldest = next(iter(self.letters.values()))
            self.remove(oldest.job_id)
            self.more += 1
            self._let_go = oldest
            if len(self._let_go_symbols) < 2:  # two are as good as many
                self._let_go_symbols.add(oldest.symbol)

    def remove(self, job_id: str) -> bool:
        letter = self.letters.pop(job_id, None)
        if letter is None:
            return False
        self._symbols[letter.symbol] -= 1
        if not self._symbols[letter.symbol]:
            del self._symbols[letter.symbol]
        return True

    def waiting(self) -> Waiting | None:
        newest = next(reversed(self.letters.values()), self._let_go if self.more else None)
        if newest is None:
            return None
        symbols = self._symbols.keys() | (self._let_go_symbols if self.more else set())
        return Waiting(len(self.letters) + self.more, next(iter(symbols)) if len(symbols) == 1 else "", newest)


class OpenLetters:
    """Hold the open letters. What an operator cancelled is none: it failed nobody."""

    def __init__(self) -> None:
        self._sources: dict[str, _Source] = {}

    def load(self, letters: Iterable[OpenLetter]) -> None:
        """Take over what earlier engines left; called before anything is buried here."""
        for letter in sorted(letters, key=lambda letter: letter.buried_at):
            self.buried(letter)

    def buried(self, letter: OpenLetter) -> None:
        """Note a dead letter."""
        self._sources.setdefault(letter.source, _Source()).add(letter)

    def settled(self, job_id: str, source: str) -> None:
        """Note that a dead letter waits in the queue again, or was let go.

        Args:
            source: Whose open letter the store says it is; empty where it is none, as one that an operator had cancelled.
        """
        if any(of.remove(job_id) for of in self._sources.values()):
            return
        if source in self._sources:
            self._sources[source].more = max(0, self._sources[source].more - 1)

    def by_source(self) -> dict[str, Waiting]:
        """Return what waits, by source; costs the same however many letters there are."""
        found = {source: of.waiting() for source, of in self._sources.items()}
        return {source: waiting for source, waiting in found.items() if waiting is not None}
