"""6 Outage: six sources of one vendor die at once, and come back. One incident, one page; the gaps are known, one is filled."""

import asyncio
import re
import threading
import time
from datetime import UTC, datetime

from gexdesk.api.client import Client
from gexdesk.model.errors import GexdeskError
from tests.feed_server import Answer
from tests.moments.market import Ticker, polled, table
from tests.moments.scene import Scene, all_held

SYMBOLS = ("SPX", "NDX", "RUT", "SPY", "QQQ", "VIX")
TICKERS = {symbol: Ticker(symbol, 1_000.0 + 700 * number, 10.0) for number, symbol in enumerate(SYMBOLS)}
GONE = Answer(delay_s=20.0)
"""A server that takes the request and says no more: five times until it is left alone, so that its return is seen soon."""


class Reader(threading.Thread):
    """Read every symbol's live stamp again and again, as a program of the floor does, and note those that went back."""

    def __init__(self, scene: Scene) -> None:
        super().__init__(daemon=True)
        self._client = Client(scene.state)
        self._over = threading.Event()
        self.newest: dict[str, float] = {}
        self.back: list[str] = []
        self.reads = 0

    def run(self) -> None:
        asyncio.run(self._read())

    async def _read(self) -> None:
        while not self._over.is_set():
            try:
                view = await self._client.view()
            except GexdeskError:
                continue
            self.reads += 1
            for symbol in view.symbols:
                before, at = self.newest.get(symbol.symbol, 0.0), symbol.as_of or 0.0
                if at < before:
                    self.back.append(f"{symbol.symbol} from {before} to {at}")
                self.newest[symbol.symbol] = at
            await asyncio.sleep(0.1)

    def stop(self) -> None:
        self._over.set()
        self.join(10.0)


def play(scene: Scene) -> None:
    pages, history = scene.folder / "pages", scene.folder / "history"
    history.mkdir()
    pages.touch()
    for symbol, ticker in TICKERS.items():
        scene.feeds.put(f"/{symbol}", ticker.gexbot)
    scene.configure(
        *(polled(f"cboe-{symbol.lower()}", f"{scene.feeds.url}/{symbol}", symbol, 0.5, vendor="cboe") for symbol in SYMBOLS),
        table("symbols", {"name": "SPX", "session": "always", "readers": ["pit-spx"], "history": str(history)}),
        *(table("symbols", {"name": symbol, "session": "always", "readers": [f"pit-{symbol.lower()}"]}) for symbol in SYMBOLS[1:]),
        f'[pager]\ncommand = ["sh", "-c", "cat >> {pages}; echo >> {pages}"]\n',
    )
    desk = scene.desk()
    desk.until(lambda text: all(re.search(rf"cboe-{symbol.lower()} .*live", text) for symbol in SYMBOLS), "all feeds live")
    reader = Reader(scene)
    reader.start()

    gone_from = time.time()
    for symbol in SYMBOLS:
        scene.feeds.put(f"/{symbol}", lambda: GONE)
    died_at = scene.feeds.injected_at("/SPX")
    desk.until(lambda text: "1 open" in text and re.search(r"!! 1 +cboe .*6 sources", text), "one incident of the vendor")
    scene.measure("one incident", 20.0, died_at)
    desk.until(lambda _: pages.read_text().count("\n") == 1, "a page")
    scene.measure("one page", 20.0, died_at)

    desk.press("i")
    desk.until(lambda text: "#1" in text and "DO FIRST" in text, "the incident's page")
    desk.press("a")
    desk.until(lambda text: re.search(r"#1 .*taken", text), "taken")
    desk.press("s")
    desk.until(lambda text: "SNOOZE" in text, "the dialog")
    desk.press("vendor knows\r")
    desk.until(lambda text: re.search(r"#1 .* to \d\d:\d\d", text), "snoozed")
    desk.press("\x1b")
    desk.until(lambda text: "1 snoozed" in text, "the desk with a snoozed incident")

    back_from = time.time()
    stamps = [gone_from + 0.4 * number for number in range(int((back_from - gone_from) / 0.4))]
    name = f"SPX_{datetime.fromtimestamp(gone_from, UTC):%Y-%m-%d}.jsonl"
    (history / name).write_bytes(b"\n".join(TICKERS["SPX"].gexbot(at) for at in stamps))
    for symbol, ticker in TICKERS.items():
        scene.feeds.put(f"/{symbol}", ticker.gexbot)
    desk.press(":gaps\r")
    back_at = scene.feeds.injected_at("/SPX")
    row = r"{0} +cboe-\w+ +[0-9:]+ +[0-9.]+ [ms] +\d+ "
    desk.until(lambda text: all(re.search(row.replace("{0}", symbol), text) for symbol in SYMBOLS), "the gaps")
    scene.measure("the gap ledger shows", 5.0, back_at)
    gap = next(line.strip("> ").split()[0] for line in desk.text.splitlines() if "cboe-spx" in line)
    desk.press("\x1b")
    desk.until(lambda text: "GAPS" not in text, "the desk")
    desk.press(f":backfill {gap}\r")
    desk.until(lambda text: re.search(r"BACKFILL .*nothing sent", text), "the dialog")
    desk.press("outage of the vendor")
    desk.until(lambda text: "is off" not in text, "a dialog that is ready")
    sent_at = time.monotonic()
    desk.press("\r")
    desk.until(lambda text: "── BACKFILL" not in text, "the desk without a dialog")
    desk.press(":gaps\r")
    desk.until(lambda text: "GAPS" in text, "the ledger")
    desk.press("h")
    desk.until(lambda text: re.search(r"SPX +cboe-spx .* filled", text), "the gap filled")
    scene.measure("the gap of SPX is filled", 10.0, sent_at)
    reader.stop()
    scene.count("live stamps that went back", 0, len(reader.back))
    assert reader.reads > 20
    scene.count("pages", 1, pages.read_text().count("\n"))


def test_six_dead_sources_are_one_incident_and_their_gaps_are_known(scene: Scene) -> None:
    play(scene)
    all_held(scene)
