"""Every version of the guidelines that ever decided, kept in a folder: who set it, when, why, and what changed.

``index.jsonl`` holds one line a version; the text lies beside it under its SHA-256. A text is synced before its line, and the
line before anybody decides by it, so that a power cut leaves the last version whole and every decision's version readable.
"""

import difflib
import hashlib
import os
import re
from pathlib import Path

import msgspec

from gexdesk.model.errors import GuidelineError
from gexdesk.model.text import printable

INDEX_NAME = "index.jsonl"
TORN_NAME = "index.jsonl.torn"
"""Where what a crash left half written at the index's end is put, each behind the one before."""

_SHA256 = re.compile(r"[0-9a-f]{64}")


class Version(msgspec.Struct, frozen=True):
    """Say which text decided from a moment on.

    Attributes:
        version: What decisions name it by, ``RuleSet.version``.
        sha256: Of its text, which names its file.
        at: When it came into force, UTC seconds.
        diff: Against the version before, as ``diff -u`` writes it; empty for the first.
    """

    version: str
    sha256: str
    at: float
    author: str
    reason: str
    diff: str


class Versions:
    """Hold the versions of one desk; one process writes, any may read."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def history(self) -> tuple[Version, ...]:
        """Return all versions, the oldest first; the last one is in force.

        Raises:
            GuidelineError: The index cannot be read; a last line that a crash cut short is no fault.
        """
        return tuple(map(self._read, self._lines()))

    def last(self) -> Version | None:
        """Return the version in force; None where there is none. Raises GuidelineError as ``history`` does."""
        lines = self._lines()
        return self._read(lines[-1]) if lines else None

    def set_torn_aside(self) -> str:
        """Put what a crash left half written at the index's end beside it; return what was done, empty where nothing was.

        Such a line was never synced, so nobody decided by it. One that is whole and cannot be read stays, and is a fault.

        Raises:
            GuidelineError: It cannot be moved; readers leave it out all the same.
        """
        path = self._folder / INDEX_NAME
        try:
            data = path.read_bytes()
            end = _whole_until(data)
            if end == len(data):
                return ""
            self._write_aside(data[end:])
            os.truncate(path, end)
        except FileNotFoundError:
            return ""
        except OSError as error:
            raise self._failed("a line that was cut short cannot be put aside", error) from error
        return f"a crash cut the last line of {INDEX_NAME} short; {len(data) - end} bytes were put aside as {TORN_NAME}"

    def unnamed(self) -> int:
        """Count the texts that no line names: more than the one a crash may leave, and the index has lost lines. As ``history``."""
        named = {version.sha256 for version in self.history()}
        return sum(bool(_SHA256.fullmatch(file.stem)) and file.stem not in named for file in self._folder.glob("*.toml"))

    def text(self, version: Version) -> str:
        """Return a version's text.

        Raises:
            GuidelineError: It is gone, or is not what was kept.
        """
        if not _SHA256.fullmatch(version.sha256):
            raise GuidelineError(f"version {printable(version.version, 40)} names no file in {self._folder}")
        try:
            raw = self._path(version.sha256).read_bytes()
        except OSError as error:
            raise self._failed(f"version {version.version} cannot be read", error) from error
        if hashlib.sha256(raw).hexdigest() != version.sha256:
            raise GuidelineError(f"{self._path(version.sha256)} is not the text that was kept as {version.version}")
        return raw.decode("utf-8", "surrogatepass")

    def find(self, name: str) -> Version:
        """Return the newest version of a name.

        Raises:
            GuidelineError: There is none; the message names the newest ones.
        """
        history = self.history()
        for version in reversed(history):
            if version.version == name:
                return version
        newest = ", ".join(dict.fromkeys(version.version for version in reversed(history[-5:]))) or "none"
        raise GuidelineError(f"there is no version {printable(name, 40)}; the newest are {newest}", found=printable(name, 40))

    def keep(self, name: str, text: str, *, at: float, author: str, reason: str) -> Version:
        """Keep a text as the version in force; when this returns it survives a power cut.

        Raises:
            GuidelineError: It could not be written; the version before is still the last.
        """
        raw = text.encode("utf-8", "surrogatepass")
        sha256 = hashlib.sha256(raw).hexdigest()
        before = self.last()
        diff = difference(self.text(before), text, before.version, name) if before is not None else ""
        version = Version(name, sha256, at, printable(author, 80), printable(reason, 400), diff)
        try:
            self._folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            if not self._path(sha256).exists():
                self._write(self._path(sha256), raw)
            self._append(msgspec.json.encode(version) + b"\n")
        except OSError as error:
            raise self._failed(f"version {name} cannot be kept, the set in force stays", error) from error
        return version

    def _lines(self) -> list[bytes]:
        """Return the whole lines of the index; what a crash cut short is none."""
        try:
            data = (self._folder / INDEX_NAME).read_bytes()
        except FileNotFoundError:
            return []
        except OSError as error:
            raise self._failed("cannot be read", error) from error
        return data[: _whole_until(data)].split(b"\n")[:-1]

    def _read(self, line: bytes) -> Version:
        try:
            return msgspec.json.decode(line, type=Version)
        except (msgspec.DecodeError, UnicodeDecodeError) as error:
            fault = f"{self._folder / INDEX_NAME}: a version cannot be read: {error}. Mend or remove the file; texts stay beside it"
            raise GuidelineError(printable(fault, 400)) from error

    def _path(self, sha256: str) -> Path:
        return self._folder / f"{sha256}.toml"

    def _write(self, path: Path, raw: bytes) -> None:
        temporary = path.with_name(f".{path.name}.tmp")
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(fd, "wb") as file:
            file.write(raw)
            file.flush()
            os.fsync(file.fileno())
        temporary.replace(path)
        self._sync_folder()

    def _append(self, line: bytes) -> None:
        path = self._folder / INDEX_NAME
        fresh = not path.exists()
        with open(os.open(path, os.O_RDWR | os.O_CREAT, 0o600), "r+b") as file:
            # What a crash left half written goes, so that the new line begins at a line's start.
            data = file.read()
            end = _whole_until(data)
            if end < len(data):
                self._write_aside(data[end:])
            try:
                file.truncate(end)
                file.seek(end)
                file.write(line)
                file.flush()
                os.fsync(file.fileno())
            except OSError:
                file.truncate(end)
                raise
        if fresh:
            self._sync_folder()

    def _write_aside(self, torn: bytes) -> None:
        fd = os.open(self._folder / TORN_NAME, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)
        with open(fd, "ab") as file:
            file.write(torn + b"\n")
            file.flush()
            os.fsync(file.fileno())
        self._sync_folder()

    def _sync_folder(self) -> None:
        fd = os.open(self._folder, os.O_RDONLY | os.O_DIRECTORY)
        try:
            os.fsync(fd)
        finally:
            os.close(fd)

    def _failed(self, what: str, error: OSError) -> GuidelineError:
        return GuidelineError(f"guidelines in {self._folder}: {what}: {error.strerror or type(error).__name__}")


def _whole_until(data: bytes) -> int:
    """Return where the whole lines of an index end.

    What follows lacks its newline, or has the zeros that a file shows where a power cut took a page of its last write.
    """
    end = data.rfind(b"\n") + 1
    start = data[: end - 1].rfind(b"\n") + 1 if end else 0
    return start if b"\0" in data[start:end] else end


def difference(before: str, after: str, old: str, new: str) -> str:
    """Return what changed between two texts as ``diff -u`` writes it; empty where nothing did."""
    lines = difflib.unified_diff(before.splitlines(), after.splitlines(), old, new, n=1, lineterm="")
    return "\n".join(lines)
