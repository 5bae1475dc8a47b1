"""A whole engine that kills itself at one step of its work: see ``engine_steps``.

It reads cases, a line of JSON each, and forks for every one of them. The engine is the real one; the calls between its parts are
counted on their way, and the one that was asked for is the last thing the process does.
"""

import asyncio
import json
import os
import signal
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

from gexdesk.assemble.desk import assemble
from gexdesk.engine.publish import Publish
from gexdesk.model.clock import SystemClock
from gexdesk.model.job import Claim
from gexdesk.queues.embedded import EmbeddedQueue
from gexdesk.settings.load import load_settings
from gexdesk.stores.lake import Lake
from gexdesk.stores.metadata import Metadata
from gexdesk.stores.spool import Spool

POINTS: dict[str, tuple[type, str]] = {
    "receive": (Spool, "keep_together"),
    "enqueue": (EmbeddedQueue, "put"),
    "claim": (EmbeddedQueue, "claim"),
    "publish": (Publish, "publish"),
    "lake": (Lake, "write"),
    "commit": (Metadata, "write"),
    "ack": (EmbeddedQueue, "ack"),
}


AT_ONCE = frozenset({"receive", "lake"})
"""Points that many payloads pass in one call: a second one may not come."""


class Case(NamedTuple):
    """Say when to die: before or after the nth call at a point; without one, live on until all is done."""

    config: str
    state: str
    said: str
    point: str
    after: bool
    number: int


class _Fuse:
    def __init__(self, case: Case) -> None:
        self._case = case
        self._count = 0
        self._lock = threading.Lock()

    def burn(self, after: bool) -> None:
        if after is not self._case.after:
            return
        with self._lock:
            self._count += 1
            if self._count == self._case.number:
                os.kill(os.getpid(), signal.SIGKILL)

    def around(self, function: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function that burns before it runs, and after what it returned has come true; claims of nothing do not count."""

        async def awaited(result: Any) -> Any:
            found = await result
            if found is not None or self._case.point != "claim":
                self.burn(True)
            return found

        def lit(*args: Any, **kwargs: Any) -> Any:
            self.burn(False)
            result = function(*args, **kwargs)
            if hasattr(result, "__await__"):
                return awaited(result)
            self.burn(True)
            return result

        return lit


def _say(case: Case, *words: str) -> None:
    with open(case.said, "a", encoding="utf-8") as said:
        said.write(" ".join(words) + "\n")


def _listen(case: Case) -> None:
    """Write down what the engine promises, from the moment it does."""
    keep, keep_together, ack = Spool.keep, Spool.keep_together, EmbeddedQueue.ack

    async def kept(self: Spool, *arguments: Any, **named: Any) -> Any:
        found = await keep(self, *arguments, **named)
        _say(case, "kept", found[0].payload_id)
        return found

    async def kept_together(self: Spool, *arguments: Any) -> Any:
        found = await keep_together(self, *arguments)
        for payload, _ in found:
            _say(case, "kept", payload.payload_id)
        return found

    def acked(self: EmbeddedQueue, claim: Claim) -> Any:
        ending = ack(self, claim)

        async def heard() -> None:
            await ending
            _say(case, "completed", claim.job.job_id)

        return heard()

    Spool.keep, Spool.keep_together, EmbeddedQueue.ack = kept, kept_together, acked  # type: ignore[method-assign]


async def live(case: Case) -> None:
    """Run one engine until it is idle, or dead."""
    settings = load_settings(Path(case.config)).model_copy(update={"state": Path(case.state)})
    engine = assemble(settings, SystemClock(), once=True)
    began = time.monotonic()
    await engine.start()
    _say(case, "served", f"{time.monotonic() - began}")
    await engine.idle()
    await engine.close()


def main() -> None:
    """Answer each case with the signal that ended it, 0 for none, 256 for a failure."""
    for line in sys.stdin:
        case = Case(**json.loads(line))
        child = os.fork()
        if child == 0:
            _listen(case)
            if case.point:
                where, name = POINTS[case.point]
                setattr(where, name, _Fuse(case).around(getattr(where, name)))
            try:
                asyncio.run(live(case))
            except BaseException as error:
                sys.stderr.write(f"{type(error).__name__}: {error}\n")
                os._exit(1)
            os._exit(0)
        _, status = os.waitpid(child, 0)
        print(os.WTERMSIG(status) if os.WIFSIGNALED(status) else 256 * bool(os.WEXITSTATUS(status)), flush=True)


if __name__ == "__main__":
    main()
