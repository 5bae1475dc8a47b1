"""Run a real engine whose clock goes faster than the world's: ``... paced_engine CONFIG STATE VIRTUAL REAL PACE``.

All its loops, leases, sweeps, sessions and polls keep the time of that clock; disks, processes and sockets that of the world.
"""

import asyncio
import sys
import time
from pathlib import Path

from gexdesk.assemble.desk import assemble
from gexdesk.cli.engine import _serve
from gexdesk.settings.load import load_settings


class PacedClock:
    """Tell a time that began at ``virtual_at`` when the machine's was ``real_at``, and has gone ``pace`` times as fast since."""

    def __init__(self, virtual_at: float, real_at: float, pace: float) -> None:
        self.virtual_at, self.real_at, self._pace = virtual_at, real_at, pace

    def now(self) -> float:
        """Return UTC seconds since the epoch."""
        return self.virtual_at + (time.time() - self.real_at) * self._pace

    def monotonic(self) -> float:
        """Return seconds that never go back."""
        return time.monotonic() * self._pace

    async def sleep(self, seconds: float) -> None:
        """Wait that long by this clock."""
        await asyncio.sleep(seconds / self._pace)


async def main(config: Path, state: Path, clock: PacedClock) -> None:
    """Serve until it is told to stop."""
    settings = load_settings(config, state)
    engine = assemble(settings, clock)
    await _serve(engine, settings, until_idle=False, for_s=None, status_lines=False)


if __name__ == "__main__":
    virtual_at, real_at, pace = (float(argument) for argument in sys.argv[3:6])
    asyncio.run(main(Path(sys.argv[1]), Path(sys.argv[2]), PacedClock(virtual_at, real_at, pace)))
