"""Fit what ``init --systemd`` writes to its host: one user runs the engine, the members of its group operate it."""

import grp
import os
import sys
from collections.abc import Iterator, Sequence
from pathlib import Path

USER = "gexdesk"
STATE = "/var/lib/gexdesk"
UNITS = "/etc/systemd/system"
FOLDER_MODE, FILE_MODE = 0o750, 0o640
"""Root writes the configuration, the service and its operators read it, nobody else does."""


class Service:
    """Know where the configuration of a service lies and what runs it.

    Args:
        folder: Where ``init`` writes to, absolute.
        program: What the unit starts.
    """

    def __init__(self, folder: Path, program: str) -> None:
        self._folder = folder
        self._program = program

    def fitted(self, text: str) -> str:
        """Return a starter or the unit with this host's paths; the configuration says where the state is and who operates."""
        commands = "\n".join(f"#   {command}" for command in self.commands())
        for mark, value in (
            ("@PROGRAM@", self._program), ("@CONFIG@", str(self._folder / "gexdesk.toml")), ("@FOLDER@", str(self._folder)),
            ("@STATE@", STATE), ("@COMMANDS@", commands),
            ('# state = "~/.local/state/gexdesk"', f'state = "{STATE}"'),
            ('# socket_group = "gexdesk"', f'socket_group = "{USER}"'),
            ("The key: gexdesk key create", f"The key: runuser -u {USER} -- {self._program} key create --state {STATE}"),
        ):  # fmt: skip
            text = text.replace(mark, value)
        return text

    def commands(self) -> tuple[str, ...]:
        """Return what root runs once; each may be run again without harm."""
        folder = self._folder
        return (
            f"getent passwd {USER} || useradd --system --user-group --home-dir {STATE} --shell /usr/sbin/nologin {USER}",
            f"chown root:{USER} {folder} {folder}/*.toml && chmod 0750 {folder} && chmod 0640 {folder}/*.toml",
            f"cp {folder}/gexdesk.service {UNITS}/ && systemctl daemon-reload",
            "systemctl enable --now gexdesk",
        )

    def open_to_group(self, files: Sequence[Path], *, made: bool) -> None:
        """Let the group read what was written, and nobody else; a folder that was there keeps its mode, one in a home is closed."""
        for path in files:
            path.chmod(FILE_MODE)
        if made and not in_home(self._folder):
            self._folder.chmod(FOLDER_MODE)
        gid = _gid()
        if gid is not None and os.geteuid() == 0:
            for path in (*files, *([self._folder] if made else [])):
                os.chown(path, 0, gid)

    def told(self) -> Iterator[str]:
        """Say what is to be done, by whom, and how operators then reach it."""
        closed = f"lies in a home, which user {USER} cannot pass"
        if in_home(self._folder):
            yield f"{self._folder} {closed}: write it elsewhere, `gexdesk init /etc/gexdesk --systemd`"
        if in_home(Path(self._program)) or in_home(Path(sys.executable)):
            yield f"{self._program} {closed}: install gexdesk e.g. under /opt, and name it in ExecStart"
        yield "once, as root:"
        yield from (f"  {command}" for command in self.commands())
        yield f"each operator: `usermod -aG {USER} NAME`, log in anew, `gexdesk attach --state {STATE}`"


def in_home(path: Path) -> bool:
    """Say whether a path lies in somebody's home: that is closed to the service's user."""
    homes = {Path("/home"), Path("/root"), Path.home()}
    return any(home in path.resolve().parents or home == path for home in homes)


def _gid() -> int | None:
    """Return the group of the service's user; None before there is one."""
    try:
        return grp.getgrnam(USER).gr_gid
    except KeyError:
        return None
