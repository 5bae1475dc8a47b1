"""Every kind of live source through a real engine, as the configuration names it."""

import asyncio
from pathlib import Path

import pytest
from pydantic import ValidationError

from gexdesk.engine.engine import Engine
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import drop, engine_on, gexbot_at, settings_of, source_of
from tests.feed_server import Answer, FeedServer
from tests.queues.valkey_server import ValkeyServer
from tests.sources.test_websocket import PushServer, pushing
from tests.until import until

KEY = "Kanarie-7/8+x=="


async def test_polled_pushed_and_streamed_documents_arrive_and_are_counted(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DESK_KEY", KEY)
    stream = ValkeyServer()
    try:
        with stream.blunt() as client:
            client.xadd("gex", {"doc": gexbot_at(1.0, "NDX")})
        pushed = pushing('{"type": "hello"}', gexbot_at(1.0, "RUT"))
        async with FeedServer(Answer(body=gexbot_at(1.0, "SPX"))) as polled, PushServer(pushed) as pusher:
            settings = settings_of(
                tmp_path / "state",
                {"name": "polled", "kind": "http", "url": f"{polled.url}/spx", "every_s": 0.2, "always": True, "level": "auto",
                 "key_env": "DESK_KEY", "key_param": "key", "rate_per_s": 50},
                {"name": "pushed", "kind": "websocket", "url": f"{pusher.url}/feed", "subscribe": ['{"auth": "{key}"}'],
                 "data": "strikes", "sequence": "seq", "key_env": "DESK_KEY", "level": "auto"},
                {"name": "streamed", "kind": "redis_stream", "url": stream.url, "stream": "gex", "field": "doc", "level": "auto"},
            )  # fmt: skip
            async with engine_on(settings) as engine:
                await until(lambda: engine.closing().completed == 3 and engine.closing().repeats >= 3)
                await until(lambda: engine.closing().open == 0)
                before = (await engine.view()).sequence
                await until(lambda: _newer(engine, before))
                view, closing = await engine.view(), engine.closing()
            assert polled.requests[0].query == {"key": KEY}
            assert pusher.received == [f'{{"auth": "{KEY}"}}']
    finally:
        stream.close()
    assert closing.received == closing.completed + closing.dead + closing.repeats + closing.open
    sources = {name: source_of(view, name) for name in ("polled", "pushed", "streamed")}
    assert {name: source.completed for name, source in sources.items()} == {"polled": 1, "pushed": 1, "streamed": 1}
    assert [source.hours for source in sources.values()] == ["always", "regular", "regular"]
    assert all(source.breaker == "closed" and source.response_s is not None for source in sources.values())
    assert all(source.reliability == 1.0 for source in sources.values())
    assert KEY not in repr(view)


async def test_a_folder_to_which_nothing_comes_any_more_is_no_healthy_feed(tmp_path: Path) -> None:
    folder = {"name": "drop", "kind": "directory", "path": tmp_path / "in", "symbols": ["SPX"], "every_s": 0.3, "level": "auto"}
    always = {"name": "SPX", "session": "always"}
    settings = Settings.model_validate({"state": tmp_path / "state", "sources": [folder], "symbols": [always]})
    async with engine_on(settings) as engine:
        for number in range(6):
            drop(tmp_path / "in", f"{number}.json", gexbot_at(0.0, net=float(number)))
            await asyncio.sleep(0.3)

        async def said() -> bool:
            [symbol] = (await engine.view()).symbols
            return symbol.check in ("REPEATS", "SILENT") and "due each" in symbol.check_text

        await until(said)
        assert source_of(await engine.view(), "drop").due_s == 0.3


async def _newer(engine: Engine, sequence: int) -> bool:
    return (await engine.view()).sequence > sequence + 1


BASE = {"name": "a", "level": "auto"}
HTTP, PUSHED = {"kind": "http", "url": "https://feed.example/q"}, {"kind": "websocket", "url": "wss://feed.example/q"}
STREAM = {"kind": "redis_stream", "url": "redis://127.0.0.1/0", "stream": "gex"}


@pytest.mark.parametrize(
    ("source", "words"),
    [
        (HTTP | {"extended": True, "always": True}, "contradict each other"),
        (HTTP | {"key_env": "A", "key_file": "b", "key_header": "X"}, "a key needs one of key_env, key_file, not both"),
        (HTTP | {"key_env": "A"}, "a key needs one of"),
        (HTTP | {"key_header": "X"}, "a key needs one of"),
        (HTTP | {"rate_per_s": 0}, "greater than 0"),
        (HTTP | {"every_outside_s": 0.1}, "greater than or equal to 0.2"),
        (PUSHED | {"url": "https://feed.example"}, "match pattern"),
        (PUSHED | {"subscribe": ["{key}"]}, "a key needs one of"),
        (PUSHED | {"subscribe": ["{key}"], "key_env": "A", "key_param": "k"}, "a key needs one of"),
        (PUSHED | {"sequence": "a..b"}, "match pattern"),
        (STREAM | {"url": "http://127.0.0.1"}, "match pattern"),
        (STREAM | {"stream": ""}, "at least 1 character"),
        (STREAM | {"key_param": "x"}, "not permitted"),
    ],
)
def test_a_source_that_contradicts_itself_is_refused(source: dict, words: str, tmp_path: Path) -> None:
    with pytest.raises(ValidationError, match=words):
        Settings.model_validate({"state": tmp_path, "sources": [BASE | source]})
