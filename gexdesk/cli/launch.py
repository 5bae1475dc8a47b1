"""Start an engine as a process of its own, or find the one that runs."""

import asyncio
import fcntl
import os
import pwd
import subprocess
import sys
import threading
import time
from pathlib import Path

from gexdesk.api import door
from gexdesk.model.errors import EngineAway

START_LIMIT_S = 30.0
LOG_NAME = "engine.log"


def runs(state: Path) -> bool:
    """Say whether an engine answers for a state folder."""
    try:
        door.connect(state).close()
    except BlockingIOError:
        return True  # somebody listens, who has more callers waiting than he has room for
    except OSError:
        return False
    return True


def crashed(state: Path) -> bool:
    """Say whether an engine ended without closing its door behind it."""
    return (state / door.SOCKET_NAME).exists() and not runs(state)


def held(state: Path) -> bool:
    """Say whether an engine holds a state folder: also one that is still starting, or already ending."""
    from gexdesk.settings.places import LOCK_NAME

    try:
        with open(state / LOCK_NAME, "rb") as lock:
            fcntl.flock(lock, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except OSError:
        return False
    return False


def start(state: Path, arguments: list[str]) -> "subprocess.Popen[bytes]":
    """Start ``gexdesk run`` in a session of its own: no hang-up of our terminal reaches it.

    Raises:
        EngineAway: The folder is another user's, whose engine it is, or it cannot be written.
    """
    try:
        state.mkdir(mode=0o700, parents=True, exist_ok=True)
        owner = state.stat().st_uid
    except OSError as error:
        raise EngineAway(f"no engine answers in {state}, and none can be started there: {error.strerror}") from None
    if owner != os.geteuid():
        do = "whoever owns it starts it, e.g. `systemctl start gexdesk`; operators belong to the group that `socket_group` names"
        raise EngineAway(f"no engine answers you in {state}, which is {_name(owner)}'s: {do}")
    log = os.open(state / LOG_NAME, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    try:
        child = subprocess.Popen(
            [sys.executable, "-m", "gexdesk", "run", "--state", str(state), *arguments],
            stdin=subprocess.DEVNULL, stdout=log, stderr=log, start_new_session=True, cwd="/",
        )  # fmt: skip
    finally:
        os.close(log)
    # Who waits for its process to go must not wait until our screen is left, too.
    threading.Thread(target=child.wait, name="engine's end", daemon=True).start()
    return child


async def ensure(state: Path, arguments: list[str], child: "subprocess.Popen[bytes] | None" = None) -> None:
    """Return when an engine answers: one that runs, ``child`` that was just started, or one that this call starts.

    Raises:
        EngineAway: It ended while starting, or did not answer in time; the log's last line says why.
    """
    give_up_at = time.monotonic() + START_LIMIT_S
    while time.monotonic() < give_up_at:
        if await asyncio.to_thread(runs, state):
            return
        # Somebody who holds the folder without answering is starting or ending: wait for that, whoever started it.
        if not held(state):
            if child is None:
                child = await asyncio.to_thread(start, state, arguments)
            elif child.poll() is not None:
                raise EngineAway(f"the engine ended while starting: {_last_line(state / LOG_NAME)}")
        await asyncio.sleep(0.05)
    raise EngineAway(f"the engine does not answer after {START_LIMIT_S:g} s; see {state / LOG_NAME}")


def _name(uid: int) -> str:
    """Return a user's login name, ``uid 1234`` where there is none."""
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return f"uid {uid}"


def _last_line(log: Path) -> str:
    try:
        lines = log.read_text(errors="replace").strip().splitlines()
    except OSError:
        lines = []
    return lines[-1] if lines else f"nothing in {log}"
