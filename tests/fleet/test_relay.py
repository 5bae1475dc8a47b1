"""What one engine of a fleet alone knows, and alone can do, is seen and done through any of them."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ownership import LEASE_S
from gexdesk.engine.relay import Question
from gexdesk.fleet.talk import Talk
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import EngineAway, LeverRefused, UnknownTarget
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.view.incident import IncidentView
from gexdesk.settings.desk import Settings
from tests.engine.desk_setting import folder_source, parts_of
from tests.queues.valkey_server import ValkeyServer
from tests.until import until


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


class Two(NamedTuple):
    """Two engines over one server, the first of which pages first where both have the same."""

    here: Engine
    there: Engine
    talk: Talk
    folder: Path

    @property
    def there_name(self) -> str:
        return name_of(self.there)

    def paged(self) -> list[str]:
        """Return the subjects that somebody was paged for."""
        return [json.loads(line)["incident"]["subject"] for p in self.folder.glob("*.pages") for line in p.read_text().splitlines()]

    async def pull(self, verb: Verb, target: str, reason: str = "a test", **fields: Any) -> str:
        return (await self.here.pull(Lever(verb, target, reason, actor="jm", **fields))).message

    async def told_here(self, text: str, engine: str = "there") -> IncidentView:
        """Wait until this engine's picture tells of an incident of the other one."""

        async def found() -> IncidentView | None:
            named = self.there_name if engine == "there" else ""
            return next((i for i in (await self.here.view()).incidents if text in i.text and i.engine == named), None)

        await until(found)
        incident = await found()
        assert incident is not None
        return incident


def name_of(engine: Engine) -> str:
    relay = parts_of(engine).relay
    assert relay is not None
    return relay._talk.engine


async def report(engine: Engine, text: str) -> int:
    outcome = await engine.pull(Lever(Verb.REPORT, "", "", target_kind="symbol", text=text, actor="kl"))
    return int(outcome.message.partition("#")[2].partition(":")[0])


@pytest.fixture
async def two(valkey: ValkeyServer, tmp_path: Path, request: pytest.FixtureRequest) -> AsyncIterator[Two]:
    prefix, client = f"relay-{tmp_path.name}", valkey.client()
    engines = []
    async with AsyncExitStack() as stack:
        for name in ("a", "b"):
            (state := tmp_path / name).mkdir()
            (state / "redis-name").write_text(("0" if name == "a" else "f") * 12 + "\n")  # the first pages first
            pages = tmp_path / f"{name}.pages"
            command = [sys.executable, "-S", "-c", f"import sys; open({str(pages)!r}, 'a').write(sys.stdin.read() + chr(10))"]
            settings = {
                "state": state, "sources": [folder_source("own", tmp_path / "own")], "redis": {"url": valkey.url, "prefix": prefix},
                "pager": {"command": command}, "read_only": name == "b" and getattr(request, "param", "") == "read-only",
            }  # fmt: skip
            engine = assemble(Settings.model_validate(settings), SystemClock())
            await engine.start()
            stack.push_async_callback(engine.close)
            engines.append(engine)
        for engine in engines:

            async def knows_both(engine: Engine = engine) -> bool:
                return len((await engine.view()).engines) == 2

            await until(knows_both)
        yield Two(*engines, Talk(client, prefix=prefix, engine="stranger"), tmp_path)
    await client.aclose()


async def test_a_dead_engine_pages_since_what_it_acknowledged_waits_for_it(two: Two) -> None:
    fleet = parts_of(two.here).fleet
    assert fleet is not None
    assert list(fleet.conditions(0.0)) == []
    fleet._silent[two.there_name] = LEASE_S + 0.1
    [found] = fleet.conditions(0.0)
    assert (found.kind, found.severity) == (Kind.ENGINE_SILENT, 2)
    assert found.text.endswith("is silent; its sources were taken over; what it acknowledged and had not queued waits on its disk")


async def test_what_needs_somebody_on_another_engine_is_seen_read_and_taken_here(two: Two) -> None:
    number = await report(two.there, "the pit says the flip is off")
    seen = await two.told_here("the pit says")
    assert (seen.number, seen.owner, seen.name) == (number, "kl", f"{two.there_name}#{number}")
    story = await two.here.look(IncidentLook(number, engine=two.there_name))
    assert [entry.what for entry in story.timeline] == ["opened"]
    assert story.runbook
    said = await two.pull(Verb.TAKE, str(number), "", target_kind="incident", engine=two.there_name)
    assert said == f"jm take #{number}: taken by jm (on {two.there_name})"

    async def taken() -> bool:
        return (await two.told_here("the pit says")).owner == "jm"

    await until(taken)
    await two.pull(Verb.RESOLVE, str(number), "it is right now", target_kind="incident", engine=two.there_name)
    ended = (await two.there.look(IncidentLook(number))).timeline[-1]
    assert (ended.who, ended.what, ended.text) == ("jm", "resolve", f"it is right now (through {name_of(two.here)})")
    line = parts_of(two.there).audit.read(1)[0]
    assert (line.actor, line.act, line.target) == ("jm", "resolve", f"incident {number}")


async def test_what_nobody_saw_there_is_handed_over_here(two: Two) -> None:
    await report(two.there, "look at this")
    await two.told_here("look at this")
    assert "look at this" in [incident.text for incident in (await two.here.look(HandOverLook())).incidents]


