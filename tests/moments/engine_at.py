"""Run the real engine on a clock of another time and pace: ``python -m tests.moments.engine_at CONFIG STATE FROM PACE BEGAN``.

``FROM`` is UTC seconds, ``PACE`` how many of the engine's seconds pass in one, ``BEGAN`` when it was so by the monotonic clock. All
else is the engine as ``gexdesk run`` runs it.
"""

import asyncio
import sys
import time
from pathlib import Path

from gexdesk.cli import engine as command
from gexdesk.model import clock
from gexdesk.settings.load import load_settings


class OtherClock:
    """Tell another time, going at another pace.

    Args:
        begins_at: What it is now, UTC seconds.
        pace: Its seconds in one second.
        began: When it began, by the machine's monotonic clock.
    """

    def __init__(self, begins_at: float, pace: float, began: float) -> None:
        self._begins_at, self._pace, self._began = begins_at, pace, began

    @property
    def words(self) -> tuple[str, str, str]:
        """Return it as arguments for another process."""
        return str(self._begins_at), str(self._pace), str(self._began)

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        return self._begins_at + self.monotonic()

    def monotonic(self) -> float:
        """Return its seconds since it began."""
        return (time.monotonic() - self._began) * self._pace

    async def sleep(self, seconds: float) -> None:
        """Wait so many of its seconds."""
        await asyncio.sleep(seconds / self._pace)


def main(config: str, state: str, begins_at: str, pace: str, began: str) -> int:
    """Run until it is stopped."""
    other = OtherClock(float(begins_at), float(pace), float(began))
    clock.SystemClock = lambda: other  # type: ignore[assignment,misc]
    return command.run_engine(load_settings(Path(config), Path(state)))


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
