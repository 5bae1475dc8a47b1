"""A key that is sent and never shown."""

import json
import os
import stat
from pathlib import Path
from urllib.parse import quote, quote_plus

from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable

_SHOWN = "***"
_LONGEST = 4096
_SHORTEST_WORD = 8  # of ``Bearer abc...`` the second word alone is a secret too


class Secret:
    """Hold a vendor's key. It goes on the wire by ``reveal`` alone; printing it, or an error about it, gives ``***``.

    Args:
        value: The key: one line of printable ASCII, so that it can stand in a header; ``Bearer abc`` is allowed.
        origin: Where it came from, for the error; never the key itself.

    Raises:
        SettingsError: The value is empty, too long or has characters that no key has.
    """

    __slots__ = ("_forms", "_value")

    def __init__(self, value: str, origin: str = "the key") -> None:
        if not value:
            raise SettingsError(f"{origin} is empty: put the vendor's key there")
        if len(value) > _LONGEST:
            raise SettingsError(f"{origin} is longer than {_LONGEST} characters: is this the right key?")
        if any(not " " <= c <= "~" for c in value):
            raise SettingsError(f"{origin} holds a control or a character outside ASCII: one line with the key alone is allowed")
        self._value = value
        spelt: set[str] = set()
        for part in (value, *(word for word in value.split() if len(word) >= _SHORTEST_WORD)):
            spelt |= {part, quote(part), quote(part, safe=""), quote_plus(part), json.dumps(part)[1:-1], repr(part)[1:-1]}
        # Longest first: one spelling may hold another.
        self._forms = sorted(spelt, key=len, reverse=True)

    @classmethod
    def from_env(cls, name: str) -> "Secret":
        """Take the key from an environment variable.

        Raises:
            SettingsError: It is not set, or not a key.
        """
        value = os.environ.get(name)
        if value is None:
            raise SettingsError(f"the environment has no {printable(name)}: export it before the engine starts, or use key_file")
        return cls(value.strip(), f"environment variable {printable(name)}")

    @classmethod
    def from_file(cls, path: Path) -> "Secret":
        """Take the key from a file that nobody else can read; a final line end is left out.

        Raises:
            SettingsError: It cannot be read, is no regular file, is not ours, others may read it, or it holds no key.
        """
        shown = printable(str(path))
        try:
            # Not following a link and not blocking on a FIFO; every check is made on what was opened.
            opened = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except OSError as error:
            why = "it is a symbolic link" if path.is_symlink() else error.strerror
            raise SettingsError(f"key file {shown} cannot be read ({why}): name a regular file of mode 0600") from None
        try:
            found = os.fstat(opened)
            if not stat.S_ISREG(found.st_mode):
                raise SettingsError(f"key file {shown} is no regular file: put the key into one of mode 0600")
            if found.st_uid != os.geteuid():
                raise SettingsError(f"key file {shown} belongs to user {found.st_uid}, gexdesk runs as {os.geteuid()}: chown it")
            mode = stat.S_IMODE(found.st_mode)
            if mode & ~0o600:
                raise SettingsError(f"key file {shown} has mode {mode:04o}, so others could use it: chmod 600 {shown}")
            raw = os.read(opened, _LONGEST + 3)
        finally:
            os.close(opened)
        return cls(raw.decode("utf-8", "replace").strip(), f"key file {shown}")

    def reveal(self) -> str:
        """Return the key, to be sent and for nothing else."""
        return self._value

    def redact(self, text: str) -> str:
        """Return the text with every spelling of the key (plain, percent-encoded, escaped) replaced by ``***``."""
        for form in self._forms:
            text = text.replace(form, _SHOWN)
        return text

    def __repr__(self) -> str:
        """Show that there is a key, not which."""
        return f"Secret({_SHOWN})"

    __str__ = __repr__

    def __reduce__(self) -> str:
        """Refuse to be pickled: a dump would hold the key."""
        raise TypeError("a Secret is not pickled")
