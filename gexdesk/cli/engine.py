"""``run`` and ``stop``: the engine alone."""

import asyncio
import signal
import time
from collections.abc import Awaitable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, StateFolder, span_s, state_folder
from gexdesk.cli.notify import Supervisor
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import EngineAway, SettingsError

if TYPE_CHECKING:
    from gexdesk.api.client import Client
    from gexdesk.engine.closing import Closing
    from gexdesk.engine.engine import Engine
    from gexdesk.settings.desk import Settings

STOP_LIMIT_S = 20.0


def run(
    *,
    config: Annotated[Path | None, Parameter(name="--config", help="Configuration file; default: the user's.")] = None,
    state: StateFolder = None,
    duration: Annotated[str | None, Parameter(name="--for", help="End after a time, e.g. 30s, 5m.")] = None,
    until_idle: Annotated[bool, Parameter(negative="", help="End when folders and replays have given everything.")] = False,
    sample: Annotated[bool, Parameter(negative="", help="Run the sample desk, whatever is configured.")] = False,
    listen: Annotated[str | None, Parameter(help="Answer on TCP, too: HOST:PORT; keys are needed there.")] = None,
    read_only: Annotated[bool, Parameter(negative="", help="Let nobody change anything through it.")] = False,
    json: AsJson = False,
) -> int:
    """Run the engine alone, in the foreground, until it is stopped.

    Without a configuration it runs only where --state names a folder: with default rules, and no sources but those submitted.

    Example: `gexdesk run --config gexdesk.toml --until-idle --json`
    """
    settings = _settings(config, state, sample=sample)
    if listen is not None:
        settings = settings.model_copy(update={"listen": listen})
    if read_only:
        settings = settings.model_copy(update={"read_only": True})
    return run_engine(settings, until_idle=until_idle, for_s=None if duration is None else span_s(duration), json=json)


def _settings(config: Path | None, state: Path | None, *, sample: bool) -> "Settings":
    """Return what is to run: the sample, or the desk that every other verb means. Raises SettingsError."""
    from gexdesk.assemble.sample import sample_settings
    from gexdesk.settings.load import load_settings
    from gexdesk.settings.places import default_state, find_configuration, named_state

    if sample and config is not None:
        raise SettingsError("--sample and --config name two desks: leave one out")
    if sample:
        return sample_settings(state or named_state() or default_state() / "sample")
    config = config or find_configuration()
    if config is None and state is None and named_state() is None:
        # An engine nobody asked for, in a folder where no other verb looks for it, would run with nothing to do.
        raise SettingsError(
            "there is no configuration to run: `gexdesk init` writes one to start from, --config or $GEXDESK_CONFIG names one; "
            "`gexdesk run --sample` runs the sample desk, --state FOLDER an engine without sources"
        )
    return load_settings(config, state)


def stop(*, at: At = HERE) -> int:
    """End a running engine; it finishes what it is storing, and the journal keeps the rest.

    Example: `gexdesk stop`
    """
    engine = engine_at(at)
    asyncio.run(engine.stop())
    give_up_at = time.monotonic() + STOP_LIMIT_S
    while _goes_on(at, engine):
        if time.monotonic() > give_up_at:
            where = at.url or state_folder(at.state)
            raise EngineAway(f"the engine was told to end and still holds {where} after {STOP_LIMIT_S:g} s; see its log")
        time.sleep(0.05)
    say("stopped")
    return 0


def _goes_on(at: At, engine: "Client") -> bool:
    """Say whether an engine still holds its folder; of one elsewhere, whether it still answers."""
    from gexdesk.cli import launch

    if at.url is None:
        return launch.held(state_folder(at.state))
    try:
        asyncio.run(engine.view())
    except EngineAway:
        return False
    return True


