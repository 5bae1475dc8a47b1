"""Tell a supervisor that started the engine how it is (systemd's notify protocol); without one, nobody."""

import asyncio
import os
import socket
from collections.abc import Awaitable, Callable
from contextlib import suppress

from gexdesk.model.view.desk import DeskView

FRESH_S = 5.0


class Supervisor:
    """Send words to ``$NOTIFY_SOCKET``."""

    def __init__(self) -> None:
        address = os.environ.get("NOTIFY_SOCKET", "")
        self._address = "\0" + address[1:] if address.startswith("@") else address
        watchdog_us = os.environ.get("WATCHDOG_USEC", "")
        self._every_s = int(watchdog_us) / 3e6 if watchdog_us.isdecimal() and int(watchdog_us) else None

    def tell(self, words: str) -> None:
        """Send one word, e.g. ``READY=1``; a supervisor that is gone is no fault of ours."""
        if self._address:
            with suppress(OSError), socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as line:
                line.sendto(words.encode(), self._address)

    async def keep_alive(self, view: Callable[[], Awaitable[DeskView]], now: Callable[[], float]) -> None:
        """Say that the engine lives for as long as it takes pictures; one that stands still is killed by its supervisor."""
        if self._every_s is None:
            return
        while True:
            if now() - (await view()).taken_at < FRESH_S:
                self.tell("WATCHDOG=1")
            await asyncio.sleep(self._every_s)
