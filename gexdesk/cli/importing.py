"""``import``: bring history files through the same pipeline as everything else, behind all live data."""

import asyncio
import shutil
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say
from gexdesk.cli.arguments import AsJson, StateFolder
from gexdesk.model.errors import EngineAway, SettingsError
from gexdesk.model.importing import FOLDER, SOURCE, entry
from gexdesk.model.text import printable

if TYPE_CHECKING:
    from gexdesk.model.view import DeskView, SourceView
    from gexdesk.settings.desk import Settings

AHEAD = 200
"""Files handed over and not finished yet: what an import takes of the disk beside the payloads themselves."""

LOOK_EVERY_S = 0.25
SAY_EVERY_S = 2.0
STILL_S = 120.0
"""So long may nothing finish before the import says that the engine does not go on."""

Look = Callable[[], Awaitable["DeskView"]]


def import_files(
    paths: Annotated[list[Path], Parameter(name="PATH", help="Files, or folders with everything in them.", negative="")],
    *,
    config: Annotated[Path | None, Parameter(name="--config", help="Configuration file: its rates and guidelines.")] = None,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Import history files at LOW: whatever format the desk reads, compressed or not. The same bytes again add nothing.

    A running engine takes them in beside its feeds; without one, an engine runs for as long as the import does.

    Example: `gexdesk import ~/history/SPX/2026-03-02`
    """
    files = _files(paths)
    settings = _settings(config, state)
    return asyncio.run(_import(files, settings, json=json))


def _files(paths: list[Path]) -> list[Path]:
    found: list[Path] = []
    for path in paths:
        if path.is_dir():
            found += sorted(p for p in path.rglob("*") if p.is_file() and not any(part.startswith(".") for part in p.parts[-2:]))
        elif path.is_file():
            found.append(path)
        else:
            raise SettingsError(printable(f"{path} is neither a file nor a folder; nothing was imported", 300))
    if not found:
        raise SettingsError("there is no file in what was named; nothing was imported")
    return found


def _settings(config: Path | None, state: Path | None) -> "Settings":
    from gexdesk.settings.desk import Settings
    from gexdesk.settings.load import load_settings
    from gexdesk.settings.places import find_configuration

    config = config if config is not None else find_configuration()
    if config is None:
        return load_settings(None, state)
    loaded = load_settings(config, state)
    return Settings(state=loaded.state, engine=loaded.engine, rates=loaded.rates, guidelines=loaded.guidelines)


async def _import(files: list[Path], settings: "Settings", *, json: bool) -> int:
    async with _engine(settings) as look:
        before = _counts(await look())
        progress = _Progress(len(files))
        handed, done = 0, (0, 0, 0)
        moved_at, ended = time.monotonic(), 0
        folder = settings.state / FOLDER
        await asyncio.to_thread(folder.mkdir, 0o700, exist_ok=True)
        started = time.time_ns() // 1000
        while ended < len(files):
            while handed < len(files) and handed - ended < AHEAD:
                await asyncio.to_thread(_hand_over, files[handed], folder, started + handed)
                handed += 1
            await asyncio.sleep(LOOK_EVERY_S)
            now = _counts(await look())
            done = (now[0] - before[0], now[1] - before[1], now[2] - before[2])
            if sum(done) > ended:
                moved_at, ended = time.monotonic(), sum(done)
            elif time.monotonic() - moved_at > STILL_S:
                left = len(files) - ended
                raise EngineAway(f"nothing was finished for {STILL_S:g} s; {left} files stay with the engine, see its log")
            progress.show(ended)
    progress.end()
    completed, repeated, dead = done
    if json:
        as_json({"files": len(files), "completed": completed, "repeated": repeated, "dead": dead})
    if dead or not json:
        known = f", {repeated:,} of them known already" if repeated else ""
        refused = f", {dead:,} refused: gexdesk dead list" if dead else ""
        say(f"{completed + repeated:,} of {len(files):,} files imported{known}{refused}")
    return 1 if dead else 0


def _hand_over(file: Path, folder: Path, number: int) -> None:
    """Copy a file aside and rename it in, so that the engine never sees half of it."""
    aside = folder / f".{number}.part"
    shutil.copyfile(file, aside)
    aside.chmod(0o600)
    aside.rename(folder / entry(number, file.name))


def _counts(view: "DeskView") -> tuple[int, int, int]:
    """Return how many imported payloads ended well, were the one before once more, and ended as dead letters."""
    account: SourceView | None = next((source for source in view.sources if source.name == SOURCE), None)
    return (0, 0, 0) if account is None else (account.completed, account.repeats, account.dead)


@asynccontextmanager
async def _engine(settings: "Settings") -> AsyncIterator[Look]:
    """Give the pictures of the running engine, or of one of our own that ends with us."""
    from gexdesk.cli import launch

    if launch.runs(settings.state):
        from gexdesk.api.client import Client

        yield Client(settings.state).view
        return
    from gexdesk.assemble.desk import assemble
    from gexdesk.model.clock import SystemClock

    engine = assemble(settings, SystemClock())
    await engine.start()
    try:
        yield engine.view
    finally:
        await engine.close()


class _Progress:
    """Show a bar on a terminal; elsewhere a plain line now and then."""

    def __init__(self, total: int) -> None:
        self._total = total
        self._said_at = time.monotonic()
        self._bar = None
        if sys.stderr.isatty():
            from rich.console import Console
            from rich.progress import Progress

            self._bar = Progress(console=Console(stderr=True), transient=True)
            self._task = self._bar.add_task("importing", total=total)
            self._bar.start()

    def show(self, ended: int) -> None:
        """Draw how far it is."""
        if self._bar is not None:
            self._bar.update(self._task, completed=ended)
        elif time.monotonic() - self._said_at > SAY_EVERY_S:
            self._said_at = time.monotonic()
            say(f"imported {ended:,} of {self._total:,}")

    def end(self) -> None:
        """Take the bar away."""
        if self._bar is not None:
            self._bar.stop()