def run_engine(
    settings: "Settings",
    *,
    until_idle: bool = False,
    for_s: float | None = None,
    replay_speed: float = 1.0,
    status_lines: bool = False,
    json: bool = False,
) -> int:
    """Run one engine in this process to its end and print how it went; returns the exit code."""
    from gexdesk.assemble import garbage

    garbage.not_yet()
    from gexdesk.assemble.desk import assemble
    from gexdesk.assemble.sources import redactor
    from gexdesk.cli.log import open_log
    from gexdesk.model.clock import SystemClock

    log = open_log(settings.log, redactor(settings))

    async def whole() -> "tuple[Closing, str]":
        engine = assemble(settings, SystemClock(), once=until_idle, replay_speed=replay_speed, log=log)
        return await _serve(engine, settings, until_idle=until_idle, for_s=for_s, status_lines=status_lines), engine.fault

    try:
        closing, fault = asyncio.run(whole())
    finally:
        garbage.as_before()
    if json:
        as_json(closing)
    else:
        _print_closing(closing)
    if fault:
        say(f"gexdesk: the engine ended by a fault of its own: {fault}; what it had acknowledged is kept for the next start")
        return 1
    return 0


async def _serve(
    engine: "Engine", settings: "Settings", *, until_idle: bool, for_s: float | None, status_lines: bool
) -> "Closing":
    from gexdesk.api import door
    from gexdesk.api.app import make_app
    from gexdesk.api.guard import Guard
    from gexdesk.api.server import Server
    from gexdesk.assemble import garbage

    state = settings.state
    doors = [door.listen_tcp(settings.listen)] if settings.listen is not None else []

    loop = asyncio.get_running_loop()
    # Before it starts: an interrupt that only cancels is lost where something that starts takes it for its own.
    loop.add_signal_handler(signal.SIGHUP, lambda: None)  # the terminal it was started from may go
    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, engine.stopping.set)
    guard = Guard(state, read_only=settings.read_only)
    if fault := guard.fault():
        engine.tell(fault)
    app = make_app(engine, guard)  # takes a quarter of a second: while nothing comes yet
    await engine.start()
    server = Server(app, door.listen(state, settings.socket_group), *doors)
    await server.start()
    garbage.rarely()  # what is built now stays: to look through it would hold up the loop for a third of a second
    supervisor = Supervisor()
    supervisor.tell("READY=1")
    alive = asyncio.create_task(supervisor.keep_alive(engine.view, time.time), name="watchdog")
    ends: list[Awaitable[object]] = [engine.stopping.wait()]
    if until_idle:
        ends.append(engine.idle())
    if for_s is not None:
        ends.append(asyncio.sleep(for_s))
    tasks = [asyncio.ensure_future(end) for end in ends]
    ticker = asyncio.create_task(_status_lines(engine)) if status_lines else None
    try:
        await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        closing = engine.closing()
    finally:
        supervisor.tell("STOPPING=1")
        for task in [*tasks, alive, *([ticker] if ticker else [])]:
            task.cancel()
        engine.stopping.set()
        with suppress(OSError):
            (state / door.SOCKET_NAME).unlink()
        await server.stop()
        await engine.close()
    return closing


async def _status_lines(engine: "Engine") -> None:
    while True:
        await asyncio.sleep(1.0)
        view = await engine.view()
        depths = "  ".join(f"{level.level} {level.depth}" for level in view.levels)
        promises = f"promises {view.promises_kept} of {view.promises_total}"
        print(
            f"{view.replay_position or 'live':>10}  {depths}  received {view.received}  completed {view.completed}  "
            f"dead {view.dead}  {promises}",
            flush=True,
        )


def _print_closing(closing: "Closing") -> None:
    def seconds(value: float | None) -> str:
        return "-" if value is None else f"{value:.3f} s"

    rows = [
        (name, f"{lv.count:,}", seconds(lv.mean_s), seconds(lv.p50_s), seconds(lv.p95_s), seconds(lv.p99_s), seconds(lv.max_s),
         "-" if lv.promise_s is None else f"{lv.within_promise:,} of {lv.count:,} in {lv.promise_s:g} s")
        for name, lv in closing.levels.items()
    ]  # fmt: skip
    table("Receipt to available", ["level", "count", "mean", "p50", "p95", "p99", "max", "promise kept"], rows)
    table(
        "Sources",
        ["source", "received", "completed", "dead", "requests", "failed"],
        [
            (name, *(f"{count:,}" for count in (s.received, s.completed, s.dead, s.requests, s.requests - s.successes)))
            for name, s in closing.sources.items()
        ],
    )
    print(
        f"received {closing.received:,}, completed {closing.completed:,}, dead letters {closing.dead:,}, "
        f"repeats {closing.repeats:,}, still open {closing.open:,}; priority deviation {closing.deviation:.4%}"
    )
