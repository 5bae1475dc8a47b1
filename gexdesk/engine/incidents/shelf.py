"""Keep each incident in a small synced file of its own: its number is the name, its owner and notes survive a kill."""

from pathlib import Path

import msgspec

from gexdesk.engine.incidents.incident import Incident
from gexdesk.model.errors import StoreError, UnknownTarget
from gexdesk.stores.durable import make_folder, write_durably

HELD = 2_000
"""Files that are kept, the newest; the metadata has them all."""


class Shelf:
    """Own one folder of incidents, ``41.json`` each."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def open(self) -> tuple[list[Incident], int, list[str]]:
        """Return what is kept, the highest number ever given, and the names of files that cannot be read, in numbers' order.

        Raises:
            StoreError: The folder cannot be made or read.
        """
        try:
            make_folder(self._folder)
            numbers = self._numbers()
        except OSError as error:
            raise StoreError(f"{self._folder} holds the incidents and cannot be opened: {error.strerror}") from error
        found, damaged = [], []
        for number in numbers:
            try:
                found.append(self.read(number))
            except StoreError:
                damaged.append(self._path(number).name)
        return found, max(numbers, default=0), damaged

    def read(self, number: int) -> Incident:
        """Return one incident as last kept.

        Raises:
            UnknownTarget: There is none of that number.
            StoreError: Its file is damaged.
        """
        try:
            return msgspec.json.decode(self._path(number).read_bytes(), type=Incident)
        except FileNotFoundError:
            raise UnknownTarget(f"there is no incident {number}") from None
        except (OSError, msgspec.DecodeError, UnicodeDecodeError) as error:
            raise StoreError(f"{self._path(number).name} holds an incident and cannot be read: {error}") from error

    def keep(self, incident: Incident) -> None:
        """Keep one; durable when it returns. Raises StoreError, and what was kept before is untouched."""
        try:
            write_durably(self._path(incident.number), msgspec.json.format(msgspec.json.encode(incident), indent=1))
        except OSError as error:
            raise StoreError(f"incident {incident.number} could not be kept: {error.strerror}") from error

    def prune(self) -> None:
        """Remove the oldest files beyond ``HELD``. Raises StoreError."""
        try:
            for number in self._numbers()[:-HELD]:
                self._path(number).unlink(missing_ok=True)
        except OSError as error:
            raise StoreError(f"old incidents could not be removed: {error.strerror}") from error

    def _numbers(self) -> list[int]:
        return sorted(int(path.stem) for path in self._folder.glob("*.json") if path.stem.isdecimal())

    def _path(self, number: int) -> Path:
        return self._folder / f"{number}.json"
