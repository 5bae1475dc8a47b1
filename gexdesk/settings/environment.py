"""Lay variables of the environment over a file."""

import difflib
import tomllib
from collections.abc import Mapping
from typing import Any

from gexdesk.model.errors import SettingsError
from gexdesk.settings.desk import Settings

PREFIX = "GEXDESK_"

OTHERS = ("CONFIG", "KEY")
"""Variables of ours that are no settings: which configuration, and the key for an engine elsewhere."""

_KEYS_AS_WRITTEN = (("promises_s",), ("rates", "symbols"))
"""Tables whose keys are names in upper case."""


def layer(raw: dict[str, Any], environment: Mapping[str, str]) -> dict[str, str]:
    """Lay the environment's settings over a file's; returns the variable of each key, ``sources.0.url`` -> ``GEXDESK_...``."""
    if isinstance(raw.get("guidelines"), str):
        raw["guidelines"] = {"file": raw["guidelines"]}
    named = {}
    for name, text in sorted(environment.items()):
        first = name.removeprefix(PREFIX).partition("__")[0]
        if not name.startswith(PREFIX) or first in (*OTHERS, "STATE"):
            continue
        if first.lower() not in Settings.model_fields or first == "MODE":
            near = difflib.get_close_matches(first.lower(), [*Settings.model_fields], 1, 0.8)
            if near:
                raise SettingsError(f"${name} is no setting; did you mean {PREFIX}{near[0].upper()}?")
            continue  # somebody's own, e.g. a key that a source names
        named[".".join(_place(raw, name, text))] = name
    return named


def _place(raw: dict[str, Any], name: str, text: str) -> tuple[str, ...]:
    """Put one variable's value where its name says, and return the way there. Raises SettingsError."""
    try:
        value = tomllib.loads(f"x = {text}")["x"]
    except tomllib.TOMLDecodeError:
        value = text
    way: tuple[str, ...] = ()
    inside: Any = raw
    *outer, last = name.removeprefix(PREFIX).split("__")
    for step in (*outer, None):
        key = last if step is None else step
        key = key if way in _KEYS_AS_WRITTEN else key.lower()
        if isinstance(inside, list):
            if not key.isdecimal() or int(key) > len(inside):
                where = ".".join(way)
                raise SettingsError(f"${name}: {where} has {len(inside)} entries; name one of them by its number, or the next")
            number = int(key)
            if number == len(inside):
                inside.append({} if step is not None else value)
            if step is None:
                inside[number] = value
            following = inside[number]
        elif isinstance(inside, dict):
            if step is None:
                inside[key] = value
            following = inside.setdefault(key, [] if key in ("sources", "symbols", "schedules") and not way else {})
        else:
            raise SettingsError(f"${name}: {'.'.join(way)} is no table, so nothing stands in it")
        inside, way = following, (*way, key)
    return way
