"""No source waits for what another one holds."""

import asyncio
import threading

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.supply import THREADS_A_SOURCE, Supply
from gexdesk.model.clock import SystemClock
from gexdesk.sources.base import Deliver, Failed, Fetched, Report
from tests.until import until


class Stuck:
    """A source whose host name is never answered for: each try leaves a thread behind."""

    def __init__(self, name: str, end: threading.Event) -> None:
        self.name = name
        self._end = end

    async def run(self, deliver: Deliver, report: Report) -> None:
        await asyncio.gather(*(asyncio.to_thread(self._end.wait, 20.0) for _ in range(THREADS_A_SOURCE)))


class Quick:
    name = "quick"

    async def run(self, deliver: Deliver, report: Report) -> None:
        report(Fetched(await asyncio.to_thread(lambda: 0.0)))
        await asyncio.sleep(60)


async def test_forty_sources_whose_servers_hang_hold_up_no_other() -> None:
    end, clock = threading.Event(), SystemClock()
    names = [f"stuck-{number}" for number in range(40)]
    accounts = [
        Account(
            name=name, kind="http", symbols=(), format="", standing="auto", configured_delay_s=None, due_s=None,
            data_type="real_time",
        )
        for name in (*names, "quick")
    ]  # fmt: skip
    ledger = Ledger(accounts)

    async def deliver(arrival) -> None:
        raise AssertionError

    sources = {name: Stuck(name, end) for name in names} | {"quick": Quick()}
    supply = Supply(sources, ledger, deliver, Chronicle(clock, None), clock)
    supply.open_threads()
    try:
        for name in names:
            supply.start(name)
        await asyncio.sleep(0.2)
        supply.start("quick")
        async with asyncio.timeout(2):
            while ledger["quick"].requests == 0:
                await asyncio.sleep(0.005)
    finally:
        end.set()
        await supply.stop_all()


class Away:
    """A source that fails, and waits for an hour unless it is hastened."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.answers = False
        self._hastened = asyncio.Event()

    async def run(self, deliver: Deliver, report: Report) -> None:
        while True:
            report(Fetched(0.1) if self.answers else Failed("503"))
            self._hastened.clear()
            await self._hastened.wait()

    def hasten(self) -> None:
        self._hastened.set()


async def test_one_answer_of_a_vendor_has_its_other_sources_asked_at_once() -> None:
    clock = SystemClock()
    vendors = {"cboe-spx": "cboe", "cboe-ndx": "cboe", "gexbot": "gexbot", "alone": "", "lonely": ""}
    ledger = Ledger(
        [
            Account(
                name=name, kind="http", symbols=(), format="", standing="auto", configured_delay_s=None, due_s=None,
                data_type="real_time", vendor=vendor,
            )
            for name, vendor in vendors.items()
        ]
    )  # fmt: skip

    async def deliver(arrival) -> None:
        raise AssertionError

    sources = {name: Away(name) for name in vendors}
    supply = Supply(sources, ledger, deliver, Chronicle(clock, None), clock)
    try:
        for name in vendors:
            supply.start(name)
        await until(lambda: all(ledger[name].failing_since is not None for name in vendors))
        for source in sources.values():
            source.answers = True
        sources["cboe-spx"].hasten()
        sources["alone"].hasten()
        await until(lambda: ledger["cboe-ndx"].successes == 1)
        await asyncio.sleep(0.05)
        assert {name for name in vendors if ledger[name].successes} == {"cboe-spx", "cboe-ndx", "alone"}
    finally:
        await supply.stop_all()
