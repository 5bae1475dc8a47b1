"""Name what a state folder holds, and make one."""

from pathlib import Path

from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable

METADATA_NAME = "metadata.duckdb"
AUDIT_NAME = "audit.jsonl"
GUIDELINES_NAME = "guidelines"
"""Folder of the guidelines' versions in a state folder."""

HISTORY_NAME = "history"


def make_state_folder(state: Path) -> Path:
    """Make a state folder for its owner alone, and return where it is. Raises SettingsError."""
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        return state.resolve()
    except (OSError, ValueError) as error:
        why = error.strerror if isinstance(error, OSError) else str(error)
        raise SettingsError(f"the state folder {printable(str(state))} cannot be made: {why}; name another one") from error
