"""Let feeds do what they do: leave messages out, repeat and reorder them, fall silent, only beat, freeze, contradict each other.

Each must be flagged within 2 s of the moment from which it can be known, and the flag gone when it is over. What is pushed comes
over a real WebSocket into a real engine; what takes intervals to be known is sent to an engine on a virtual clock.
"""

import asyncio
import json
import tempfile
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import NamedTuple

from websockets.asyncio.server import ServerConnection
from websockets.exceptions import ConnectionClosed

from gexdesk.engine.engine import Engine
from gexdesk.engine.incidents.kind import Kind
from gexdesk.model.view.desk import DeskView
from gexdesk.sources.base import Unchanged
from tests.engine.clocked_desk import ClockedDesk, clocked, fed
from tests.engine.desk_setting import engine_on, parts_of, settings_of, source_of
from tests.moments.market import NDX, SPX, SPY, Ticker
from tests.sources.test_websocket import PushServer
from tests.until import until

FLAGGED_S = 2.0
BEATS_S = 0.5
STALE_BEATS = 2.0
BACK_S = 5.0
EVERY_S = 5.0
KNOWN_S = {
    "silent": 3 * EVERY_S,
    "nothing new": 3 * EVERY_S,
    "frozen": 3 * EVERY_S,
    "disagreeing": EVERY_S,
}
"""From the last good message (of two that contradict each other: from the first such) to the moment at which it can be known."""

OVER_S = {kind: Kind(kind).close_after_s + 2.0 for kind in ("feed_silent", "symbol_silent", "symbol_frozen", "disagree")}
"""From the first good message to the end of the incident."""

LASTS_S = 25.0
IWM = Ticker("IWM", 228.0, 1.0)


class Outcome(NamedTuple):
    """Hold the longest times, in seconds, by kind.

    Attributes:
        flagged_s: From the moment from which it can be known to the flag; of a socket that only beats from its last data.
        over_s: From the first good message to the end of the incident, or until the feed is live again.
        unflagged, lasting: Kinds of which a flag never came, or never went.
        false: Flags on feeds that were well meanwhile.
        taken: Documents that the pushed feed sent and that were no repeats; ``lost`` of them were not stored.
    """

    rounds: int
    flagged_s: dict[str, float]
    over_s: dict[str, float]
    unflagged: tuple[str, ...]
    lasting: tuple[str, ...]
    false: tuple[str, ...]
    taken: int
    lost: int

    @property
    def sound(self) -> bool:
        """Say whether each was flagged in time, and rightly, and no longer than it was so."""
        stale_s = self.flagged_s.get("only beats", 99.0)
        soon = stale_s <= STALE_BEATS * BEATS_S + FLAGGED_S and all(
            seconds <= FLAGGED_S for kind, seconds in self.flagged_s.items() if kind != "only beats"
        )  # fmt: skip
        return soon and not (self.unflagged or self.lasting or self.false or self.lost) and len(self.flagged_s) == 8


def run(full: bool) -> Outcome:
    """Do it once, or twenty times what is pushed and five times what is polled."""
    with tempfile.TemporaryDirectory() as folder:
        polled = asyncio.run(_Polled().through(Path(folder) / "polled", 5 if full else 1))
        pushed = _Pushed()
        asyncio.run(pushed.through(Path(folder) / "pushed", 20 if full else 1))
    return Outcome(
        20 if full else 1, polled.flagged | pushed.flagged, polled.over | pushed.over,
        tuple(sorted(set(polled.unflagged + pushed.unflagged))), tuple(sorted(set(polled.lasting + pushed.lasting))),
        tuple(sorted(set(polled.false))), pushed.taken, pushed.lost,
    )  # fmt: skip


class _Found:
    """Collect the longest times by kind."""

    def __init__(self) -> None:
        self.flagged: dict[str, float] = {}
        self.over: dict[str, float] = {}
        self.unflagged: list[str] = []
        self.lasting: list[str] = []
        self.false: list[str] = []

    def note(self, times: dict[str, float], kind: str, seconds: float) -> None:
        times[kind] = round(max(times.get(kind, 0.0), seconds), 2)


