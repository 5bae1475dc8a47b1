"""Page: run the operator's own command with the incident on its stdin, apart from everything else the engine does."""

import asyncio
import os
import signal
from collections import deque
from contextlib import suppress
from tempfile import TemporaryFile
from typing import IO

import msgspec
from msgspec import Struct

from gexdesk.engine.chronicle import Chronicle
from gexdesk.model.text import printable
from gexdesk.model.view.incident import IncidentView

WAITING_PAGES = 100
LAST_WORDS_BYTES = 2_000


class Page(Struct, frozen=True):
    """Say what befell which incident: ``opened``, ``worse`` or ``closed``."""

    what: str
    incident: IncidentView


class Paging(Struct, frozen=True, kw_only=True):
    """Configure the pager.

    Attributes:
        command: Program and arguments; empty pages nobody.
        min_severity: Milder incidents page nobody.
        timeout_s: The command is killed after this long.
        on_worse, on_closed: Page again when an incident gets worse, and when it is over.
    """

    command: tuple[str, ...] = ()
    min_severity: int = 2
    timeout_s: float = 10.0
    on_worse: bool = True
    on_closed: bool = False


class Pager:
    """Send one page after the other; a failed one is told, and not sent again: nobody is woken twice for one thing."""

    def __init__(self, paging: Paging, chronicle: Chronicle) -> None:
        self._paging = paging
        self._chronicle = chronicle
        self._pages: deque[Page] = deque(maxlen=WAITING_PAGES)
        self._task: asyncio.Task[None] | None = None
        self.state = "ok" if paging.command else "-"

    def wants(self, what: str, severity: int) -> bool:
        """Say whether somebody is to be paged for this."""
        paging = self._paging
        asked = {"opened": True, "worse": paging.on_worse, "closed": paging.on_closed}[what]
        return bool(paging.command) and asked and severity >= paging.min_severity

    def send(self, page: Page) -> None:
        """Send a page in the background; returns at once."""
        self._pages.append(page)
        if self._task is None or self._task.done():
            self._task = asyncio.create_task(self._run(), name="pager")

    async def stop(self) -> None:
        """Let what is being sent end, within the command's own time."""
        if self._task is not None:
            await asyncio.gather(self._task, return_exceptions=True)

    async def _run(self) -> None:
        while self._pages:
            page = self._pages.popleft()
            trouble = await self._send(page)
            subject = f"page #{page.incident.number} {page.what}"
            if trouble:
                self._chronicle.tell("incident", f"{subject} was not sent: {trouble}", grave=True)
            else:
                self._chronicle.tell("incident", f"{subject} sent")
            self.state = f"failing: {trouble}" if trouble else "ok"

    async def _send(self, page: Page) -> str:
        """Run the command; returns what went wrong, empty where nothing did."""
        name = self._paging.command[0]
        try:
            return await self._run_command(name, page)
        except Exception as error:  # whatever it is, it is told, and the next page is sent
            return printable(f"{name} cannot be given the page: {type(error).__name__}: {error}")

    async def _run_command(self, name: str, page: Page) -> str:
        """Run the command as ``_send`` does. Raises OSError where no file can be opened."""
        # Files, not pipes: whatever the command leaves running in the background cannot hold us up. The page lies in memory: a
        # full disk is what somebody must hear of.
        with os.fdopen(os.memfd_create("page"), "w+b") as message, _words() as words:
            message.write(msgspec.json.encode(page))
            message.seek(0)
            try:
                process = await asyncio.create_subprocess_exec(
                    *self._paging.command, stdin=message, stdout=asyncio.subprocess.DEVNULL, stderr=words, start_new_session=True
                )
            except (OSError, ValueError) as error:
                return printable(f"{name} cannot be started: {error}")
            try:
                async with asyncio.timeout(self._paging.timeout_s):
                    code = await process.wait()
            except TimeoutError:
                return f"{name} took longer than {self._paging.timeout_s:g} s and was killed"
            finally:
                if process.returncode is None:
                    with suppress(ProcessLookupError):  # it ended just now
                        os.killpg(process.pid, signal.SIGKILL)
                    await process.wait()
            words.seek(max(0, words.seek(0, os.SEEK_END) - LAST_WORDS_BYTES))
            said = words.read().decode(errors="replace").strip().rpartition("\n")[2]
        return "" if code == 0 else printable(f"{name} ended with {code}: {said or 'it said nothing'}")


def _words() -> IO[bytes]:
    """Return a file for what a command says; where the disk takes none, one that keeps nothing."""
    try:
        return TemporaryFile()
    except OSError:
        return open(os.devnull, "r+b")
