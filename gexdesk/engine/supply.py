"""Supply: run every assigned source, stop it while it is paused, start it again when it fails."""

import asyncio
from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.model.clock import Clock
from gexdesk.model.text import printable
from gexdesk.sources.base import (
    BreakerMoved,
    Connected,
    Deliver,
    Ended,
    Failed,
    Fetched,
    Missed,
    Outcome,
    OutOfOrder,
    Patient,
    Source,
    Unchanged,
)

RESTART_S = 5.0
ENDLESS = ("http", "websocket", "redis_stream")
THREADS_A_SOURCE = 4
"""Looking up a host name or a file takes a thread until the system answers, which can outlast several tries."""


class Supply:
    """Hold one task a running source.

    Args:
        may_run: Says whether this engine is the one to run a source now; in a fleet others may be.
        missed: Told of messages that never came: the source's account, how many, where, when that was seen.
    """

    def __init__(
        self, sources: Mapping[str, Source], ledger: Ledger, deliver: Deliver, chronicle: Chronicle, clock: Clock,
        *, may_run: Callable[[str], bool] = lambda _: True,
        missed: Callable[[Account, int, str, float], None] = lambda account, count, words, at: None,
    ) -> None:  # fmt: skip
        self._missed = missed
        self._may_run = may_run
        self._sources = sources
        self._ledger = ledger
        self._deliver = deliver
        self._chronicle = chronicle
        self._clock = clock
        self._tasks: dict[str, asyncio.Task[None]] = {}

    def open_threads(self) -> None:
        """Give the loop threads enough that no source waits for one behind others whose servers or file systems hang.

        Sources share nothing else that could run out: each has a connection of its own.
        """
        threads = ThreadPoolExecutor(8 + THREADS_A_SOURCE * len(self._sources), thread_name_prefix="desk")
        asyncio.get_running_loop().set_default_executor(threads)

    def start(self, source: str) -> None:
        """Run a source, unless it runs already, here or elsewhere, or has no standing level; it is late from now on only."""
        if source not in self._sources or source in self._tasks or not self._ledger[source].assigned or not self._may_run(source):
            return
        self._ledger[source].listening_since = self._clock.now()
        self._tasks[source] = asyncio.create_task(self._run(source), name=f"source-{source}")

    async def stop(self, source: str) -> None:
        """Stop fetching from a source; what is acknowledged stays."""
        task = self._tasks.pop(source, None)
        if task is not None:
            self._ledger[source].listening_since = None
            task.cancel()
            await asyncio.gather(task, return_exceptions=True)

    async def stop_all(self) -> None:
        """Stop fetching everywhere."""
        await asyncio.gather(*(self.stop(source) for source in list(self._tasks)))

    def finished(self) -> bool:
        """Say whether every assigned source has nothing more to give, or at least answered once where it never ends."""
        assigned = [account for account in self._ledger.all() if account.assigned and account.name in self._sources]
        assigned = [account for account in assigned if self._may_run(account.name)]
        return all(account.ended or (account.kind in ENDLESS and account.answered) for account in assigned)

    async def _run(self, source: str) -> None:
        account = self._ledger[source]
        while True:
            try:
                await self._sources[source].run(self._deliver, lambda outcome: self._note(account, outcome))
            except Exception as error:
                # A fault in a source must not end the desk: it is named, counted, and the source starts again.
                self._note(account, Failed(printable(f"{type(error).__name__}: {error}")))
            if account.ended:
                return
            await self._clock.sleep(RESTART_S)

    def _note(self, account: Account, outcome: Outcome) -> None:
        now = self._clock.now()
        match outcome:
            case Fetched(elapsed_s=elapsed_s) | Unchanged(elapsed_s=elapsed_s):
                if account.failing_since is not None:
                    self._chronicle.tell("source", f"{account.name} is back after {now - account.failing_since:.0f} s")
                    self._hasten(account)
                account.succeeded(now, elapsed_s)
            case Failed(reason=reason):
                if account.last_error != reason:
                    self._chronicle.tell("source", f"{account.name}: {reason}", grave=True)
                account.failed(now, reason)
            case Connected():
                account.connected = True
            case Missed(count=count, words=words):
                account.missed_some(count, words)
                self._missed(account, count, words, now)
                self._chronicle.tell("source", f"{account.name}: {count:,} missing: {words}", grave=True)
            case OutOfOrder():
                account.reorders += 1
            case BreakerMoved(state=state, probe_at=probe_at):
                account.breaker, account.probe_at = state, probe_at
                if state == "open" and probe_at is not None:
                    words = f"is left alone for {max(0.0, probe_at - now):.0f} s, then asked once"
                    self._chronicle.tell("source", f"{account.name} {words}")
            case Ended():
                account.ended = True

    def _hasten(self, back: Account) -> None:
        """Have the others of a vendor who answers again asked at once: their own waits may be minutes by now."""
        for account in self._ledger.all():
            if account is back or account.failing_since is None or account.vendor != back.vendor or not back.vendor:
                continue
            source = self._sources.get(account.name)
            if isinstance(source, Patient):
                source.hasten()
