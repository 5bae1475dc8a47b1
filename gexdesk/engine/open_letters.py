"""Know the dead letters that nobody tried again or let go, those of earlier engines too."""

from collections.abc import Iterable

from msgspec import Struct

from gexdesk.stores.base import OpenLetter

HELD = 10_000
"""Letters that an engine takes over from the last one, the newest."""


class Waiting(Struct, frozen=True):
    """Say what waits of one source.

    Attributes:
        symbol: What all its letters are about; empty where one of them does not say, or they differ.
        newest: The one that was buried last.
    """

    count: int
    symbol: str
    newest: OpenLetter


class OpenLetters:
    """Hold the open letters. What an operator cancelled is none: it failed nobody."""

    def __init__(self) -> None:
        self._letters: dict[str, OpenLetter] = {}

    def load(self, letters: Iterable[OpenLetter]) -> None:
        """Take over what earlier engines left."""
        self._letters = {letter.job_id: letter for letter in letters} | self._letters

    def buried(self, letter: OpenLetter) -> None:
        """Note a dead letter."""
        self._letters[letter.job_id] = letter

    def settled(self, job_id: str) -> None:
        """Note that a dead letter waits in the queue again, or was let go."""
        self._letters.pop(job_id, None)

    def by_source(self) -> dict[str, Waiting]:
        """Return what waits, by source."""
        found: dict[str, list[OpenLetter]] = {}
        for letter in self._letters.values():
            found.setdefault(letter.source, []).append(letter)
        return {source: _waiting(letters) for source, letters in found.items()}


def _waiting(letters: list[OpenLetter]) -> Waiting:
    symbols = {letter.symbol for letter in letters}
    return Waiting(
        count=len(letters), symbol=symbols.pop() if len(symbols) == 1 else "", newest=max(letters, key=lambda x: x.buried_at)
    )
