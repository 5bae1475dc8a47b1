"""Stores that fall behind, and a disk that fills up."""

import shutil
from collections.abc import Iterator
from pathlib import Path

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.keep import Keeper
from gexdesk.engine.ledger import Ledger

LAG_S = 10.0
LOW_BYTES, LOW_SHARE = 2_000_000_000, 0.05
FULL_BYTES, FULL_SHARE = 500_000_000, 0.01
ASK_EVERY_S = 5.0


class Stores:
    """Find results that wait to be stored."""

    def __init__(self, keeper: Keeper) -> None:
        self._keeper = keeper

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition."""
        lag_s = self._keeper.lag_s()
        if lag_s > LAG_S:
            yield Condition(
                kind=Kind.STORE_LAG, key="store", severity=1, subject="stores",
                text=f"results wait {lag_s:.0f} s to be stored", do_first="readers are served; check the disk",
            )  # fmt: skip


class Disk:
    """Find a state folder whose disk has little room left, less than a share of it and less than so many bytes; or refuses."""

    def __init__(self, folder: Path, ledger: Ledger) -> None:
        self._folder = folder
        self._ledger = ledger
        self._asked_at: float | None = None
        self._room: tuple[int, int] = (0, 0)

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition."""
        if self._asked_at is None or now - self._asked_at >= ASK_EVERY_S:
            try:
                usage = shutil.disk_usage(self._folder)
            except OSError:
                return  # the folder is gone: every store says so
            self._asked_at, self._room = now, (usage.free, usage.total)
        free, total = self._room
        refused = [account for account in self._ledger.all() if account.store_refuses(now)]
        low = free < min(LOW_BYTES, LOW_SHARE * total)
        if not low and not refused:
            return
        full = free < min(FULL_BYTES, FULL_SHARE * total)
        room = f"{free / 1e9:.1f} GB free where the state folder lies"
        words = f"{room}: {'soon nothing is taken' if full else 'clear up'}"
        if refused:
            names = ", ".join(account.name for account in refused[:3]) + (f" +{len(refused) - 3}" if len(refused) > 3 else "")
            words = f"what {names} brings cannot be kept and is asked for again: {refused[0].store_refusal}; {room}"
        yield Condition(
            kind=Kind.DISK_LOW, key="disk", severity=2 if full or refused else 1, subject="disk", text=words,
            do_first="make room; keep_days and keep_gb bound what is kept",
        )  # fmt: skip
