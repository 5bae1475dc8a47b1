"""Let queued jobs die before they are run or go to another queue, and dead ones wait again."""

from collections.abc import Callable, Sequence

from msgspec.structs import replace

from gexdesk.model.clock import Clock
from gexdesk.model.errors import StoreError
from gexdesk.model.job import JobStatus
from gexdesk.model.text import printable
from gexdesk.queues.attempts import AttemptNotes
from gexdesk.queues.backlog import Before
from gexdesk.queues.commit import Commit
from gexdesk.queues.order import Entry
from gexdesk.queues.roll import Roll
from gexdesk.queues.rows import body_of


class Dead:
    """Take queued jobs out without their being run, and bring dead ones back."""

    def __init__(self, roll: Roll, notes: AttemptNotes, clock: Clock) -> None:
        self._roll = roll
        self._notes = notes
        self._clock = clock

    async def cancel(self, job_ids: Sequence[str], note: str) -> int:
        """Let queued jobs become DEAD with this error; from the call on they are given to nobody.

        Raises:
            StoreError: It cannot be journalled; they wait again.
        """
        queued, error, now = self._roll.queued(job_ids), printable(note), self._clock.now()
        commit = self._roll.journal.commit()
        for entry in queued:
            job_id = entry.job.job_id
            commit.gone.append(entry.seq)
            commit.finish += (job_id, JobStatus.DEAD.value, now, error)
            commit.die += (job_id, entry.seq, body_of(entry), now)
        return await self._out(queued, commit, lambda: self._roll.tell("dead", queued))

    async def withdraw(self, job_ids: Sequence[str]) -> int:
        """Forget queued jobs as if they had never come: another queue holds them now. From the call on nobody is given them.

        Raises:
            StoreError: It cannot be journalled; they wait again.
        """
        queued, commit = self._roll.queued(job_ids), self._roll.journal.commit()
        commit.drop += [entry.seq for entry in queued]
        return await self._out(queued, commit)

    async def _out(self, queued: Sequence[Entry], commit: Commit, told: Callable[[], object] = lambda: None) -> int:
        delays = [self._roll.backlog.cancel(entry) for entry in queued]

        def done() -> None:
            for entry in queued:
                del self._roll.entries[entry.job.job_id]
            told()

        def undo() -> None:
            for entry, delay in zip(queued, delays, strict=True):
                entry.key = (*entry.key,)  # the order still has the old one
                if delay is None:
                    self._roll.backlog.add(entry)
                else:
                    self._roll.backlog.put_off(entry, delay)
            self._roll.waiters.wake()

        if queued:
            commit.then(done, undo)
        await commit
        return len(queued)

    async def revive(self, job_ids: Sequence[str]) -> int:
        """Let DEAD jobs wait again at their places, never attempted; what was queued since may supersede them.

        Raises:
            StoreError: It cannot be journalled; they stay DEAD.
        """
        asked = [job_id for job_id in dict.fromkeys(job_ids) if job_id not in self._roll.entries]
        back = self._roll.journal.dead(asked)
        commit = self._roll.journal.commit()
        before: list[Before] = []
        if back:
            self._forget_attempts()
        for entry in back:
            entry.job = replace(entry.job, attempt=0)
            self._roll.entries[entry.job.job_id] = entry
            self._roll.backlog.add(entry)
            commit.revive[entry.seq] = entry.job.job_id
        self._roll.backlog.settle(back, before)
        self._roll.keep(commit, back)
        self._roll.keep(commit, (was.entry for was in before))

        def undo() -> None:
            self._roll.backlog.undo(before)
            self._roll.take_back(back)

        if back:
            commit.then(None, undo)
            self._roll.waiters.wake()
            self._roll.tell("queued", back)
            self._roll.tell("moved", (was.entry for was in before))
        await commit
        return len(back)

    def _forget_attempts(self) -> None:
        try:
            self._notes.begin_again()
        except OSError as error:
            raise StoreError(f"no job can be revived, as its old attempts cannot be forgotten: {error}") from error
