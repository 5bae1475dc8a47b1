"""Find what a lever is aimed at."""

from msgspec import Struct

from gexdesk.engine.flight import Flights
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.levers.record import Record
from gexdesk.engine.standing import Standing
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.job import Job, JobStatus
from gexdesk.model.lever import Lever
from gexdesk.model.text import printable, symbol_of
from gexdesk.queues.base import Queue

KINDS = ("source", "symbol", "job")


class Target(Struct, frozen=True):
    """Name what an override is of: every payload of a source, every payload of one symbol alone, or one job."""

    kind: str
    name: str

    @property
    def key(self) -> str:
        """Return how ``Standing`` knows it; no source's name has a colon."""
        return self.name if self.kind == "source" else f"{self.kind}:{self.name}"

    @classmethod
    def of(cls, key: str) -> "Target":
        """Return the target of a key."""
        kind, colon, name = key.partition(":")
        return cls(kind, name) if colon else cls("source", key)

    def __str__(self) -> str:
        """Name it for people and the audit."""
        return self.name if self.kind == "source" else f"{self.kind} {self.name}"


class Targets:
    """Resolve names to sources, symbols and queued jobs."""

    def __init__(self, ledger: Ledger, flights: Flights, queue: Queue, standing: Standing) -> None:
        self._ledger = ledger
        self._flights = flights
        self._queue = queue
        self._standing = standing

    async def of(self, lever: Lever) -> Target:
        """Return what a lever for a level is aimed at.

        Raises:
            LeverRefused: It is aimed at something that has no level, or at a job that does not wait.
            UnknownTarget: There is no such target.
        """
        if lever.target_kind not in KINDS:
            found = printable(lever.target_kind, 20)
            raise LeverRefused(f"{lever.verb} acts on a {', a '.join(KINDS[:-1])} or a job, not on a {found}")
        if lever.target_kind == "source":
            self.source(lever.target)
        elif lever.target_kind == "symbol":
            await self._symbol(lever.target)
        else:
            await self.job(lever.target)
        return Target(lever.target_kind, lever.target)

    def source(self, name: str) -> Account:
        """Return the account of a source. Raises UnknownTarget."""
        if name not in self._ledger:
            known = ", ".join(account.name for account in self._ledger.all()[:8])
            raise UnknownTarget(f"no source is named {printable(name, 40)!r}; there are {known or 'none yet'}")
        return self._ledger[name]

    async def job(self, job_id: str) -> Job:
        """Return a job that waits. Raises LeverRefused where it does not, UnknownTarget where nobody knows it."""
        for source in self._sources_of(job_id):
            for job in await self._queue.jobs_of(source):
                if job.job_id == job_id:
                    return job
        status = await self._queue.status(job_id)
        if status is None:
            raise UnknownTarget(f"no job {printable(job_id, 60)!r} is known; `gexdesk queue --list` shows those that wait")
        raise LeverRefused(f"job {job_id} does not wait any more: it is {status}")

    async def jobs(self, target: Target) -> list[Job]:
        """Return the queued jobs of a target, held ones included; each source's in its true order."""
        if target.kind == "source":
            return list(await self._queue.jobs_of(target.name))
        if target.kind == "job":
            found = [job for source in self._sources_of(target.name) for job in await self._queue.jobs_of(source)]
            return [job for job in found if job.job_id == target.name]
        sources = list(self._queue.state().by_source)
        return [job for source in sources for job in await self._queue.jobs_of(source) if job.symbol == target.name]

    async def is_open(self, target: Target) -> bool:
        """Say whether an override of it can still mean anything: a job that has ended has no level."""
        if target.kind != "job" or self._flights.get(target.name) is not None:
            return True
        if not self._queue.shared or self._queue.away:
            return self._queue.shared
        return await self._queue.status(target.name) in (JobStatus.QUEUED, JobStatus.PROCESSING)

    def _sources_of(self, job_id: str) -> list[str]:
        """Return where to look for a job: its source, or all of them where another engine acknowledged its payload."""
        flight = self._flights.get(job_id)
        if flight is not None:
            return [flight.payload.source]
        return list(self._queue.state().by_source) if self._queue.shared else []

    def delay_s(self, target: Target) -> float:
        """Return the least delay with which the target's quotes come; 0 where nobody knows."""
        if target.kind == "source":
            return self._ledger.adopt(target.name).delay_s
        flight = self._flights.get(target.name)
        if target.kind == "job":
            return self._ledger.adopt(flight.payload.source).delay_s if flight is not None else 0.0
        delays = [a.delay_s for a in self._ledger.all() if target.name in {*a.symbols, *a.seen_symbols}]
        return min(delays, default=0.0)

    async def _symbol(self, name: str) -> None:
        """Raise UnknownTarget for a symbol that nothing carries, waits for or holds at a level."""
        target = Target("symbol", name)
        known = sorted({symbol for account in self._ledger.all() for symbol in (*account.symbols, *account.seen_symbols)})
        if name in known or self._standing.own(target.key) is not None or await self.jobs(target):
            return
        meant = symbol_of(name)
        hint = f"; did you mean {meant}?" if meant in known else f"; there are {', '.join(known[:8])}" if known else ""
        raise UnknownTarget(f"no source carries the symbol {printable(name, 40)!r}{hint}")


def source_of(lever: Lever, ledger: Ledger, record: Record) -> Account:
    """Return the account of the source a lever names, as its operator saw it.

    Raises:
        LeverRefused: The lever is not for a source, or the source was changed since.
        UnknownTarget: No source has that name.
    """
    if lever.target_kind != "source":
        raise LeverRefused(f"{lever.verb} acts on sources, not on a {printable(lever.target_kind, 20)}")
    if lever.target not in ledger:
        known = ", ".join(account.name for account in ledger.all()[:8])
        raise UnknownTarget(f"no source is named {printable(lever.target, 40)!r}; there are {known or 'none yet'}")
    account = ledger[lever.target]
    record.unchanged(lever, account.name, account.revision)
    return account
