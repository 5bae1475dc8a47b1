"""Who reads which symbols, as the configuration says: an incident names whom it hits."""

from collections.abc import Mapping, Sequence

EVERY_SYMBOL = "*"


class Readers:
    """Name readers by what they read.

    Args:
        symbols: Of each reader; ``*`` is every symbol.
    """

    def __init__(self, symbols: Mapping[str, Sequence[str]]) -> None:
        self._symbols = {name: frozenset(read) for name, read in symbols.items()}

    def of(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Return who reads one of these symbols, in the configuration's order."""
        hit = set(symbols)
        return tuple(name for name, read in self._symbols.items() if hit and (EVERY_SYMBOL in read or hit & read))
