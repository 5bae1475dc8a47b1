"""The tables of a guideline file as TOML gives them: taken by kind, refused where they stand."""

from collections.abc import Iterable, Mapping

from gexdesk.guidelines.fields import RENAMED
from gexdesk.guidelines.place import Places, nearest, refuse
from gexdesk.model.errors import GuidelineError
from gexdesk.model.text import printable

_MAX_NUMBER = 1e15


class Tables:
    """Take values of a file; every refusal is a GuidelineError with its line and column."""

    def __init__(self, file: str, text: str) -> None:
        self.places = Places(file, text)

    def table(self, value: object, header: str, names: tuple[str, ...], key: str = "") -> Mapping[str, object]:
        """Take a table that has exactly these keys; ``key`` names it where it is written inline under a header."""
        if not isinstance(value, dict):
            raise self.wrong(value, "a table with " + ", ".join(names), header, key)
        self.keys(value, names, header, required=names, inline=key)
        return value

    def keys(
        self,
        table: Mapping[str, object],
        known: Iterable[str],
        header: str,
        nth: int = 0,
        *,
        required: Iterable[str],
        inline: str = "",
    ) -> None:
        """Refuse keys that are not known and keys that are missing."""
        known = tuple(known)
        where = ".".join(part for part in (header, inline) if part) or "the file"
        for key in table:
            if key not in known:
                at = self.places.of(header, inline or key, nth)
                if at.line is None:
                    at = self.places.of(f"{header}.{key}".lstrip("."))
                raise refuse(at, f"{key} is no key of {where}", key, ", ".join(known), near=_meant(key, known))
        for key in required:
            if key not in table:
                fault = f"{where} has no {key}"
                raise refuse(self.places.of(header, inline, nth), fault, "nothing", ", ".join(known))

    def text(self, value: object, header: str, key: str, nth: int = 0) -> str:
        """Take one line that is safe to show."""
        if not isinstance(value, str) or printable(value) != value:
            raise self.wrong(value, "one line of at most 200 printable characters", header, key, nth)
        return value

    def number(self, value: object, header: str, key: str, what: str, *, nth: int = 0, above_zero: bool = False) -> float:
        """Take a number from 0 on."""
        allowed = "a number above 0, up to 1e15" if above_zero else "a number from 0 to 1e15"
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self.wrong(value, allowed, header, key, nth)
        if not 0 <= value <= _MAX_NUMBER or (above_zero and value == 0):
            found = f"{value:.6g}" if -_MAX_NUMBER <= value <= _MAX_NUMBER else "too large" if value > 0 else "not a finite number"
            raise refuse(self.places.of(header, key, nth), f"{what} is {found}", found, allowed)
        return float(value)

    def wrong(self, value: object, allowed: str, header: str, key: str, nth: int = 0) -> GuidelineError:
        """Make the fault of a value of the wrong kind."""
        found = say(value)
        return refuse(self.places.of(header, key, nth), f"{key or header} is {found}", found, allowed)


def say(value: object) -> str:
    """Name what stands in a file, for a fault."""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, str):
        return f"the text {printable(value, 40)!r}"
    return {int: "a number", float: "a number", list: "a list", dict: "a table"}.get(type(value), "a date or time")


def _meant(key: str, known: tuple[str, ...]) -> str:
    renamed = RENAMED.get(key, "")
    return renamed if renamed in known else nearest(key, known)
