"""Check an address before anything is sent to it."""

from collections.abc import Collection
from urllib.parse import urlsplit

from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable


def checked_path(name: str, url: str, schemes: Collection[str]) -> str:
    """Return the URL's path; the errors do not quote the URL, for it may hold what somebody took for the place of a key.

    Raises:
        SettingsError: It is of another scheme, names no host, or carries what belongs elsewhere.
    """
    where = f"source {printable(name)}: the URL"
    if any(not "!" <= c <= "~" for c in url):
        raise SettingsError(f"{where} holds a space, a control or a character outside ASCII: percent-encode it")
    try:
        parts = urlsplit(url)
        _ = parts.port
    except ValueError as error:
        raise SettingsError(f"{where} cannot be read: {printable(str(error).partition(':')[0])}") from None
    if parts.scheme not in schemes or not parts.hostname:
        raise SettingsError(f"{where} must be {' or '.join(f'{scheme}://host/...' for scheme in schemes)}")
    if "@" in parts.netloc or "\\" in url:
        raise SettingsError(f"{where} carries a user, a password or a backslash: give the key as a key")
    if parts.fragment:
        raise SettingsError(f"{where} ends in a #fragment, which is never sent: leave it out")
    return parts.path or "/"
