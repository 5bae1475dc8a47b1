"""Read a configuration, and refuse with file and key what cannot be used."""

import contextlib
import os
import tomllib
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pydantic import TypeAdapter, ValidationError

from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable
from gexdesk.settings.desk import Settings
from gexdesk.settings.environment import layer
from gexdesk.settings.places import default_state, named_state
from gexdesk.settings.sources import DirectorySource

_SPOKEN: dict[str, TypeAdapter[Any]] = {
    "bool_type": TypeAdapter(bool), "int_type": TypeAdapter(int), "float_type": TypeAdapter(float)
}  # fmt: skip
"""How a variable's text is read where a file would have to have the type itself: ``yes`` and ``1`` are true there."""


def load_settings(path: Path | None, state: Path | None = None) -> Settings:
    """Read and validate a configuration: what is built in, then the file, then the environment, then ``state``.

    ``GEXDESK_LISTEN=127.0.0.1:8765`` sets ``listen``, ``GEXDESK_ENGINE__WORKERS=4`` sets ``workers`` of ``[engine]``,
    ``GEXDESK_SOURCES__0__URL=...`` the first source's ``url``; a value is read as in the file, or else as text, and where truth or
    a number is asked for as what the text says: ``yes``, ``1``, ``False``.

    Args:
        path: TOML file; None for none.
        state: Replaces every other ``state``; a relative one is read from where the caller is, not from the file's folder.

    Raises:
        SettingsError: File or variable, key, what was found, what is allowed.
    """
    raw = _read(path) if path is not None else {}
    named = layer(raw, os.environ)
    if state is None and path is None:
        state = named_state() or default_state()
    raw["state"] = state.absolute() if state is not None else named_state() or raw.get("state", default_state())
    try:
        settings = _validated(raw, named)
    except ValidationError as error:
        first = error.errors()[0]
        where = ".".join(str(part) for part in first["loc"]) or "the file"
        said = first["msg"].removeprefix("Value error, ")
        what = "no such key here; is it misspelt?" if first["type"] == "extra_forbidden" else said
        # What stands under a key that does not exist may be a misplaced secret: only its name is shown.
        found = "" if first["type"] == "extra_forbidden" else _found(first["type"], first.get("input"))
        more = f" (and {error.error_count() - 1} more)" if error.error_count() > 1 else ""
        key = ".".join(map(str, _way(first["loc"])))
        origin = next((f"${name}" for way, name in named.items() if f"{key}.".startswith(f"{way}.")), str(path))
        if first["type"] in _SPOKEN and isinstance(first["input"], str) and key not in named:
            what += ", without quotation marks"
        raise SettingsError(printable(f"{origin}: {where}: {what}{found}{more}", 600)) from None
    if path is None:
        return settings
    return _relative_to(path.parent, settings.read_from(path))


def _validated(raw: dict[str, Any], named: Mapping[str, str]) -> Settings:
    """Validate file and environment; what a variable says is taken for what it means. Raises ValidationError."""
    try:
        return Settings.model_validate(raw)
    except ValidationError as error:
        faults = [(fault["type"], _way(fault["loc"]), fault["input"]) for fault in error.errors()]
    for kind, way, said in faults:
        if kind in _SPOKEN and ".".join(map(str, way)) in named:
            inside: Any = raw
            for step in way[:-1]:
                inside = inside[step]
            with contextlib.suppress(ValidationError):  # then it stays, and is refused by its name
                inside[way[-1]] = _SPOKEN[kind].validate_python(said)
    return Settings.model_validate(raw)


def _way(place: tuple[int | str, ...]) -> tuple[int | str, ...]:
    """Return the way to a key as a file has it: a source's kind stands in Pydantic's."""
    return tuple(part for number, part in enumerate(place) if (number, place[0]) != (2, "sources"))


def _found(fault: str, value: object) -> str:
    """Say what was found as a file would have it; where keys lack or do not go together their place says it."""
    if isinstance(value, bool):
        return f"; found {str(value).lower()}"
    if isinstance(value, int | float):
        return f"; found {value:.6g}" if abs(value) > 1e15 else f"; found {value}"
    if isinstance(value, str):
        return f"; found {value[:80]!r}"
    if fault in ("missing", "value_error"):
        return ""
    return "; found a list" if isinstance(value, list | tuple) else "; found a table" if isinstance(value, dict) else ""


def _read(path: Path) -> dict[str, Any]:
    try:
        raw = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise SettingsError(f"{path}: no such file; `gexdesk init` writes one to start from") from None
    except (OSError, UnicodeDecodeError) as error:
        raise SettingsError(f"{path}: cannot be read: {error}") from None
    except tomllib.TOMLDecodeError as error:
        raise SettingsError(f"{path}: not valid TOML: {error}") from None
    if "mode" in raw:
        raise SettingsError(f"{path}: mode: not a key of a configuration; the sample desk is `gexdesk` without one")
    return raw


def _relative_to(folder: Path, settings: Settings) -> Settings:
    """Read relative paths of a configuration from where the configuration lies."""
    sources = tuple(
        s.model_copy(update={name: folder / path.expanduser() for name in ("path", "key_file") if (path := getattr(s, name, None))})
        for s in settings.sources
    )
    state = folder / settings.state.expanduser()
    for source in sources:
        if isinstance(source, DirectorySource) and source.path.absolute() == state.absolute():
            raise SettingsError(f"source {source.name} watches the state folder itself ({state}); give it a folder of its own")
    symbols = tuple(
        s.model_copy(update={"history": folder / s.history.expanduser()}) if s.history is not None else s for s in settings.symbols
    )
    update: dict[str, object] = {"sources": sources, "symbols": symbols, "state": state}
    shared = settings.engine.shared
    if shared is not None:
        update["engine"] = settings.engine.model_copy(update={"shared": folder / shared.expanduser()})
    rules = settings.guidelines.file
    if rules is not None:
        update["guidelines"] = settings.guidelines.model_copy(update={"file": folder / rules.expanduser()})
    if settings.log.file is not None:
        update["log"] = settings.log.model_copy(update={"file": folder / settings.log.file.expanduser()})
    if settings.redis is not None and settings.redis.key_file is not None:
        update["redis"] = settings.redis.model_copy(update={"key_file": folder / settings.redis.key_file.expanduser()})
    return settings.model_copy(update=update)