async def test_an_engine_is_named_by_how_its_name_begins_and_by_its_own(two: Two) -> None:
    host = two.there_name.rpartition("-")[0]
    assert (await two.here.look(MachineLook(engine=two.there_name))).pid == (await two.there.look(MachineLook())).pid
    assert (await two.here.look(MachineLook(engine=two.there_name[:-3]))).engine_id == parts_of(two.there).picture._engine_id
    assert (await two.here.look(MachineLook(engine=name_of(two.here)))).engine_id == parts_of(two.here).picture._engine_id
    with pytest.raises(UnknownTarget, match=f"several engines are named '{host}'; there are .*{two.there_name}"):
        await two.here.look(MachineLook(engine=host))
    with pytest.raises(UnknownTarget, match="no engine is named 'desk9'"):
        await two.pull(Verb.TAKE, "1", "", target_kind="incident", engine="desk9")


async def test_what_the_other_engine_refuses_is_refused_here_in_its_words(two: Two) -> None:
    with pytest.raises(UnknownTarget, match=rf"{two.there_name}: .*9999"):
        await two.here.look(IncidentLook(9999, engine=two.there_name))
    number = await report(two.there, "x")
    with pytest.raises(LeverRefused, match="needs a reason"):
        await two.pull(Verb.RESOLVE, str(number), "", target_kind="incident", engine=two.there_name)


@pytest.mark.parametrize("two", ["read-only"], indirect=True)
async def test_a_read_only_engine_answers_and_changes_nothing(two: Two) -> None:
    assert (await two.here.look(MachineLook(engine=two.there_name))).pid
    with pytest.raises(LeverRefused, match="started read-only"):
        await two.pull(Verb.REPORT, "", text="x", engine=two.there_name)


async def test_what_comes_after_its_time_is_not_done(two: Two) -> None:
    """As for an engine that stood still: what it reads then was called off."""
    relay, asked = parts_of(two.there).relay, []
    assert relay is not None
    pull = relay._pull

    async def noted(lever: Lever) -> Any:
        asked.append(lever)
        return await pull(lever)

    relay._pull = noted
    server_now = parts_of(two.here).fleet.server_now()  # type: ignore[union-attr]
    for until_, text in ((server_now - 0.5, "late"), (server_now + 3.0, "in time")):
        lever = Lever(Verb.REPORT, "", "", text=text, actor="jm")
        assert await two.talk.say(two.there_name, msgspec.msgpack.encode(Question("1", "stranger", until_, None, lever)))
    await until(lambda: bool(asked))
    assert [lever.text for lever in asked] == ["in time"]
    assert asked[0].not_after == pytest.approx(time.time() + 3.0, abs=1.0)
    with pytest.raises(LeverRefused, match="nothing was done"):
        await two.pull(Verb.REPORT, "", text="x", engine=two.there_name, not_after=time.time() - 1.0)


async def test_what_is_said_by_whoever_is_no_engine_harms_nobody(two: Two) -> None:
    for words in (b"", b"\xc1", msgspec.msgpack.encode({"type": "Question"}), b"\x00" * 100_000):
        await two.talk.say(two.there_name, words)
    assert (await two.here.look(MachineLook(engine=two.there_name))).pid


async def test_an_engine_that_is_gone_is_said_at_once_and_one_that_hangs_in_time(
    two: Two, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def hangs(*_: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("gexdesk.engine.relay.ANSWER_S", 0.3)
    monkeypatch.setattr(parts_of(two.there).relay, "_done", hangs)
    with pytest.raises(EngineAway, match=f"{two.there_name} did not answer within 0.3 s; it was told not to do it later"):
        await two.pull(Verb.REPORT, "", text="x", engine=two.there_name)
    name = two.there_name
    parts_of(two.here).fleet._others["gone-1"] = parts_of(two.here).fleet._others[name]  # type: ignore[union-attr]
    with pytest.raises(EngineAway, match="gone-1 does not listen"):
        await two.here.look(MachineLook(engine="gone-1"))


async def test_a_desk_without_a_fleet_has_no_other_engine(tmp_path: Path) -> None:
    settings = {"state": tmp_path / "state", "sources": [folder_source("s", tmp_path)]}
    engine = assemble(Settings.model_validate(settings), SystemClock())
    await engine.start()
    with pytest.raises(UnknownTarget, match="no other engine"):
        await engine.look(MachineLook(engine="desk2"))
    await engine.close()


async def test_what_every_engine_finds_is_one_incident_and_one_page(two: Two, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.engine.incidents.incidents.GATHER_S", 2.5)
    await two.there.pull(Lever(Verb.PAUSE_ALL, "", "incident 41", actor="kl"))

    async def stopped() -> bool:
        views = [await engine.view() for engine in (two.here, two.there)]
        return all(any(i.kind == "kill_switch" for i in view.incidents) for view in views)

    await until(stopped)
    await until(lambda: two.paged() == ["everything"], limit_s=10)
    await asyncio.sleep(2.0)  # a second one would have come by now
    assert two.paged() == ["everything"]
    for engine in (two.here, two.there):
        assert [i.engine for i in (await engine.view()).incidents if i.kind == "kill_switch"] == [""]
