"""Keep accepted requests: appended and synced before anybody is told that theirs was accepted, many in one sync."""

import asyncio
import os
from collections.abc import Sequence
from pathlib import Path

import msgspec

from gexdesk.model.errors import StoreError
from gexdesk.stores.base import RequestRecord
from gexdesk.stores.durable import make_folder, write_durably

_ENDED = ("COMPLETED", "FAILED", "CANCELLED")
REWRITE_LEAST, REWRITE_TIMES = 20_000, 4
"""The file is written anew once it has this many lines, and this many times the requests that are known."""


class RequestLog:
    """Append records of requests to one file; the newest record of a request is how it stands.

    Args:
        path: JSON lines, owner-only.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._fd = -1
        self._waiting: list[tuple[bytes, asyncio.Future[None]]] = []
        self._writing: asyncio.Task[None] | None = None
        self._turn = asyncio.Lock()
        self._lines = 0
        self._encode = msgspec.json.Encoder().encode

    async def open(self, keep_ended_after: float) -> tuple[Sequence[RequestRecord], str]:
        """Return the requests as they stand, oldest first, without those that ended before a time; and what was damaged, in a line.

        A last line that a crash left half written was never promised to anybody and is dropped. What else cannot be read is put
        aside, for a person to look at.

        Raises:
            StoreError: The file cannot be read or written.
        """
        return await asyncio.to_thread(self._open, keep_ended_after)

    def _open(self, keep_ended_after: float) -> tuple[Sequence[RequestRecord], str]:
        found: dict[str, RequestRecord] = {}
        damaged: list[int] = []
        decode = msgspec.json.Decoder(RequestRecord).decode
        try:
            make_folder(self._path.parent)
            held = self._path.read_bytes() if self._path.exists() else b""
            lines = held.splitlines()
            whole = len(lines) if held.endswith(b"\n") else len(lines) - 1  # what lacks its end was promised to nobody
            for number, line in enumerate(lines, 1):
                try:
                    record = decode(line)
                except (msgspec.DecodeError, UnicodeDecodeError):
                    damaged.append(number)
                    continue
                found[record.request_id] = record
            warning = self._set_aside([number for number in damaged if number <= whole], lines)
            kept = [r for r in found.values() if r.status not in _ENDED or (r.completed_at or 0.0) >= keep_ended_after]
            write_durably(self._path, b"".join(self._encode(record) + b"\n" for record in kept))
            self._take_up(len(kept))
        except OSError as error:
            raise StoreError(f"{self._path} cannot be used: {error}") from error
        return kept, warning

    def _set_aside(self, damaged: list[int], lines: Sequence[bytes]) -> str:
        if not damaged:
            return ""
        aside = self._path.with_name(f"{self._path.name}.damaged")
        write_durably(aside, b"".join(lines[number - 1] + b"\n" for number in damaged))
        count = "line" if len(damaged) == 1 else "lines"
        return f"{len(damaged)} {count} of {self._path.name} could not be read and lie in {aside}: send those again"

    def _take_up(self, lines: int) -> None:
        opened = os.open(self._path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC)  # first: where it fails the old one is still in use
        if self._fd >= 0:
            os.close(self._fd)
        self._fd = opened
        self._lines = lines

    def is_long(self, known: int) -> bool:
        """Say whether the file holds so much that is superseded or forgotten that it is worth writing anew."""
        return self._lines > REWRITE_LEAST + REWRITE_TIMES * known

    async def tidy(self, keep_ended_after: float) -> None:
        """Write the file anew without what is superseded, and without what ended before a time; appends wait for it.

        Raises:
            StoreError: It could not be written; the old file stays.
        """
        async with self._turn:
            if self._fd >= 0:
                await asyncio.to_thread(self._open, keep_ended_after)

    async def append(self, record: RequestRecord) -> None:
        """Write one record; synced when it returns. Raises StoreError, and the record does not count."""
        written = asyncio.get_running_loop().create_future()
        self._waiting.append((self._encode(record) + b"\n", written))
        if self._writing is None or self._writing.done():
            self._writing = asyncio.create_task(self._write(), name="request-log")
        await written

    async def close(self) -> None:
        """Finish what is being written."""
        if self._writing is not None:
            await asyncio.gather(self._writing, return_exceptions=True)
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    async def _write(self) -> None:
        while self._waiting:
            group, self._waiting = self._waiting, []
            try:
                async with self._turn:
                    await asyncio.to_thread(self._write_group, b"".join(line for line, _ in group))
                    self._lines += len(group)
            except OSError as error:
                fault = StoreError(f"{self._path} could not be written ({error.strerror}); the request was not taken")
                for _, written in group:
                    if not written.done():
                        written.set_exception(fault)
            else:
                for _, written in group:
                    if not written.done():
                        written.set_result(None)

    def _write_group(self, lines: bytes) -> None:
        end = os.fstat(self._fd).st_size
        try:
            at = 0
            while at < len(lines):
                at += os.write(self._fd, lines[at:])
            os.fdatasync(self._fd)
        except OSError:
            os.ftruncate(self._fd, end)  # half a group on a full disk would be read back as accepted
            raise
