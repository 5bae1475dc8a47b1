"""``import``: bring history files through the same pipeline as everything else, behind all live data."""

import asyncio
import shutil
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say
from gexdesk.cli.arguments import AsJson, StateFolder
from gexdesk.cli.progress import Progress
from gexdesk.model.errors import EngineAway, SettingsError, StoreError
from gexdesk.model.importing import FOLDER, SOURCE, entry
from gexdesk.model.text import printable

if TYPE_CHECKING:
    from gexdesk.model.view.desk import DeskView
    from gexdesk.model.view.source import SourceView
    from gexdesk.settings.desk import Settings

AHEAD = 200
"""Files handed over and not finished yet: what an import takes of the disk beside the payloads themselves."""

LOOK_EVERY_S = 0.25
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
        handed, done = 0, (0, 0, 0)
        moved_at, ended = time.monotonic(), 0
        folder = settings.state / FOLDER
        await asyncio.to_thread(folder.mkdir, 0o700, exist_ok=True)
        started = time.time_ns() // 1000
        with Progress("imported", len(files)) as progress:
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
    completed, repeated, dead = done
    if json:
        as_json({"files": len(files), "completed": completed, "repeated": repeated, "dead": dead})
    if dead or not json:
        known = f", {repeated:,} of them known already" if repeated else ""
        refused = f", {dead:,} refused: gexdesk dead list" if dead else ""
        say(f"{completed + repeated:,} of {len(files):,} files imported{known}{refused}")
    return 1 if dead else 0


def _hand_over(file: Path, folder: Path, number: int) -> None:
    """Copy a file aside and rename it in, so that the engine never sees half of it.

    Raises:
        StoreError: It cannot be read, or the folder not be written.
    """
    aside = folder / f".{number}.part"
    try:
        shutil.copyfile(file, aside)
        aside.chmod(0o600)
        aside.rename(folder / entry(number, file.name))
    except OSError as error:
        aside.unlink(missing_ok=True)
        why = f"{file} cannot be imported: {error.strerror}; what was handed over before it goes on, and again adds nothing"
        raise StoreError(printable(why, 300)) from None


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
