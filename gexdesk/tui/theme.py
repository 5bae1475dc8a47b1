"""Load the desk's themes and mix its few inks from the one in use."""

import tomllib
from functools import lru_cache
from pathlib import Path

from rich.style import Style
from textual.color import Color, ColorParseError
from textual.theme import Theme

DEFAULT_THEME = "desk-dark"

Inks = dict[str, Style]
"""Rich style by ink; an empty one needs no escape sequence at all."""


def theme_folder() -> Path:
    """Return the folder of the packaged themes, or the checkout's where the package runs from one."""
    here = Path(__file__).resolve().parent
    packaged = here / "themes"
    return packaged if packaged.is_dir() else here.parents[1] / "themes"


def load_themes(folder: Path | None = None) -> list[Theme]:
    """Read every theme of a folder, the default one first.

    Raises:
        ValueError: A file is no theme: the message names it, what was found and what is allowed.
    """
    themes = [_theme(path) for path in sorted((folder or theme_folder()).glob("*.toml"))]
    return sorted(themes, key=lambda theme: theme.name != DEFAULT_THEME)


def _theme(path: Path) -> Theme:
    try:
        theme = Theme(**tomllib.loads(path.read_text(encoding="utf-8")))
        for colour in (theme.primary, theme.foreground, theme.background, theme.accent, theme.variables.get("faint")):
            _rich(colour)
        if not isinstance(theme.name, str):
            raise TypeError("name is no text")
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, TypeError, AttributeError, ColorParseError) as error:
        allowed = "allowed are TOML files with the keys of Textual's Theme (name, accent, ...)"
        raise ValueError(f"{path}: {error}; {allowed}") from None
    return theme


class Themes:
    """Know the packaged themes and the operator's own, and notice when a file of theirs changes.

    Args:
        own: Folder of the operator's own; it need not be there.
    """

    def __init__(self, own: Path) -> None:
        self._folders = (theme_folder(), own)
        self._read: dict[Path, tuple[int, int]] = {}
        self.faults: dict[Path, str] = {}
        self.names: list[str] = []

    def news(self) -> list[Theme]:
        """Return the themes of files that are new or were changed since the last call; what is wrong with a file is a fault.

        The packaged ones come first, so that one of the operator's of the same name takes its place.
        """
        found = []
        for path in (path for folder in self._folders for path in sorted(folder.glob("*.toml"))):
            try:
                stat = path.stat()
            except OSError:
                continue
            stamp = (stat.st_mtime_ns, stat.st_size)
            if self._read.get(path) == stamp:
                continue
            self._read[path] = stamp
            self.faults.pop(path, None)
            try:
                theme = _theme(path)
                found.append(theme)
                self.names = sorted({*self.names, theme.name}, key=lambda name: (name != DEFAULT_THEME, name))
            except ValueError as error:
                self.faults[path] = str(error).replace(str(path), f"themes/{path.name}")
        return found


@lru_cache(maxsize=16)
def _rich(colour: str | None) -> Color | None:
    return Color.parse(colour) if colour else None


def inks(theme: Theme) -> Inks:
    """Mix the inks: plain, ``faint``, ``bold``, ``eye`` (the one accent), ``row`` and ``badge`` (reversed), ``old``.

    ``old`` is what every ink becomes on a picture that is too old to act on. The same colours give the same object, by which a
    pane knows that nothing changed; nobody writes to it.
    """
    return _mixed(theme.foreground, theme.background, theme.accent, theme.variables.get("faint"), theme.ansi)


@lru_cache(maxsize=16)
def _mixed(foreground: str | None, background: str | None, accent: str | None, faint: str | None, ansi: bool) -> Inks:
    fore, back, eye, dim = _rich(foreground), _rich(background), _rich(accent), _rich(faint)
    base = Style()
    if not ansi:
        base = Style(color=fore.rich_color if fore else None, bgcolor=back.rich_color if back else None)
    dimmed = base + Style(color=dim.rich_color) if dim else base + Style(dim=True)
    return {
        "": base,
        "faint": dimmed,
        "bold": base + Style(bold=True),
        "eye": base + Style(color=eye.rich_color if eye else None, bold=True),
        "row": base + Style(bold=True, reverse=True),
        "badge": base + Style(bold=True, reverse=True),
        "old": dimmed,
    }
