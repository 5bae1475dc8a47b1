"""The socket: ours alone, whatever its path, and every refusal in one shape."""

import asyncio
import getpass
import os
import signal
import socket
import stat
import subprocess
import sys
from contextlib import aclosing
from pathlib import Path

import pytest

from gexdesk.api import door
from gexdesk.api.client import Client
from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Lever, Verb
from gexdesk.stores.audit import Audit
from tests.api.served_engine import ask_raw, served
from tests.cli.program import environment
from tests.engine.desk_setting import rows
from tests.until import until

LEVER = b'{"verb": "pause", "target": "%s", "reason": "x"}'


async def test_only_its_owner_may_open_the_socket_whatever_the_umask(tmp_path: Path) -> None:
    before = os.umask(0)
    try:
        async with served(tmp_path):
            mode = (tmp_path / "state" / door.SOCKET_NAME).stat().st_mode
            open_to_others = [path for path in (tmp_path / "state").rglob("*") if path.stat().st_mode & 0o077]
    finally:
        os.umask(before)
    assert stat.S_ISSOCK(mode)
    assert stat.S_IMODE(mode) == 0o600
    assert open_to_others == []
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


async def test_a_path_too_long_for_the_kernel_is_no_obstacle(tmp_path: Path) -> None:
    folder = tmp_path / ("long" * 30)
    async with served(folder):
        assert len(str(folder / "state" / door.SOCKET_NAME)) > 108
        client = Client(folder / "state")
        assert (await client.view()).sources[0].name == "drop"
        async with aclosing(client.views()) as views:
            await anext(views)


def test_an_answer_over_tcp_is_sent_at_once() -> None:
    """Where Nagle's algorithm is on, the second write of an answer waits for the other side's delayed ACK, 40 ms."""
    with door.listen_tcp("127.0.0.1:0") as listening, socket.create_connection(listening.getsockname()):
        accepted, _ = listening.accept()
        with accepted:
            assert accepted.getsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY) == 1


async def test_the_actor_is_who_the_kernel_says_whatever_the_body_says(tmp_path: Path) -> None:
    async with served(tmp_path):
        await Client(tmp_path / "state").pull(Lever(Verb.PAUSE, "drop", "x", actor="somebody else"))
    [line] = Audit(tmp_path / "state" / "audit.jsonl").read(10)
    assert line.actor == getpass.getuser()


async def test_every_refusal_has_the_one_shape(tmp_path: Path) -> None:
    async with served(tmp_path):

        async def asked(method: str, path: str, body: bytes = b"") -> tuple[int, str, str]:
            status, document = await asyncio.to_thread(ask_raw, tmp_path / "state", method, path, body)
            assert sorted(document) == ["details", "error", "message"]
            assert "\n" not in document["message"]
            return status, document["error"], document["message"]

        levers = "/api/v1/levers"
        assert await asked("POST", levers, LEVER % b"nobody") == (
            404, "unknown_target", "no source is named 'nobody'; there are drop",
        )  # fmt: skip
        status, error, message = await asked("POST", levers, b'{"verb": "resume", "target": "drop", "reason": "x"}')
        assert (status, error, message) == (409, "lever_refused", "drop is not paused")
        assert (await asked("POST", levers, b'{"verb": "explode", "target": "drop", "reason": "x"}'))[:2] == (400, "bad_request")
        assert (await asked("POST", levers, b'{"verb": "pause"'))[:2] == (400, "bad_request")
        assert (await asked("POST", levers, b"\xff\xfe"))[:2] == (400, "bad_request")
        assert await asked("GET", "/api/v1/nothing") == (404, "http_error", "no such path")
        assert await asked("GET", levers) == (405, "http_error", "that path does not take this method")


async def test_what_a_probe_and_the_http_contract_ask_for(tmp_path: Path) -> None:
    async with served(tmp_path):
        state = tmp_path / "state"
        assert await asyncio.to_thread(ask_raw, state, "GET", "/healthz") == (200, {"status": "ok"})
        status, ready = await asyncio.to_thread(ask_raw, state, "GET", "/readyz")
        assert (status, ready["status"]) == (200, "ready")
        status, queue = await asyncio.to_thread(ask_raw, state, "GET", "/api/v1/ingest/priority/queue")
        assert status == 200
        assert queue == {
            "total_queued": 0,
            "by_priority": {"CRITICAL": 0, "HIGH": 0, "MEDIUM": 0, "LOW": 0},
            "oldest_request": None,
            "processing_capacity": queue["processing_capacity"],
        }


async def test_the_metadata_is_copied_while_the_engine_writes(tmp_path: Path) -> None:
    async with served(tmp_path):
        copy = await Client(tmp_path / "state").copy_metadata()
        assert copy.parent == tmp_path / "state" / "copies"
        assert stat.S_IMODE(copy.stat().st_mode) == 0o600
    assert rows("SELECT count(*) AS n FROM jobs", tmp_path / "state") == [{"n": 0}]


async def test_nobody_there_is_an_engine_away(tmp_path: Path) -> None:
    client = Client(tmp_path)
    for call in (client.view(), client.stop(), client.pull(Lever(Verb.PAUSE, "drop", "x")), anext(client.views())):
        with pytest.raises(EngineAway, match=r"no engine answers in .*: start one with `gexdesk`, or `gexdesk run"):
            await call
    with pytest.raises(EngineAway):
        await Client(tmp_path / ("missing" * 20)).view()


async def test_an_engine_that_stops_answering_is_away_for_its_readers(tmp_path: Path) -> None:
    async with served(tmp_path) as (_, server):
        stream = Client(tmp_path / "state").views()
        await anext(stream)
        await server.stop()
        async with asyncio.timeout(10):
            with pytest.raises(EngineAway):
                async for _ in stream:
                    pass


async def test_an_engine_that_is_hung_or_killed_is_away_and_the_next_one_is_there(tmp_path: Path) -> None:
    state = tmp_path / "state"
    command = [sys.executable, "-m", "gexdesk", "run", "--state", state]
    client = Client(state, timeout_s=0.5)

    async def there() -> bool:
        try:
            await client.view()
        except EngineAway:
            return False
        return True

    engine = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment(tmp_path))
    try:
        await until(there)
        stream = client.views()
        first = await anext(stream)
        engine.send_signal(signal.SIGSTOP)
        with pytest.raises(EngineAway, match=r"no engine answers in .* in time: one is there that is busy or hangs"):
            await client.view()
        engine.send_signal(signal.SIGCONT)
        await until(there)
        engine.kill()
        async with asyncio.timeout(5):
            with pytest.raises(EngineAway):
                async for _ in stream:
                    pass
        engine.wait()
        with pytest.raises(EngineAway):
            await client.view()
        engine = subprocess.Popen(command, stderr=subprocess.DEVNULL, env=environment(tmp_path))
        await until(there)  # the socket that was left behind is replaced
        assert (await client.view()).engine_id != first.engine_id
        await client.stop()
        assert await asyncio.to_thread(engine.wait, 20) == 0
    finally:
        engine.kill()
        engine.wait()
