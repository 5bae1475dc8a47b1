"""Maintenance windows and the shift hold on every engine of a fleet: two real engines over one real server, each with its pager."""

import asyncio
import json
import shutil
import sys
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from pathlib import Path
from typing import Any

import msgspec
import pytest

from gexdesk.assemble.desk import assemble
from gexdesk.engine.engine import Engine
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.shared import Shared
from gexdesk.engine.shift import OnDuty
from gexdesk.fleet.board import Board
from gexdesk.fleet.told import Entry
from gexdesk.model.clock import SystemClock
from gexdesk.model.errors import LeverRefused, StoreError, UnknownTarget
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.view.incident import IncidentView, MuteView
from gexdesk.settings.desk import Settings
from gexdesk.stores.audit import Audit
from tests.engine.desk_setting import folder_source, parts_of
from tests.queues.valkey_server import ValkeyServer
from tests.until import until

DOWN = {"kind": "http", "name": "feed", "url": "http://127.0.0.1:1/spx", "every_s": 0.2, "always": True, "level": "auto",
        "symbols": ["NDX"], "rate_per_s": 50}  # fmt: skip
"""A source whose server is not there."""


@pytest.fixture(scope="module")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


class Fleet:
    """Start engines on folders of one configuration: a source ``files`` that no level was given, incident 1 of each engine."""

    def __init__(self, folder: Path, server: ValkeyServer) -> None:
        self._folder = folder
        self.server = server
        self.prefix = f"desk-{folder.name}"
        self.sources: list[dict[str, Any]] = [folder_source("files", folder / "files", level="", symbols=["SPX"])]

    @asynccontextmanager
    async def engine(self, name: str) -> AsyncIterator[Engine]:
        pages = self._folder / f"{name}.pages"
        command = [sys.executable, "-S", "-c", f"import sys; open({str(pages)!r}, 'a').write(sys.stdin.read() + chr(10))"]
        settings = {
            "state": self.state(name), "sources": self.sources, "redis": {"url": self.server.url, "prefix": self.prefix},
            "pager": {"command": command, "min_severity": 1},
        }  # fmt: skip
        engine = assemble(Settings.model_validate(settings), SystemClock())
        await engine.start()
        try:
            yield engine
        finally:
            await engine.close()

    def state(self, name: str) -> Path:
        return self._folder / name

    def paged(self) -> list[str]:
        """Return the sources that somebody was paged for by any engine."""
        lines = [line for pages in self._folder.glob("*.pages") for line in pages.read_text().splitlines()]
        return [source for line in lines if (source := json.loads(line)["incident"]["source"])]

    @asynccontextmanager
    async def board(self) -> AsyncIterator[Board]:
        """Return the board as another engine has it."""
        client = self.server.client()
        try:
            yield Board(client, prefix=self.prefix, engine="other")
        finally:
            await client.aclose()


