"""The door: an owner-only unix socket in the state folder, whatever the length of its path."""

import grp
import os
import pwd
import socket
import struct
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gexdesk.model.errors import SettingsError
from gexdesk.model.text import printable

SOCKET_NAME = "engine.sock"
UNIX = 0
"""Stands for the port of a caller on the unix socket; on TCP it is never 0."""

_PATH_LIMIT = 100  # the kernel's is 108 bytes, the ending NUL included


@contextmanager
def short_path(state: Path) -> Iterator[str]:
    """Give a path of the socket that fits the kernel's limit, through an open folder where the real one is too long."""
    path = str(state / SOCKET_NAME)
    if len(path.encode()) <= _PATH_LIMIT:
        yield path
        return
    folder = os.open(state, os.O_RDONLY | os.O_DIRECTORY)
    try:
        yield f"/proc/self/fd/{folder}/{SOCKET_NAME}"
    finally:
        os.close(folder)


def listen(state: Path, group: str | None = None) -> socket.socket:
    """Return a listening socket with mode 0600, or 0660 and a group's, which may then pass the state folder and read nothing in it.

    Whoever holds the state folder's lock may replace a stale one.

    Raises:
        OSError: The folder cannot be written.
        SettingsError: There is no such group, or the socket may not be given to it.
    """
    gid = _gid(group) if group is not None else None
    door = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    (state / SOCKET_NAME).unlink(missing_ok=True)
    before = os.umask(0o177)
    try:
        with short_path(state) as path:
            door.bind(path)
    finally:
        os.umask(before)
    if gid is not None:
        try:
            with short_path(state) as path:
                os.chown(path, -1, gid)
                os.chmod(path, 0o660)
            os.chown(state, -1, gid)
        except PermissionError:
            door.close()
            raise SettingsError(f"socket_group: the engine's user is not in group {printable(str(group), 32)}: add it") from None
    state.chmod(0o700 if gid is None else 0o710)
    door.listen(64)
    door.setblocking(False)
    return door


def _gid(group: str) -> int:
    try:
        return grp.getgrnam(group).gr_gid
    except KeyError:
        raise SettingsError(f"socket_group: no group is named {printable(group, 32)!r} on this host") from None


def connect(state: Path, timeout_s: float = 2.0) -> socket.socket:
    """Return a socket connected to the engine of a state folder.

    Raises:
        OSError: Nobody listens there.
    """
    line = socket.socket(socket.AF_UNIX, socket.SOCK_STREAM)
    line.settimeout(timeout_s)
    try:
        with short_path(state) as path:
            line.connect(path)
    except BaseException:
        line.close()
        raise
    return line


def listen_tcp(address: str) -> socket.socket:
    """Return a socket that listens on ``host:port``; port 0 takes a free one.

    Raises:
        SettingsError: That is no address, or it cannot be listened on.
    """
    host, colon, port = address.rpartition(":")
    host = host.strip("[]")
    if not colon or not host or not port.isdecimal() or int(port) > 65_535:
        raise SettingsError(f"{printable(address, 60)!r} is no address to listen on; write HOST:PORT, e.g. 127.0.0.1:8765")
    try:
        door = socket.create_server((host, int(port)), family=socket.AF_INET6 if ":" in host else socket.AF_INET, backlog=256)
        # Connections inherit it; asyncio sets it on sockets of its own making alone. Without, an answer waits 40 ms for an ACK.
        door.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        return door
    except OSError as error:
        raise SettingsError(f"nobody can listen on {printable(address, 60)}: {error.strerror}") from None


def peer(line: socket.socket) -> str:
    """Name the user at the other end, as the kernel says: a login name, or ``uid 1234`` where there is none."""
    found = line.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, struct.calcsize("3i"))
    _, uid, _ = struct.unpack("3i", found)
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"
