"""Where the configuration and the state lie where nobody says otherwise."""

import os
from pathlib import Path

from gexdesk.model.errors import SettingsError
from gexdesk.settings.environment import PREFIX

LOCK_NAME = "engine.lock"
"""File of a state folder that its engine holds locked."""


def default_state() -> Path:
    """Return the user's state folder, after XDG."""
    base = os.environ.get("XDG_STATE_HOME") or str(Path.home() / ".local" / "state")
    return Path(base) / "gexdesk"


def find_configuration() -> Path | None:
    """Return the configuration the user has, or None: ``$GEXDESK_CONFIG``, else ``gexdesk/gexdesk.toml`` under XDG config.

    Raises:
        SettingsError: ``$GEXDESK_CONFIG`` names a file that is not there; never the sample in its place.
    """
    named = os.environ.get("GEXDESK_CONFIG")
    if named:
        if not Path(named).is_file():
            raise SettingsError(f"$GEXDESK_CONFIG names {named}, which is not a file; correct it, or unset it for the sample desk")
        return Path(named)
    base = os.environ.get("XDG_CONFIG_HOME") or str(Path.home() / ".config")
    path = Path(base) / "gexdesk" / "gexdesk.toml"
    return path if path.is_file() else None


def named_state() -> Path | None:
    """Return the state folder that ``$GEXDESK_STATE`` names, None without it."""
    named = os.environ.get(f"{PREFIX}STATE")
    return Path(named).absolute() if named else None
