"""Who reads which symbols, as the configuration says: an incident names whom it hits."""

from collections.abc import Mapping, Sequence


class Readers:
    """Name readers by what they read.

    Args:
        of_symbol: The readers of each symbol that has any.
    """

    def __init__(self, of_symbol: Mapping[str, Sequence[str]]) -> None:
        self._of_symbol = dict(of_symbol)

    def of(self, symbols: Sequence[str]) -> tuple[str, ...]:
        """Return who reads one of these symbols, each once."""
        return tuple(dict.fromkeys(name for symbol in symbols for name in self._of_symbol.get(symbol, ())))