class _Polled(_Found):
    """Send to an engine on a virtual clock; one goes wrong at a time, the others are well."""

    WRONG = ("silent", "nothing new", "frozen", "disagreeing")
    INCIDENTS = ("feed_silent", "symbol_silent", "symbol_frozen", "disagree")

    async def through(self, state: Path, rounds: int) -> "_Polled":
        sources = [
            fed("silent", "SPY", EVERY_S), fed("nothing-new", "IWM", EVERY_S), fed("frozen", "NDX", EVERY_S),
            fed("first", "SPX", EVERY_S), fed("second", "SPX", EVERY_S),
        ]  # fmt: skip
        symbols = [{"name": name, "session": "always"} for name in ("SPY", "IWM", "NDX", "SPX")]
        async with clocked(state, sources=sources, symbols=symbols) as desk:
            await self._goes_by(desk, 30.0)
            for _ in range(rounds):
                for kind, incident in zip(self.WRONG, self.INCIDENTS, strict=True):
                    await self._goes_wrong(desk, kind, incident)
        return self

    async def _goes_wrong(self, desk: ClockedDesk, kind: str, incident: str) -> None:
        last_good = desk.clock.now() - EVERY_S if kind != "disagreeing" else desk.clock.now()
        seen = await self._goes_by(desk, LASTS_S, kind, incident)
        if seen is None:
            self.unflagged.append(kind)
        else:
            self.note(self.flagged, kind, seen - last_good - KNOWN_S[kind])
        good_at = desk.clock.now()
        gone = await self._goes_by(desk, OVER_S[incident] + 3 * EVERY_S, "", incident, until_gone=True)
        if gone is None or gone - good_at > OVER_S[incident] + EVERY_S:
            self.lasting.append(kind)
        else:
            self.note(self.over, kind, gone - good_at)
        await self._goes_by(desk, 2 * EVERY_S)

    async def _goes_by(
        self, desk: ClockedDesk, seconds: float, wrong: str = "", incident: str = "", *, until_gone: bool = False
    ) -> float | None:
        """Let all feeds send for a while; return when an incident was first there, or first gone."""
        ends_at, found = desk.clock.now() + seconds, None
        while desk.clock.now() < ends_at - 0.5:
            await self._send(desk, wrong)
            for _ in range(int(EVERY_S)):
                await desk.clock.advance(1.0)
                now = desk.clock.now()
                open_kinds = {one.kind for one in parts_of(desk.engine).picture.take("").incidents if one.state == "open"}
                self.false += [f"{kind} while {wrong or 'all were well'}" for kind in open_kinds - {incident}]
                if incident and found is None and (incident in open_kinds) is not until_gone:
                    found = now
        return found

    async def _send(self, desk: ClockedDesk, wrong: str) -> None:
        at = desk.clock.now()
        documents = [("first", SPX.gexbot(at))]
        spot = round(SPX.spot_at(at) * (1.006 if wrong == "disagreeing" else 1.0), 2)
        documents.append(("second", SPX.gexbot(at, spot=spot)))
        documents.append(("frozen", NDX.gexbot(at, numbers_of=self._frozen_at(at, wrong))))
        if wrong != "silent":
            documents.append(("silent", SPY.gexbot(at)))
        if wrong != "nothing new":
            documents.append(("nothing-new", IWM.gexbot(at)))
        else:
            desk.feeds["nothing-new"].tell(Unchanged(0.01))
        await desk.send(*documents)

    def _frozen_at(self, at: float, wrong: str) -> float:
        """Return of when the numbers are: while they are frozen of the last good message."""
        if wrong != "frozen":
            self._good_at = at
        return self._good_at


