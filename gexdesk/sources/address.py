"""Decide which addresses a submitted request may make the desk fetch, and pin each to one that was checked.

A URL under the base of a configured source is the operator's own choice and is trusted as it stands. Every other one must be
HTTPS to a host of the allowlist, and each address that host has must be a public one (RFC 6890 and what it leaves out).
"""

import ipaddress
import re
from collections.abc import Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass
from urllib.parse import urlsplit

from gexdesk.model.errors import AddressRefused, SettingsError
from gexdesk.model.text import printable

Resolver = Callable[[str, int], Awaitable[Sequence[str]]]
"""Given host and port, return its addresses; raises OSError where it has none."""

URL_LIMIT = 2_048
HTTPS_PORT = 443
_HOST = re.compile(r"(?=.{1,253}$)([a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?\.)+[a-z]([a-z0-9-]{0,61}[a-z0-9])?")
_HIDDEN_STEP = re.compile(r"%2e|%2f|%5c", re.IGNORECASE)
_CARRIES_IPV4 = tuple(
    ipaddress.ip_network(net) for net in ("::/96", "::ffff:0:0/96", "64:ff9b::/96", "64:ff9b:1::/48", "2001::/32", "2002::/16")
)
"""IPv6 ranges that stand for IPv4 addresses: a private one may hide in them, and ``is_global`` does not look."""


@dataclass(frozen=True)
class Destination:
    """Name what may be fetched.

    Attributes:
        source: The configured source whose base it lies under; None for a host of the allowlist.
    """

    url: str
    host: str
    port: int
    source: str | None


class Addresses:
    """Hold what is allowed.

    Args:
        bases: Source name to its base URL. What lies under its folder, path segment by path segment, is that source's; where
            that would be a whole host, what lies under the base itself.
        hosts: Lower-case host names that any path of may be fetched over HTTPS.

    Raises:
        SettingsError: A base is no such URL; the source is named.
    """

    def __init__(self, bases: Mapping[str, str], hosts: Sequence[str]) -> None:
        self._bases = {name: _base(name, base) for name, base in bases.items()}
        self._hosts = frozenset(hosts)

    def destination(self, url: str) -> Destination:
        """Return where a URL leads.

        Raises:
            AddressRefused: What is wrong with it, and what is allowed.
        """
        scheme, host, port, path = _parts(url)
        near = [
            (path == base_path, len(base_path.rpartition("/")[0]), name)
            for name, (*base, base_path) in self._bases.items()
            if [scheme, host, port] == base and _lies_under(path, base_path)
        ]
        if near:  # several feeds of one folder: the one whose URL it is, else the one nearest to it
            return Destination(url, host, port, max(near, key=lambda each: each[:2])[2])
        allowed = "a URL under a configured source's base, or HTTPS to an allowed host"
        if scheme != "https":
            raise AddressRefused(f"{scheme} to {printable(host, 60)} is not allowed: {allowed}")
        if port != HTTPS_PORT:
            raise AddressRefused(f"port {port} is not allowed: {allowed}, on port {HTTPS_PORT}")
        if host not in self._hosts or not _HOST.fullmatch(host):
            raise AddressRefused(f"{printable(host, 60)} is not an allowed host: {allowed}; an admin adds it to [submit] hosts")
        return Destination(url, host, port, None)


def _lies_under(path: str, base: str) -> bool:
    if base.endswith("/"):
        return path.startswith(base)
    folder = base.rpartition("/")[0] + "/"
    if folder == "/":  # what stands at the top of a host does not open all of it
        return path == base or path.startswith(f"{base}/")
    return path.startswith(folder)


def public(address: str) -> bool:
    """Say whether an address belongs to the open internet and stands for nothing else.

    ``ipaddress.is_global`` alone lets multicast, IPv6's old private range (fec0::/10) and the ranges of ``_CARRIES_IPV4`` pass.
    """
    try:
        ip = ipaddress.ip_address(address)
    except ValueError:
        return False
    if isinstance(ip, ipaddress.IPv6Address) and ip.is_site_local:
        return False
    if not ip.is_global or ip.is_multicast or ip.is_reserved or ip.is_unspecified:
        return False
    return not any(ip in net for net in _CARRIES_IPV4 if net.version == ip.version)


async def pinned(destination: Destination, resolver: Resolver) -> str:
    """Resolve a destination once and return the address to connect to; whoever connects uses this one and asks no more.

    Raises:
        AddressRefused: The host has no address, or one that is not public (of a configured source every address will do).
    """
    try:
        found = await resolver(destination.host, destination.port)
    except (OSError, UnicodeError) as error:
        raise AddressRefused(f"{printable(destination.host, 60)} cannot be resolved: {printable(str(error), 100)}") from None
    if not found:
        raise AddressRefused(f"{printable(destination.host, 60)} has no address")
    inward = [address for address in found if not public(address)] if destination.source is None else []
    if inward:
        where = printable(inward[0], 45)
        raise AddressRefused(f"{printable(destination.host, 60)} leads to {where}, which is not a public address")
    return found[0]


def _base(source: str, url: str) -> tuple[str, str, int, str]:
    try:
        return _parts(url)
    except AddressRefused as error:
        raise SettingsError(f"source {source}: url or base_url: {error.message}") from None


def _parts(url: str) -> tuple[str, str, int, str]:
    """Return scheme, host, port and path. Raises AddressRefused."""
    if len(url) > URL_LIMIT:
        raise AddressRefused(f"the URL has {len(url):,} characters; at most {URL_LIMIT:,} are taken")
    if any(not "!" <= c <= "~" for c in url) or "\\" in url:
        raise AddressRefused("the URL holds a space, a control, a backslash or a character outside ASCII: percent-encode it")
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError as error:
        raise AddressRefused(f"the URL cannot be read: {printable(str(error), 80)}") from None
    if parts.scheme not in ("http", "https") or not parts.hostname:
        raise AddressRefused("the URL must be http://host/... or https://host/...")
    if "@" in parts.netloc or "%" in parts.netloc:
        raise AddressRefused("the URL carries a user, a password or an escape in its host: leave it out")
    if parts.fragment or _HIDDEN_STEP.search(parts.path) or {".", ".."} & set(parts.path.split("/")):
        raise AddressRefused("the URL has a fragment or a step like .. in its path: write the path out")
    return parts.scheme, parts.hostname.lower(), port or (443 if parts.scheme == "https" else 80), parts.path or "/"
