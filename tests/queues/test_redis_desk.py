"""A desk whose configuration names a Redis puts its queue there, and says so in words where it cannot."""

import asyncio
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from msgspec.structs import replace

from gexdesk.assemble.desk import assemble
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import LeverRefused, QueueError, SettingsError
from gexdesk.model.level import Level
from gexdesk.model.lever import Lever, Verb
from gexdesk.settings.desk import Settings
from gexdesk.settings.load import load_settings
from tests.engine.desk_setting import folder_source, parts_of, pull
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


def configured(folder: Path, redis: str) -> Path:
    path = folder / "gexdesk.toml"
    path.write_text(f'state = "{folder}/state"\n[redis]\n{redis}\n')
    return path


async def test_an_engine_works_over_redis(valkey: ValkeyServer, tmp_path: Path) -> None:
    path = configured(tmp_path, f'url = "{valkey.url}"\nprefix = "desk-{tmp_path.name}"')
    engine = assemble(load_settings(path), SystemClock())
    await engine.start()
    await engine.stop()
    assert valkey.blunt().exists(f"{{desk-{tmp_path.name}}}:1:birth")
    assert (tmp_path / "state" / "bridge.sqlite").is_file()


async def test_a_redis_that_goes_away_is_an_incident(tmp_path: Path) -> None:
    server = ValkeyServer()
    engine = assemble(load_settings(configured(tmp_path, f'url = "{server.url}"')), SystemClock())
    await engine.start()
    try:

        parts = parts_of(engine)

        async def told() -> bool:
            incidents = (await engine.view()).incidents
            return any(one.kind == Kind.REDIS_AWAY and one.severity == 2 and one.closed_at is None for one in incidents)

        assert not await told()
        server.kill()
        await until(told)
        found = [one for one in parts.watch.conditions(parts.clock.now()) if one.kind is Kind.REDIS_AWAY]
        assert [(one.key, one.severity) for one in found] == [("redis away", 2)]
    finally:
        await engine.close()
        server.close()


async def test_the_kill_switch_and_a_pause_act_at_once_while_redis_is_away_and_are_told_when_it_is_back(tmp_path: Path) -> None:
    server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    settings = {"state": tmp_path / "state", "redis": {"url": server.url, "prefix": "kill"}}
    settings["sources"] = [folder_source(name, tmp_path / name) for name in ("a", "b")]
    engine = assemble(Settings.model_validate(settings), SystemClock())
    await engine.start()
    try:
        parts = parts_of(engine)

        def fetching() -> set[str]:
            return set(parts.supply._tasks)

        async def there() -> tuple[bool, frozenset[str]]:
            await parts.queue._far.refresh()
            state = parts.queue._far.state()
            return state.stopped, state.paused

        server.kill()
        await until(lambda: parts.queue.away)
        async with asyncio.timeout(5.0):
            assert (await pull(engine, Verb.PAUSE_ALL)).done
            assert (parts.standing.stopped is not None, parts.queue.state().stopped, fetching()) == (True, True, set())
            assert (await pull(engine, Verb.RESUME_ALL)).done
            assert (parts.standing.stopped, parts.queue.state().stopped, fetching()) == (None, False, {"a", "b"})
            assert (await pull(engine, Verb.PAUSE, "a")).done
            assert (parts.queue.state().paused, fetching()) == ({"a"}, {"b"})
            assert (await pull(engine, Verb.PAUSE_ALL)).done
        server.start()
        await until(lambda: parts.queue.agreed)
        assert await there() == (True, {"a"})
        assert (await pull(engine, Verb.RESUME_ALL)).done
        assert (await pull(engine, Verb.RESUME, "a")).done
        assert (await there(), fetching()) == ((False, set()), {"a", "b"})
    finally:
        await engine.close()
        server.close()


async def test_a_lever_whose_sender_was_told_it_failed_is_not_done_once_redis_answers_again(tmp_path: Path) -> None:
    server = ValkeyServer()
    settings = {"state": tmp_path / "state", "redis": {"url": server.url, "prefix": "late"}}
    settings["sources"] = [folder_source("a", tmp_path / "a")]
    engine = assemble(Settings.model_validate(settings), SystemClock())
    await engine.start()
    try:
        parts = parts_of(engine)
        lever = Lever(Verb.OVERRIDE, "a", "a test", level=Level.LOW, actor="jm")
        server.freeze()
        late = asyncio.create_task(engine.pull(replace(lever, not_after=parts.clock.now() + 1.0)))
        await asyncio.sleep(1.5)
        assert not late.done()
        server.thaw()
        with pytest.raises(LeverRefused, match="its sender had stopped waiting; nothing was done"):
            await late
        assert parts.standing.overrides(parts.clock.now()) == {}
        server.freeze()
        await until(lambda: parts.queue.away)
        async with asyncio.timeout(1.0):
            with pytest.raises(LeverRefused, match="Redis does not answer"):
                await engine.pull(lever)
        server.thaw()
        await until(lambda: not parts.queue.away)
        assert (await engine.pull(lever)).done
    finally:
        server.thaw()
        await engine.close()
        server.close()


async def test_a_desk_whose_redis_is_set_up_to_lose_jobs_does_not_start(tmp_path: Path) -> None:
    server = ValkeyServer("--maxmemory", "50mb", "--maxmemory-policy", "allkeys-lru")
    try:
        engine = assemble(load_settings(configured(tmp_path, f'url = "{server.url}"')), SystemClock())
        with pytest.raises(QueueError, match="noeviction"):
            await engine.start()
    finally:
        server.close()


@pytest.mark.parametrize(
    ("redis", "words"),
    [
        ('url = "redis://:s3cret@h/0"', "key_env or key_file"),
        ('url = "redis://h"\nprefix = "a{b}"', "prefix"),
        ('url = "redis://h"\nkey_env = "A"\nkey_file = "b"', "not from both"),
        (
            'url = "redis://h"\nkey_env = "GEXDESK_NO_SUCH_KEY"',
            r'\[redis\]: key_env = "GEXDESK_NO_SUCH_KEY": the environment has no GEXDESK_NO_SUCH_KEY',
        ),
        ('url = "redis://h"\npassword = "s3cret"', "no such key here"),
    ],
)
def test_a_bad_configuration_is_refused_and_no_password_shown(tmp_path: Path, redis: str, words: str) -> None:
    with pytest.raises(SettingsError, match=words) as caught:
        assemble(load_settings(configured(tmp_path, redis)), SystemClock())
    assert "s3cret" not in caught.value.message


def test_a_test_process_that_is_killed_leaves_no_server_behind() -> None:
    code = "import time; from tests.queues.valkey_server import ValkeyServer; print(ValkeyServer().pid, flush=True); time.sleep(60)"
    parent = subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True, cwd=Path(__file__).parents[2])
    assert parent.stdout is not None
    pid = int(parent.stdout.readline())
    os.kill(pid, 0)
    parent.send_signal(signal.SIGKILL)
    parent.wait()
    parent.stdout.close()
    until = time.monotonic() + 5
    while Path(f"/proc/{pid}").exists() and "Z" not in Path(f"/proc/{pid}/stat").read_text().split()[2]:
        assert time.monotonic() < until, "the server outlived its test"
        time.sleep(0.02)