class _Pushed(_Found):
    """Push over a real socket to a real engine; the sender counts its messages."""

    def __init__(self) -> None:
        super().__init__()
        self._mode = ""
        self._count = 0
        self._last = b""
        self._did_at = 0.0
        self._data_at = 0.0
        self.taken = 0
        self.lost = 0

    async def through(self, state: Path, rounds: int) -> None:
        async with PushServer(self._push) as server:
            source = {
                "name": "pushed", "kind": "websocket", "url": f"{server.url}/feed", "data": "strikes", "sequence": "seq",
                "every_s": BEATS_S, "always": True, "level": "auto",
            }  # fmt: skip
            async with engine_on(settings_of(state, source)) as engine:
                await until(lambda: self._is(engine, lambda view: source_of(view, "pushed").completed > 2))
                for _ in range(rounds):
                    await self._once(engine, "gap", lambda view: source_of(view, "pushed").missed)
                    await self._once(engine, "duplicate", lambda view: source_of(view, "pushed").repeats)
                    await self._once(engine, "reorder", lambda view: source_of(view, "pushed").reorders)
                    await self._only_beats(engine)
                self._mode = "quiet"
                await until(lambda: engine.closing().open == 0)
                closing = engine.closing()
                self.lost = self.taken - closing.completed

    async def _push(self, connection: ServerConnection) -> None:
        with suppress(ConnectionClosed):
            while True:
                for message in self._messages():
                    await connection.send(message)
                await asyncio.sleep(0.2 * BEATS_S if self._mode == "only beats" else BEATS_S)

    def _messages(self) -> list[bytes | str]:
        """Return what is sent next; ``_did_at`` is when something wrong was."""
        mode = self._mode
        if mode in ("only beats", "quiet"):
            return ['{"type": "heartbeat"}'] if mode == "only beats" else []
        self._data_at, self._mode = time.monotonic(), ""
        if mode == "duplicate":
            self._did_at = self._data_at
            return [self._last]
        self._count += 4 if mode == "gap" else 1
        self._last = self._document(self._count, time.time())
        self.taken += 1
        self._did_at = self._data_at if mode else self._did_at
        if mode != "reorder":
            return [self._last]
        late = self._document(self._count, time.time() - BEATS_S / 2)
        self._count += 1
        self._last = self._document(self._count, time.time())
        self.taken += 1
        return [self._last, late]

    def _document(self, count: int, at: float) -> bytes:
        return json.dumps(json.loads(SPX.gexbot(at)) | {"seq": count}).encode()

    async def _once(self, engine: Engine, kind: str, counted: Callable[[DeskView], int]) -> None:
        before, done = counted(await engine.view()), self._did_at
        self._mode = kind
        try:
            await until(lambda: self._is(engine, lambda view: counted(view) > before), limit_s=10.0)
        except AssertionError:
            self.unflagged.append(kind)
            return
        self.note(self.flagged, kind, time.monotonic() - self._did_at if self._did_at > done else 99.0)
        readers = parts_of(engine).cache.get("SPX")
        if kind == "reorder" and (readers is None or readers.exposure.as_of < json.loads(self._last)["timestamp"] - 3 * BEATS_S):
            self.lasting.append("reorder: readers went back")

    async def _only_beats(self, engine: Engine) -> None:
        self._mode = "only beats"
        try:
            await until(lambda: self._is(engine, lambda view: source_of(view, "pushed").state in ("late", "failing")), limit_s=10.0)
            self.note(self.flagged, "only beats", time.monotonic() - self._data_at)
        except AssertionError:
            self.unflagged.append("only beats")
        self._mode, began = "", time.monotonic()
        try:
            await until(lambda: self._is(engine, lambda view: source_of(view, "pushed").state == "live"), limit_s=2 * BACK_S)
            self.note(self.over, "only beats", time.monotonic() - began)
        except AssertionError:
            self.lasting.append("only beats")

    async def _is(self, engine: Engine, seen: Callable[[DeskView], bool]) -> bool:
        return seen(await engine.view())
