"""``gexdesk``: open the desk, or without a terminal replay the sample to its end."""

import asyncio
import getpass
import re
import shlex
import sys
import tempfile
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gexdesk.cli import launch
from gexdesk.cli.answer import say
from gexdesk.cli.arguments import StateFolder
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import EngineAway, SettingsError

ConfigPath = Annotated[Path | None, Parameter(name="--config", help="Configuration; default: the user's, else the sample desk.")]


def desk(*, config: ConfigPath = None, state: StateFolder = None) -> int:
    """Open the desk. With no configuration: the sample desk, which replays a recorded morning as if live.

    Without a terminal on stdout the sample runs headless to its end and prints a closing table.

    Example: `gexdesk --config ~/.config/gexdesk/gexdesk.toml`
    """
    from gexdesk.settings.load import load_settings
    from gexdesk.settings.places import default_state, find_configuration, named_state

    config = config or find_configuration()
    if not sys.stdout.isatty():
        return _headless(config, state)
    _needs_terminal()
    if config is None:
        place, arguments = state or named_state() or default_state() / "sample", ["--sample"]
    else:
        place, arguments = load_settings(config, state).state, ["--config", str(config.absolute())]
    named = ["--config", str(config.absolute())] if config is not None else []
    named += ["--state", str(state.absolute())] if state is not None else []
    return _screen(place.absolute(), arguments, again=shlex.join(["gexdesk", *named]), sample=config is None)


def attach(
    url: Annotated[str | None, Parameter(name="URL", help="http://HOST:PORT elsewhere; without it, the engine here.")] = None,
    *,
    name: Annotated[str, Parameter(help="Who you are, where several share one login on the engine's host.")] = "",
    state: StateFolder = None,
) -> int:
    """Open the desk on an engine that runs already; over TCP its key is taken from $GEXDESK_KEY.

    Example: `GEXDESK_KEY=... gexdesk attach http://desk1:8765`
    """
    from gexdesk.desk import Desk
    from gexdesk.tui.app import DeskApp

    if name and url is not None:
        raise SettingsError(
            "--name is for those who share a login on the engine's host; over TCP you are who your key says: "
            "`gexdesk key create --name NAME --scope read --scope operate` over there makes one in your name"
        )
    engine = engine_at(At(state, url), operator=name)
    asyncio.run(engine.view())  # whoever is refused learns it here, not on a screen without a desk
    _needs_terminal()

    async def connect() -> Desk:
        await asyncio.to_thread(__import__, "httpx2")
        return engine

    # Over TCP the key says who sits here, "kd (key 1f00ba12)"; its id is for the audit.
    operator = name or getpass.getuser() if url is None else engine.known_as.rpartition(" (key ")[0]
    code = DeskApp(connect=connect, sample=False, operator=operator, remote=url is not None).run(mouse=False)
    return 1 if code is None else code


def picture(
    file: Annotated[Path, Parameter(help="SVG file to write.")], *,
    size: Annotated[str, Parameter(help="Columns x rows.")] = "160x48", at: At = HERE,
    page: Annotated[str, Parameter(help='A page in place of the desk, e.g. incidents or "symbol SPX".')] = "",
    theme: Annotated[str, Parameter(help="One of the desk's themes.")] = "",
) -> int:  # fmt: skip
    """Write a picture of the desk, or of one of its pages, as it stands now, to go into a report.

    Example: `gexdesk picture spx.svg --size 160x48 --page "symbol SPX"`
    """
    from gexdesk.tui.picture import picture as draw
    from gexdesk.tui.theme import DEFAULT_THEME, load_themes

    if theme and theme not in (names := [one.name for one in load_themes()]):
        raise SettingsError(f"no theme is named {theme!r}; there are {', '.join(names)}")

    found = re.fullmatch(r"(\d{2,3})x(\d{2,3})", size)
    if found is None:
        raise SettingsError(f"{size!r} is no size; write columns x rows, e.g. 160x48")

    async def drawn() -> str:
        engine = engine_at(at)
        view = await engine.view()
        return await draw(
            view, int(found[1]), int(found[2]), operator=getpass.getuser(), theme=theme or DEFAULT_THEME, page=page.split(),
            desk=engine,
        )  # fmt: skip

    svg = asyncio.run(drawn())
    try:
        file.write_text(svg, encoding="utf-8")
    except OSError as error:
        raise SettingsError(f"{file} cannot be written: {error.strerror}") from error
    say(f"wrote {file}")
    return 0


def _needs_terminal() -> None:
    """Refuse to draw where nobody sees it, or no key can be read. Raises SettingsError."""
    if not (sys.stdin.isatty() and sys.stdout.isatty()):
        tell = "`gexdesk status`, `gexdesk queue` and `gexdesk picture FILE` tell how it stands without one"
        raise SettingsError(f"the desk is drawn on a terminal and reads its keys from it: there is none here; {tell}")


def _screen(state: Path, arguments: list[str], *, again: str, sample: bool) -> int:
    """Open the desk on the engine of a state folder; ``again`` is what opens it another time."""
    # The engine starts while the screen's own imports run: both are there sooner.
    first = None if launch.runs(state) or launch.held(state) else launch.start(state, arguments)
    began = False

    from gexdesk.api.client import Client
    from gexdesk.desk import Desk
    from gexdesk.tui.app import DeskApp

    async def connect() -> Desk:
        nonlocal began
        # Later on, an engine that ended as it was asked to stays ended; one that crashed left its door behind.
        if not began:
            await launch.ensure(state, arguments, first)
        elif launch.crashed(state):
            await launch.ensure(state, arguments)
        elif not await asyncio.to_thread(launch.runs, state):
            raise EngineAway(f"the engine was stopped; leave with q, then `{again}` starts it again")
        began = True
        await asyncio.to_thread(__import__, "httpx2")  # the first lever must not wait for an import
        return Client(state)

    app = DeskApp(connect=connect, sample=sample, operator=getpass.getuser())
    code = app.run(mouse=False)
    if launch.runs(state):
        stop = shlex.join(["gexdesk", "stop", "--state", str(state)])
        say(f"The engine goes on; `{again}` opens the desk again, `{stop}` ends it.")
    return 1 if code is None else code


def _headless(config: Path | None, state: Path | None) -> int:
    from gexdesk.cli.engine import run_engine
    from gexdesk.settings.load import load_settings

    if config is not None:
        return run_engine(load_settings(config, state), status_lines=True)
    from gexdesk.assemble.sample import sample_settings

    if state is not None:
        return run_engine(sample_settings(state), until_idle=True, replay_speed=2.5, status_lines=True)
    with tempfile.TemporaryDirectory(prefix="gexdesk-sample-") as folder:
        return run_engine(sample_settings(Path(folder)), until_idle=True, replay_speed=2.5, status_lines=True)