@pytest.fixture
def fleet(valkey: ValkeyServer, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Fleet:
    monkeypatch.setattr("gexdesk.engine.incidents.incidents.GATHER_S", 0.0)
    return Fleet(tmp_path, valkey)


async def act(engine: Engine, verb: Verb, target: str = "", kind: str = "", who: str = "jm", **fields: Any) -> None:
    await engine.pull(Lever(verb, target, "the vendor's works", actor=who, target_kind=kind or "source", **fields))


async def mute(engine: Engine, target: str, for_s: float = 3600.0, *, kind: str = "source", who: str = "jm") -> None:
    await act(engine, Verb.MUTE, target, kind, who, for_s=for_s)


def windows(engine: Engine) -> dict[str, str]:
    """Return who set each window, by what it is of."""
    found = parts_of(engine).incidents._mutes.in_force(time.time())
    return {f"{one.target_kind} {one.target}": one.author for one in found}


async def incident_of(engine: Engine, source: str) -> IncidentView:
    """Return the engine's own incident of a source once there is one."""
    incidents = parts_of(engine).incidents

    def found() -> list[IncidentView]:
        return [incidents.view_of(incident) for incident in incidents.all() if incident.sources == (source,)]

    await until(lambda: bool(found()))
    return found()[0]


def told(engine: Engine) -> list[str]:
    return [line.text for line in parts_of(engine).chronicle.lines()]


def shared(engine: Engine) -> Shared:
    fleet = parts_of(engine).fleet
    assert fleet is not None
    return fleet.shared


async def deafen(engine: Engine) -> None:
    """Let an engine neither beat nor look any more, so that it acts on what it knew."""
    fleet = parts_of(engine).fleet
    assert fleet is not None
    for task in fleet.loops:
        task.cancel()
    await asyncio.gather(*fleet.loops, return_exceptions=True)


async def test_a_window_holds_on_whoever_runs_its_source_and_ends_wherever_it_is_ended(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.engine.watch.feeds.FAILING_S", 3600.0)
    fleet.sources.append(DOWN)
    async with AsyncExitStack() as first:
        a = await first.enter_async_context(fleet.engine("a"))
        async with fleet.engine("b") as b:
            await mute(b, "feed")
            await until(lambda: windows(a) == {"source feed": "jm"})
            await until(lambda: any(line.endswith(" set mute of source feed") for line in told(a)))
            monkeypatch.setattr("gexdesk.engine.watch.feeds.FAILING_S", 0.0)
            assert (await incident_of(a, "feed")).muted
            await first.aclose()
            assert (await incident_of(b, "feed")).muted, "it has taken the source over"
            assert all(incident.paged_severity == 0 for incident in parts_of(b).incidents.all() if "feed" in incident.sources)
            async with fleet.engine("a") as again:
                assert "feed" not in fleet.paged()
                await mute(again, "feed", 0.0, who="kl")
                await until(lambda: "feed" in fleet.paged())
                assert not (await incident_of(b, "feed")).muted


async def test_a_window_on_one_source_silences_no_other_of_its_vendor_that_another_engine_runs(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("gexdesk.engine.watch.feeds.FAILING_S", 3600.0)
    monkeypatch.setattr("gexdesk.engine.ownership.SETTLED_S", 0.0)
    monkeypatch.setattr("gexdesk.engine.incidents.incidents.GATHER_S", 2.0)  # so that each hears of the other's in time
    fleet.sources = [DOWN, DOWN | {"name": "next", "symbols": ["RUT"]}]
    async with fleet.engine("a") as a, fleet.engine("b") as b:
        first = a if shared(a)._board.engine < shared(b)._board.engine else b
        await until(lambda: all(len(parts_of(engine).supply._tasks) == 1 for engine in (a, b)))
        [works] = parts_of(first).supply._tasks
        await mute(a, works)
        await until(lambda: list(windows(a)) == list(windows(b)) == [f"source {works}"])
        monkeypatch.setattr("gexdesk.engine.watch.feeds.FAILING_S", 0.0)
        assert (await incident_of(first, works)).muted
        await until(lambda: bool(fleet.paged()))
        assert set(fleet.paged()) == {"feed", "next"} - {works}


async def test_an_engine_that_joins_or_restarts_has_the_windows_that_are_on(fleet: Fleet) -> None:
    async with fleet.engine("a") as a:
        await mute(a, "files")
        async with fleet.engine("b") as b:  # it joins later
            assert (await incident_of(b, "files")).muted
            await mute(b, "SPX", kind="symbol", who="kl")
            await until(lambda: len(windows(a)) == 2)
        await mute(a, "files", 0.0)
        await mute(a, "files", kind="vendor")
        async with fleet.engine("b") as b:  # its file has what was ended, and lacks what was set
            assert windows(b) == windows(a) == {"symbol SPX": "kl", "vendor files": "jm"}
            await mute(b, "SPX", 0.0, kind="symbol")
            await until(lambda: windows(a) == {"vendor files": "jm"})
    async with fleet.engine("a") as a:
        assert windows(a) == {"vendor files": "jm"}
        fleet.sources = [folder_source("other", fleet.state("files"), level="auto")]
        async with fleet.engine("b") as b:  # its configuration no longer has what is muted
            with pytest.raises(UnknownTarget, match="no source is named 'files'"):
                await mute(b, "files")
            await mute(b, "files", 0.0, kind="vendor")
            await until(lambda: windows(a) == {})
    lines = [(line.actor, line.act, line.target) for line in Audit(fleet.state("b") / "audit.jsonl").read(100)]
    pulled = [("kl", "mute", "symbol SPX"), ("jm", "mute", "symbol SPX"), ("jm", "mute", "vendor files")]
    assert lines == pulled, "what was pulled elsewhere is in its audit there"


async def test_of_two_who_act_at_once_the_second_is_refused_and_nothing_changes_there(fleet: Fleet) -> None:
    async with fleet.engine("a") as a, fleet.engine("b") as b:
        await deafen(b)
        await mute(a, "files", who="kl")
        await act(a, Verb.HAND_OVER, who="kl")
        with pytest.raises(LeverRefused, match=r"source files was changed by kl on .* nothing was done, look again"):
            await mute(b, "files", 60.0)
        with pytest.raises(LeverRefused, match="shift was changed by kl on "):
            await act(b, Verb.HAND_OVER)
        assert (windows(b), parts_of(b).shift.on_duty.operator) == ({}, "")
        assert not (await incident_of(b, "files")).seen
        assert not {path.name for path in fleet.state("b").iterdir()} & {"mutes.json", "shift.json"}
        await shared(b).look()
        assert (windows(b), parts_of(b).shift.on_duty.operator) == ({"source files": "kl"}, "kl")
        await mute(b, "files", 60.0)
        await until(lambda: windows(a) == {"source files": "jm"})


async def test_what_cannot_be_written_down_here_stands_nowhere(fleet: Fleet) -> None:
    async with fleet.engine("a") as a, fleet.engine("b") as b:
        await act(b, Verb.HAND_OVER, who="kl")
        await until(lambda: parts_of(a).shift.on_duty.operator == "kl")
        for name in ("mutes.json", "shift.json"):
            (fleet.state("a") / name).unlink(missing_ok=True)
            (fleet.state("a") / name).mkdir()
        with pytest.raises(StoreError, match="nothing was changed"):
            await mute(a, "files")
        with pytest.raises(StoreError, match="nothing was changed"):
            await act(a, Verb.HAND_OVER)
        await shared(b).look()
        assert (windows(b), parts_of(b).shift.on_duty.operator) == ({}, "kl")
        assert (windows(a), parts_of(a).shift.on_duty.operator) == ({}, "kl")


async def test_a_lever_that_cannot_be_written_down_here_acts_on_no_other_engine(fleet: Fleet) -> None:
    fleet.sources = [folder_source(name, fleet.state(name), symbols=["SPX"]) for name in ("files", "more")]
    async with fleet.engine("a") as a, fleet.engine("b") as b:
        await act(b, Verb.PAUSE, "more")
        await until(lambda: parts_of(a).standing.pause_of("more") is not None)
        for path in (fleet.state("a") / "standing.json", fleet.state("a") / "serving.json"):
            path.unlink(missing_ok=True)
            path.mkdir()
        levers: list[tuple[Verb, str, dict[str, Any]]] = [
            (Verb.PAUSE, "files", {}), (Verb.RESUME, "more", {}), (Verb.PAUSE_ALL, "", {}), (Verb.PROMOTE, "files", {}),
            (Verb.FAILOVER, "SPX", {"kind": "symbol", "to": "more"}),
        ]  # fmt: skip
        for verb, target, fields in levers:
            with pytest.raises(StoreError, match="nothing was changed"):
                await act(a, verb, target, **fields)
        for engine in (a, b):
            await shared(engine).look()
            standing = parts_of(engine).standing
            assert (set(standing.pauses()), standing.stopped, standing.in_force(time.time())) == ({"more"}, None, {})
            serving = parts_of(engine).provision.serving
            assert (serving.serving("SPX"), serving.failed_over("SPX")) == ("files", None)


async def test_the_shift_taken_on_one_engine_is_taken_on_all(fleet: Fleet) -> None:
    async with fleet.engine("a") as a:
        await incident_of(a, "files")
        await act(a, Verb.HAND_OVER, who="kl")
        async with fleet.engine("b") as b:  # it joins later
            assert (await b.look(HandOverLook())).shift_by == "kl"
            assert not (await incident_of(b, "files")).seen, "it came after the shift was taken"
            await act(b, Verb.TAKE, "1", "incident", "kl")
            await act(a, Verb.HAND_OVER)
            await until(lambda: parts_of(b).shift.on_duty.operator == "jm")
            await until(lambda: one(b) == ("jm", True))
            last = (await b.look(IncidentLook(1))).timeline[-1]
            assert (last.who, last.what, last.text) == ("jm", "hand_over", "from kl")
            with pytest.raises(LeverRefused, match="the shift is yours already"):
                await act(b, Verb.HAND_OVER)
        await act(a, Verb.HAND_OVER, who="mm")
        async with fleet.engine("b") as b:  # it was away
            assert one(b) == ("mm", True)
            await act(b, Verb.HAND_OVER, who="kl")
            await until(lambda: parts_of(a).shift.on_duty.operator == "kl")
            assert parts_of(a).shift.on_duty == parts_of(b).shift.on_duty
        async with fleet.engine("b") as b:
            assert parts_of(b).shift.on_duty.operator == "kl"


def one(engine: Engine) -> tuple[str, bool]:
    """Return who owns incident 1, and whether it was seen."""
    incident = parts_of(engine).incidents.get(1)
    assert incident is not None
    return incident.owner, incident.seen


async def test_a_shift_counts_as_seen_what_there_was_when_it_was_taken(fleet: Fleet) -> None:
    async with fleet.engine("a") as a, fleet.board() as board:
        opened_at = (await incident_of(a, "files")).opened_at
        for operator, since, seen in (("kl", opened_at - 1.0, False), ("jm", opened_at + 1.0, True)):
            raw = msgspec.Raw(msgspec.msgpack.encode(OnDuty(operator, since)))
            before = (await board.read()).entries.get("shift ")
            await board.put("shift ", Entry(raw, operator, "other", time.time()), before.version if before is not None else 0)
            await until(lambda who=operator: parts_of(a).shift.on_duty.operator == who)  # type: ignore[misc]
            await shared(a).look()  # the incidents follow in the same turn
            assert one(a) == ("", seen)


@pytest.mark.parametrize("restarted", [False, True])
async def test_what_was_set_while_redis_was_away_is_brought_when_it_is_back(fleet: Fleet, restarted: bool) -> None:
    fleet.server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    try:
        async with AsyncExitStack() as running, fleet.engine("b") as b:
            a = await running.enter_async_context(fleet.engine("a"))
            for kind, target in (("source", "files"), ("vendor", "files"), ("symbol", "SPX")):
                await mute(a, target, kind=kind)
            await act(a, Verb.HAND_OVER, who="kl")
            await until(lambda: len(windows(b)) == 3 and parts_of(b).shift.on_duty.operator == "kl")
            fleet.server.kill()
            await mute(a, "files", 0.0)
            await mute(a, "SPX", kind="symbol", who="mm")
            await mute(a, "NDX", kind="symbol")
            await mute(a, "files", 1.0, kind="vendor")
            await act(a, Verb.HAND_OVER)
            assert windows(b) == {"source files": "jm", "vendor files": "jm", "symbol SPX": "jm"}
            if restarted:
                await running.aclose()
                a = await running.enter_async_context(fleet.engine("a"))
            there = {"symbol SPX": "mm", "symbol NDX": "jm"}
            await until(lambda: windows(a) == there)
            fleet.server.start()
            await until(lambda: windows(b) == there)
            await until(lambda: parts_of(b).shift.on_duty.operator == "jm")
            assert any(line.endswith(" ended mute of vendor files") for line in told(b)), "its time came before it was brought"
            async with fleet.board() as board:
                assert msgspec.msgpack.decode((await board.read()).entries["mute vendor files"].value) is None
            assert (windows(a), parts_of(a).shift.on_duty.operator) == (there, "jm")
            held = fleet.state("a") / "unshared.msgpack"
            await until(lambda: msgspec.msgpack.decode(held.read_bytes()) == {})
    finally:
        fleet.server.close()


async def test_what_can_neither_be_shared_nor_held_is_not_done_and_what_was_not_done_is_not_shared(
    fleet: Fleet, monkeypatch: pytest.MonkeyPatch
) -> None:
    fleet.server = ValkeyServer()
    try:
        fleet.state("a").mkdir()
        (fleet.state("a") / "unshared.msgpack").write_bytes(b"\xc1")
        async with fleet.engine("a") as a:
            assert [line for line in told(a) if "unshared.msgpack holds what was set here while Redis was away" in line]
            (fleet.state("a") / "unshared.msgpack").unlink()
            (fleet.state("a") / "unshared.msgpack").mkdir()
            fleet.server.kill()
            with pytest.raises(StoreError, match=r"unshared.msgpack could not be written .* nothing was changed"):
                await mute(a, "files")
            assert windows(a) == {}
            (fleet.state("a") / "unshared.msgpack").rmdir()

            def killed(*_: object) -> None:
                raise RuntimeError("killed between holding and doing it")

            monkeypatch.setattr(Mutes, "take", killed)
            with pytest.raises(RuntimeError, match="killed"):
                await mute(a, "files")
            monkeypatch.undo()
            assert (fleet.state("a") / "unshared.msgpack").is_file()
        async with fleet.engine("a") as a, fleet.board() as board:
            fleet.server.start()
            await until(lambda: shared(a).agreed)
            assert not [name for name in (await board.read()).entries if name.startswith("mute")]
    finally:
        fleet.server.close()


async def test_what_is_over_leaves_the_board_and_can_be_set_again(fleet: Fleet, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("gexdesk.engine.shared.KEEP_ENDED_S", -1.0)
    async with fleet.engine("a") as a, fleet.engine("b") as b, fleet.board() as board:
        await mute(a, "files", 1.0)
        await mute(a, "SPX", kind="symbol")
        await until(lambda: len(windows(b)) == 2)
        await mute(b, "SPX", 0.0, kind="symbol")
        await until(lambda: windows(a) == windows(b) == {})
        for engine in (a, b):
            await shared(engine).look()
        assert {name for name in (await board.read()).entries if name.startswith("mute")} == set()
        for engine in (a, b):
            await shared(engine).look()
        await mute(a, "SPX", kind="symbol", who="kl")
        await until(lambda: windows(b) == {"symbol SPX": "kl"})
        await mute(b, "files", who="kl")
        await until(lambda: len(windows(a)) == 2)


async def test_a_window_whose_time_came_is_put_on_no_board(fleet: Fleet) -> None:
    now = time.time()
    over = MuteView("source", "files", "jm", "a test", now - 60.0, now - 1.0)
    fleet.state("a").mkdir()
    (fleet.state("a") / "mutes.json").write_bytes(msgspec.json.encode({"mutes": [over]}))
    async with fleet.engine("a") as a, fleet.board() as board:
        assert not [name for name in (await board.read()).entries if name.startswith("mute")]
        raw = msgspec.Raw(msgspec.msgpack.encode(over))
        await board.put("mute source files", Entry(raw, "kl", "other", now - 60.0), 0)
        await mute(a, "SPX", kind="symbol")
        await shared(a).look()
        assert windows(a) == {"symbol SPX": "jm"}
        assert not [line for line in told(a) if "mute of source files" in line]


async def test_what_was_set_while_redis_answered_nobody_is_brought_as_soon_as_it_answers(fleet: Fleet) -> None:
    async with fleet.engine("a") as a, fleet.engine("b") as b:
        await until(lambda: shared(a).agreed and shared(b).agreed)
        fleet.server.blunt().client_pause(2600)  # every connection stays, and what is given up meanwhile is not done afterwards
        await mute(a, "files")
        assert windows(b) == {}
        await until(lambda: windows(b) == {"source files": "jm"}, limit_s=8.0)


def set_by_both(a: Engine, b: Engine) -> tuple[set[str], set[str], dict[str, str]]:
    """Return what is paused and overridden, and the windows, once it is the same on both."""
    def of(engine: Engine) -> tuple[set[str], set[str], dict[str, str]]:
        standing = parts_of(engine).standing
        return set(standing.pauses()), set(standing.in_force(time.time())), windows(engine)

    assert of(a) == of(b)
    return of(a)


async def agreed(a: Engine, b: Engine, board: Board) -> None:
    """Wait until both know the board as it is now."""
    async def found() -> bool:
        there = await board.read()
        return all((shared(one).birth, shared(one).version) == (there.birth, there.version) for one in (a, b))

    await until(found)


@asynccontextmanager
async def going_back(server: ValkeyServer) -> AsyncIterator[None]:
    """Let the server come back at the end as its append-only file was at the beginning."""
    kept = server.folder / "appendonlydir"
    shutil.copytree(kept, server.folder / "older")
    yield
    server.kill()
    shutil.rmtree(kept)
    (server.folder / "older").rename(kept)
    server.start()


async def test_what_redis_lost_by_coming_back_older_stands_and_is_put_there_again(fleet: Fleet) -> None:
    fleet.server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    fleet.sources.append(folder_source("more", fleet.state("more"), symbols=["NDX"]))
    try:
        async with fleet.engine("a") as a, fleet.engine("b") as b, fleet.board() as board:
            await act(a, Verb.PAUSE, "files")
            await act(a, Verb.RESUME, "files")
            await act(a, Verb.PROMOTE, "files")
            await mute(a, "SPX", kind="symbol")
            await agreed(a, b, board)
            async with going_back(fleet.server):
                await act(a, Verb.PAUSE, "files")
                await agreed(a, b, board)
                await act(b, Verb.CLEAR, "files", who="kl")
                await act(b, Verb.PAUSE, "more", who="kl")
                await mute(b, "SPX", 0.0, kind="symbol")
                await agreed(a, b, board)
                before, lines = (await board.read()).entries, [len(told(a)), len(told(b))]
            await until(lambda: any("Redis had lost what was set" in line for line in told(a) + told(b)))
            await agreed(a, b, board)
            assert set_by_both(a, b) == ({"files", "more"}, set(), {})
            after = (await board.read()).entries
            assert {name: (entry.value, entry.actor, entry.at) for name, entry in after.items()} == {
                name: (entry.value, entry.actor, entry.at) for name, entry in before.items()
            }
            since = [line for one, length in zip((a, b), lines, strict=True) for line in told(one)[length:]]
            assert not [line for line in since if " ended " in line or " set pause" in line], "nobody did anything"
            put_back = " ".join(line for line in since if "Redis had lost" in line)  # of either: they share it
            assert all(name in put_back for name in ("pause of files", "pause of more", "override of files", "mute of symbol SPX"))
            await act(b, Verb.RESUME, "files")
            await agreed(a, b, board)
            assert set_by_both(a, b) == ({"more"}, set(), {})
    finally:
        fleet.server.close()


@pytest.mark.parametrize("wiped", [True, False])
async def test_an_engine_that_stood_still_while_redis_lost_something_follows_those_that_went_on(fleet: Fleet, wiped: bool) -> None:
    fleet.server = ValkeyServer("--appendonly", "yes", "--appendfsync", "always")
    try:
        async with fleet.engine("a") as a, fleet.engine("b") as b, fleet.board() as board:
            await act(b, Verb.PROMOTE, "files")
            await agreed(a, b, board)
            async with AsyncExitStack() as older:
                await older.enter_async_context(going_back(fleet.server))
                for verb in (Verb.PAUSE, Verb.RESUME, Verb.PAUSE):
                    await act(a, verb, "files")
                await mute(a, "SPX", kind="symbol")
                await agreed(a, b, board)
                await deafen(b)
                await mute(a, "SPX", 0.0, kind="symbol")
                if wiped:
                    older.pop_all()
                    fleet.server.blunt().flushall()
            birth = shared(b).birth
            await until(lambda: shared(a).birth != birth)
            await act(a, Verb.RESUME, "files")
            await act(a, Verb.CLEAR, "files")
            while (await board.read()).version < shared(b).version:  # to the very count it knows
                await mute(a, "NDX", kind="symbol")
                await mute(a, "NDX", 0.0, kind="symbol")
            silent = parts_of(b).fleet
            assert silent is not None
            silent.run()
            await agreed(a, b, board)
            assert set_by_both(a, b) == (set(), set(), {})
            await mute(b, "SPX", kind="symbol")
            await until(lambda: windows(a) == {"symbol SPX": "jm"})
    finally:
        fleet.server.close()
