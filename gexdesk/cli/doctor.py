"""``doctor``: check what the desk needs here, and say what to do about what is missing."""

import os
import shutil
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter
from msgspec import Struct

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, StateFolder
from gexdesk.model.errors import GexdeskError

if TYPE_CHECKING:
    from gexdesk.settings.desk import Settings

FREE_LEAST_GB = 5.0
FILES_LEAST = 1024
SYNC_SLOW_S = 0.05
SYNCS = 20
YEAR_2026 = 1_767_225_600.0


class Finding(Struct, frozen=True):
    """Say how one thing is: ``ok``, ``warning`` or ``fault``; ``do`` is empty where nothing is to be done."""

    check: str
    state: str
    found: str
    do: str = ""


def doctor(
    *,
    config: Annotated[Path | None, Parameter(name="--config", help="Configuration file; default: the user's.")] = None,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Check folders, disk, configuration, keys, Redis, clock, limits, terminal and tmux; exit 1 where something is at fault.

    Example: `gexdesk doctor --config gexdesk.toml`
    """
    findings = tuple(_all(config, state))
    faults = [finding for finding in findings if finding.state == "fault"]
    if json:
        as_json({"findings": findings, "faults": len(faults)})
        for fault in faults:
            say(f"gexdesk: {fault.check}: {fault.found}; {fault.do}")
    else:
        table("", ["check", "state", "found", "do"], [(f.check, f.state, f.found, f.do) for f in findings])
    return 1 if faults else 0


def _all(config: Path | None, state: Path | None) -> Iterator[Finding]:
    from gexdesk.settings.load import load_settings
    from gexdesk.settings.places import default_state, find_configuration, named_state

    version = ".".join(map(str, sys.version_info[:3]))
    yield Finding("python", "ok", version)
    settings = None
    try:
        config = config or find_configuration()
        if config is None:
            yield Finding("configuration", "warning", "none: the sample desk is shown", "gexdesk init writes one to start from")
        else:
            settings = load_settings(config, state)
            yield Finding("configuration", "ok", f"{config}: {len(settings.sources)} sources")
    except GexdeskError as error:
        yield Finding("configuration", "fault", error.message, "mend the file; `gexdesk doctor` again")
    folder = settings.state if settings is not None else state or named_state() or default_state() / "sample"
    yield from _folder(folder)
    if settings is not None:
        yield from _configured(settings)
    yield from _host()
    yield from _terminal()


def _folder(folder: Path) -> Iterator[Finding]:
    there = next(path for path in (folder, *folder.absolute().parents) if path.exists())
    if not os.access(there, os.W_OK):
        yield Finding("state folder", "fault", f"{there} cannot be written", "give it to the engine's user, or name another one")
        return
    if folder.exists() and folder.stat().st_mode & 0o067:  # a group may pass it, to the socket (socket_group), and read nothing
        yield Finding("state folder", "fault", f"{folder} is open to others", f"chmod 700 {folder}")
    else:
        yield Finding("state folder", "ok", str(folder))
    free_gb = shutil.disk_usage(there).free / 1e9
    short = free_gb < FREE_LEAST_GB
    room = "make room: payloads are kept for two days" if short else ""
    yield Finding("disk", "warning" if short else "ok", f"{free_gb:.1f} GB free", room)
    took_s = _sync_s(there)
    slow = took_s > SYNC_SLOW_S
    yield Finding(
        "sync", "warning" if slow else "ok", f"{took_s * 1e3:.1f} ms a synced write (median of {SYNCS})",
        "every acknowledgement waits for one: use a faster disk" if slow else "",
    )  # fmt: skip


def _sync_s(folder: Path) -> float:
    """Return how long a synced write takes in a folder, the median."""
    probe, took = folder / f".gexdesk-doctor-{os.getpid()}", []
    fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        for _ in range(SYNCS):
            began = time.perf_counter()
            os.write(fd, b"x" * 4096)
            os.fdatasync(fd)
            took.append(time.perf_counter() - began)
    finally:
        os.close(fd)
        probe.unlink()
    return sorted(took)[SYNCS // 2]


def _configured(settings: "Settings") -> Iterator[Finding]:
    from gexdesk.assemble.check import check_parts

    for part in check_parts(settings):
        state = "fault" if part.fault else "warning" if part.worry else "ok"
        yield Finding(part.name, state, part.fault or part.worry or "usable", part.do if state != "ok" else "")
    if settings.listen is not None:
        yield _listening(settings.listen)


def _listening(address: str) -> Finding:
    """Say whether somebody could listen there; an engine that runs does already."""
    from gexdesk.api.door import listen_tcp

    try:
        listen_tcp(address).close()
    except GexdeskError as error:
        in_use = "in use" in error.message
        do = (
            "nothing, where this desk's engine runs already; else end the program that has it, or set another `listen`"
            if in_use else "set `listen` to HOST:PORT, an address of this host and a free port, e.g. 127.0.0.1:8765"
        )  # fmt: skip
        return Finding("listen", "warning" if in_use else "fault", error.message, do)
    return Finding("listen", "ok", address)


def _host() -> Iterator[Finding]:
    import resource

    files, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    few = 0 <= files < FILES_LEAST
    yield Finding("open files", "warning" if few else "ok", f"limit {files}", f"ulimit -n {FILES_LEAST}" if few else "")
    wrong = time.time() < YEAR_2026
    shown = time.strftime("%Y-%m-%d %H:%M:%SZ", time.gmtime())
    yield Finding("clock", "fault" if wrong else "ok", shown, "set the clock" if wrong else "")
    if sys.platform == "linux" and shutil.which("timedatectl"):
        shown = _asked(["timedatectl", "show", "--property=NTPSynchronized", "--value"])
        if shown == "no":
            do = "data ages are measured against this clock: run chrony or the like"
            yield Finding("clock sync", "warning", "not synchronised", do)


def _terminal() -> Iterator[Finding]:
    term, colours = os.environ.get("TERM", ""), os.environ.get("COLORTERM", "")
    if not sys.stdout.isatty():
        yield Finding("terminal", "ok", "none on stdout: the desk would run headless")
    elif term in ("", "dumb"):
        yield Finding("terminal", "fault", f"TERM={term!r}", "use a terminal that can place its cursor, e.g. TERM=xterm-256color")
    else:
        deep = colours in ("truecolor", "24bit")
        yield Finding("terminal", "ok", f"TERM={term}, {'true colour' if deep else '256 colours or fewer: themes fall back'}")
        size = shutil.get_terminal_size()
        small = size.columns < 80 or size.lines < 24
        do = "80x24 is the smallest" if small else ""
        yield Finding("size", "warning" if small else "ok", f"{size.columns}x{size.lines}", do)
    if os.environ.get("TMUX"):
        clipboard = _asked(["tmux", "show-options", "-gv", "set-clipboard"])
        if clipboard != "on":
            do = "`set -g set-clipboard on`, or copies do not reach your clipboard"
            yield Finding("tmux", "warning", f"set-clipboard {clipboard}", do)


def _asked(command: list[str]) -> str:
    try:
        return subprocess.run(command, capture_output=True, text=True, timeout=2, check=False).stdout.strip()
    except (OSError, subprocess.TimeoutExpired):
        return "unknown"
