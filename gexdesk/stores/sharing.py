"""Know the folder in which the engines of a fleet keep what all of them may ask for."""

from pathlib import Path

import msgspec
from msgspec import Struct

from gexdesk.model.errors import SettingsError, StoreError
from gexdesk.model.text import printable

NAME = "sharing.json"
"""File of a state folder that says where that is, so that a question needs no configuration."""


class Sharing(Struct, frozen=True):
    """Name the folder, and the engine of this state folder in it.

    Attributes:
        shared: Absolute path.
    """

    shared: str
    engine: str

    @property
    def lake(self) -> Path:
        """Return the lake that this engine writes; nobody else does."""
        return Path(self.shared, "lake", f"host={self.engine}")

    @property
    def exports(self) -> Path:
        """Return where this engine's tables lie for others."""
        return Path(self.shared, "exports", f"host={self.engine}")

    def lakes(self) -> list[Path]:
        """Return every engine's lake."""
        return sorted(Path(self.shared, "lake").glob("host=*"))


def share(state: Path, shared: Path, engine: str) -> Sharing:
    """Make the folder and note it in the state folder. Raises SettingsError where it cannot be made."""
    sharing = Sharing(str(shared.absolute()), engine)
    try:
        for folder in (sharing.lake, sharing.exports, shared / "taken"):
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        (state / NAME).write_bytes(msgspec.json.encode(sharing))
    except OSError as error:
        where = printable(str(shared))
        do = "mount it on every host of the fleet"
        raise SettingsError(f"[engine] shared = {where} cannot be used: {error.strerror}; {do}") from error
    return sharing


def sharing_of(state: Path) -> Sharing | None:
    """Return what a state folder shares; None where it shares nothing. Raises StoreError where that cannot be read."""
    try:
        return msgspec.json.decode((state / NAME).read_bytes(), type=Sharing)
    except FileNotFoundError:
        return None
    except (OSError, msgspec.MsgspecError) as error:
        raise StoreError(f"{NAME} in the state folder cannot be read: {printable(str(error), 120)}") from error
