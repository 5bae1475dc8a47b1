"""A condition as it was written: read into Python's syntax tree, or refused at the character where it goes wrong.

Nothing is evaluated here; which nodes of the tree are allowed is checked in ``condition.py``.
"""

import ast
import io
import re
import tokenize
import unicodedata
import warnings

from gexdesk.guidelines.fields import ALIASES, ALLOWED, FIELDS, RENAMED
from gexdesk.guidelines.place import PlaceOf, nearest, refuse
from gexdesk.model.errors import GuidelineError

MAX_BYTES = 2048
MAX_DEPTH = 20

_NUMBER = re.compile(r"[0-9][0-9_]*(\.[0-9_]*)?([eE][+-]?[0-9]+)?|\.[0-9_]+([eE][+-]?[0-9]+)?")
_SLIPS = (
    (r"(?<![<>=!:])=(?!=)", "=", "=="),
    (r"&&?", "&", "and"),
    (r"\|\|?", "|", "or"),
    (r"<>", "<>", "!="),
    (r"!(?!=)", "!", "not"),
    (r"\bAND\b", "AND", "and"),
    (r"\bOR\b", "OR", "or"),
    (r"\bNOT\b", "NOT", "not"),
    (r"\bIN\b", "IN", "in"),
    ("[\u2018\u2019\u201c\u201d\u00b4`]", "a typographic quote", "'"),
)


class Written:
    """Hold the text of one condition and place its faults.

    Args:
        text: A line break counts as a space.
        place: Places a character of the text in its file.
        guideline: Name of the guideline, for faults.
    """

    def __init__(self, text: str, place: PlaceOf, guideline: str) -> None:
        self._text = text
        self._flat = text.replace("\n", " ").replace("\t", " ")
        self._indent = len(self._flat) - len(self._flat.lstrip())
        self._place = place
        self._guideline = guideline

    def parse(self) -> ast.expr:
        """Return the syntax tree, or refuse what is no expression at all."""
        size = len(self._text.encode("utf-8", "surrogatepass"))
        if size > MAX_BYTES:
            raise self.refuse(0, f"a condition of {size:,} bytes is too long", f"{size} bytes", f"{MAX_BYTES:,} bytes")
        if not self._text.strip():
            raise self.refuse(0, "the condition is empty", "nothing", ALLOWED)
        for offset, char in enumerate(self._flat):
            if char == "\\" or (char != " " and unicodedata.category(char)[0] in "CZ"):
                name = f"the character U+{ord(char):04X}"
                raise self.refuse(offset, f"{name} cannot stand in a condition", name, "printable characters but the backslash")
        source = self._flat.strip()
        try:
            with warnings.catch_warnings(action="ignore"):
                parsed = ast.parse(source, mode="eval").body
                tokens = list(tokenize.generate_tokens(io.StringIO(source).readline))
        except SyntaxError as error:
            raise self._unreadable(error.msg, self._indent + (error.offset - 1 if error.offset else len(source))) from None
        except (ValueError, RecursionError, MemoryError, tokenize.TokenError):
            raise self.too_deep(0) from None
        for token in tokens:
            offset = self._indent + token.start[1]
            if token.type == tokenize.COMMENT:
                fault = "a comment cannot stand inside a condition"
                raise self.refuse(offset, fault, "a comment", "comments after the closing quote")
            if token.type == tokenize.NUMBER and not _NUMBER.fullmatch(token.string):
                fault = f"{token.string} is no plain decimal number"
                raise self.refuse(offset, fault, token.string, "decimals such as 50_000, 0.1, 1e6")
            if token.type == tokenize.NAME and not token.string.isascii():
                raise self.unknown(token.string, offset)  # look-alike letters
        return parsed

    def offset(self, node: ast.expr) -> int:
        """Return where a node begins, in characters."""
        # the parser counts columns in bytes of UTF-8, people in characters
        line = self._flat.lstrip().encode()
        return self._indent + len(line[: node.col_offset].decode(errors="ignore"))

    def refuse(self, offset: int, fault: str, found: str, allowed: str, *, near: str = "") -> GuidelineError:
        """Make the fault at a character."""
        return refuse(self._place(offset), fault, found, allowed, near=near, guideline=self._guideline)

    def unknown(self, word: str, offset: int) -> GuidelineError:
        """Make the fault of a name that is no field."""
        names = [*FIELDS, *ALIASES]
        near = RENAMED.get(word.casefold()) or nearest(word, names)
        return self.refuse(offset, f"{word} is no field", word, ", ".join(names), near=near)

    def too_deep(self, offset: int) -> GuidelineError:
        """Make the fault of nesting that nobody could read."""
        return self.refuse(offset, f"it is nested deeper than {MAX_DEPTH}", "deep nesting", f"a depth of {MAX_DEPTH}")

    def _unreadable(self, reason: str, offset: int) -> GuidelineError:
        if "nested" in reason:
            return self.too_deep(offset)
        bare = re.sub(r"'[^']*'|\"[^\"]*\"", lambda quoted: " " * len(quoted[0]), self._flat)
        slips = [(match.start(), found, near) for pattern, found, near in _SLIPS if (match := re.search(pattern, bare))]
        if slips:
            at, found, near = min(slips)
            return self.refuse(at, f"{found} has no meaning here", found, ALLOWED, near=near)
        rest = self._flat[offset:].strip()
        if any(word in reason for word in ("never closed", "unterminated", "unmatched", "does not match")):
            fault = reason
        elif rest:
            fault = f"it cannot be read from {rest[:24]!r} on"
        else:
            fault = "it ends too early"
        return self.refuse(min(offset, len(self._text) - 1), fault, rest[:24] or "the end", ALLOWED)
