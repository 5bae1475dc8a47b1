"""Keys that an operator moved: ``keys.toml`` in their folder, one line each, what it does = its key."""

import re
import tomllib
from collections.abc import Mapping
from pathlib import Path

from textual.keys import Keys

from gexdesk.tui.keys import KEYS, PAGE_KEYS, binding_id

_MODIFIED = re.compile(r"(?:(?:ctrl|alt|shift|super)\+)+(?=.)")
_NAMED = frozenset(key.value for key in Keys) | {"space", "plus", "minus", "slash", "colon", "question_mark", "comma", "full_stop"}
_KEPT = frozenset({"ctrl+c", "ctrl+q", "escape", "enter", "tab", "up", "down"})
"""Keys that dialogs and the way out need."""


def load(folder: Path) -> tuple[dict[str, str], list[str]]:
    """Read the keymap of a folder.

    Args:
        folder: Where ``keys.toml`` is, if there is one.

    Returns:
        The key by the name of what it does, and what is wrong: a line that is, keeps its own key.
    """
    path = folder / "keys.toml"
    try:
        found = tomllib.loads(path.read_text(encoding="utf-8"))
    except FileNotFoundError:
        return {}, []
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        return {}, [f"keys.toml: {error}; every key stays as it is"]
    return checked(_flat(found))


def checked(wanted: Mapping[str, object]) -> tuple[dict[str, str], list[str]]:
    """Return the lines that can be used, and what is wrong with the others."""
    usual = {
        binding_id(key, one): (one or key.keys).split(",") for key in (*KEYS, *PAGE_KEYS) for one in _ones(key.action, key.keys)
    }
    keymap: dict[str, str] = {}
    faults = []
    for name, key in wanted.items():
        if name not in usual:
            faults.append(f"keys.toml: nothing is called {name!r}; ? lists the names")
        elif not isinstance(key, str) or not _is_key(key):
            faults.append(f"keys.toml: {name} = {key!r} is no key: one character, or a name as f5, ctrl+x, space")
        elif key in _KEPT:
            faults.append(f"keys.toml: {name} = {key!r}: that key stays what it is")
        else:
            keymap[name] = key
    for name, key in list(keymap.items()):
        holders = [other for other, keys in usual.items() if other != name and other not in keymap and key in keys]
        holders += [other for other, theirs in keymap.items() if other != name and theirs == key]
        if holders:
            del keymap[name]
            faults.append(f"keys.toml: {name} = {key!r} is {holders[0]}'s key; move that one first")
    return keymap, faults


def _flat(found: Mapping[str, object], before: str = "") -> dict[str, object]:
    """Read ``lever.promote = "x"`` as TOML does, a table in a table, and give the name back."""
    flat: dict[str, object] = {}
    for name, value in found.items():
        flat |= _flat(value, f"{before}{name}.") if isinstance(value, dict) else {f"{before}{name}": value}
    return flat


def _ones(action: str, keys: str) -> list[str]:
    return keys.split(",") if action == "panel" else [""]


def _is_key(key: str) -> bool:
    bare = _MODIFIED.sub("", key)
    return (len(bare) == 1 and bare.isprintable() and bare not in ", ") or bare in _NAMED
