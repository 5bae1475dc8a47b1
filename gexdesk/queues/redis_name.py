"""Name an engine among those that share a queue: the same in its next life, never that of another one."""

import re
import secrets
import socket
from pathlib import Path

from gexdesk.model.errors import SettingsError


def engine_name(path: Path) -> str:
    """Return the name of the state folder's engine on this host; its random half is kept in a file.

    The host's name is the other half, so that a copied state folder does not take its original's jobs.

    Raises:
        SettingsError: The file cannot be read or made.
    """
    try:
        try:
            half = path.read_text(encoding="ascii").strip()
        except FileNotFoundError:
            half = ""
        if not re.fullmatch(r"[0-9a-f]{12}", half):
            half = secrets.token_hex(6)
            path.write_text(half + "\n", encoding="ascii")
    except (OSError, UnicodeError) as error:
        raise SettingsError(f"the engine's name in {path} can be neither read nor made: {error}") from error
    host = re.sub(r"[^A-Za-z0-9.-]", "-", socket.gethostname())[:64]
    return f"{host}-{half}"
