"""Keep on disk what travels with the jobs that wait on this host for Redis: one synced file a job, gone with it."""

import asyncio
import contextlib
import os
from hashlib import sha256
from pathlib import Path

from gexdesk.model.errors import StoreError


class Parcels:
    """Hold a folder of parcels; it is made when the first one comes."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    async def keep(self, job_id: str, parcel: bytes) -> None:
        """Keep a parcel; synced when this returns. Raises StoreError."""
        try:
            await asyncio.to_thread(self._write, self._path(job_id), parcel)
        except OSError as error:
            raise StoreError(f"the payload of job {job_id} cannot be kept in {self._folder}: {error}") from error

    def read(self, job_id: str) -> bytes | None:
        """Return a parcel; None where there is none. Raises StoreError."""
        try:
            return self._path(job_id).read_bytes()
        except FileNotFoundError:
            return None
        except OSError as error:
            raise StoreError(f"the payload of job {job_id} cannot be read from {self._folder}: {error}") from error

    def forget(self, job_id: str) -> None:
        """Delete a parcel, if it is there."""
        with contextlib.suppress(OSError):
            self._path(job_id).unlink(missing_ok=True)

    def _path(self, job_id: str) -> Path:
        return self._folder / sha256(job_id.encode()).hexdigest()  # an id may come from elsewhere: never a path

    def _write(self, path: Path, parcel: bytes) -> None:
        self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        part = path.with_suffix(".part")
        with os.fdopen(os.open(part, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:
            file.write(parcel)
            file.flush()
            os.fsync(file.fileno())
        part.replace(path)
        folder = os.open(self._folder, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
