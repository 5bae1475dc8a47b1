"""Do the same with many claims in one step: what is asked for in one turn of the event loop travels as one act."""

import asyncio
from collections.abc import Callable, Sequence
from functools import partial
from typing import Any

from gexdesk.model.errors import LeaseLost, QueueError
from gexdesk.model.job import Claim
from gexdesk.queues.redis_line import Line
from gexdesk.queues.redis_wire import Reply

CLAIMS_A_STEP = 200
"""Few enough that nobody waits long behind them."""

Asked = tuple[Claim, "asyncio.Future[int]"]
Read = Callable[[str, Any, Reply, Claim | None], Any]


class Together:
    """Gather one kind of act; it goes behind what somebody waits for.

    Args:
        act: Takes {id, fence, worker} of each claim and answers with a number each, 0 for a claim that is lost.
        read: Reads an answer. Raises QueueError.
        done: Told of each claim that was answered, whatever the answer.
    """

    def __init__(self, line: Line, act: str, read: Read, done: Callable[[Claim], None] = lambda _: None) -> None:
        self._line = line
        self._act = act
        self._read = read
        self._done = done
        self._gathered: dict[tuple[object, ...], list[Asked]] = {}

    def ask(self, claim: Claim, *words: object) -> "asyncio.Future[int]":
        """Have it done with one more claim, with whatever else is asked for with the same words.

        Awaiting raises:
            LeaseLost: The claim is. QueueError: As ``Line.ask``.
        """
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[int] = loop.create_future()
        if words not in self._gathered:
            self._gathered[words] = []
            loop.call_soon(self._send, words)
        self._gathered[words].append((claim, answer))
        return answer

    def _send(self, words: tuple[object, ...]) -> None:
        some = self._gathered.pop(words)
        for at in range(0, len(some), CLAIMS_A_STEP):
            self._step(some[at : at + CLAIMS_A_STEP], words)

    def _step(self, some: Sequence[Asked], words: tuple[object, ...]) -> None:
        claims = [(claim.job.job_id, claim.fence, claim.worker) for claim, _ in some]
        try:
            reply = self._line.submit((self._act, claims, *words), weight=len(claims), behind=True)
        except QueueError as error:
            _refuse(some, error)
        else:
            reply.add_done_callback(partial(self._answered, some, words))

    def _answered(self, some: Sequence[Asked], words: tuple[object, ...], asked: "asyncio.Future[Reply]") -> None:
        if (error := asked.exception()) is not None:
            _refuse(some, error)
            return
        reply = asked.result()
        if not reply.ok and len(some) > 1:
            for one in some:  # one of them cannot be read, and none was done: each for itself
                self._step((one,), words)
            return
        for claim, _ in some:
            self._done(claim)
        try:
            told = self._read(self._act, list[int], reply, some[0][0])
        except QueueError as refused:
            _refuse(some, refused)
            return
        for (claim, answer), number in zip(some, told, strict=True):
            if not number:
                _refuse(((claim, answer),), lost(claim))
            elif not answer.done():
                answer.set_result(number)


def lost(claim: Claim) -> LeaseLost:
    """Return what a worker hears whose claim is lost."""
    held = f"{claim.worker} no longer holds job {claim.job.job_id} (attempt {claim.fence})"
    return LeaseLost(f"{held}: it was rescued or finished meanwhile; drop the result")


def _refuse(some: Sequence[Asked], error: BaseException) -> None:
    for _, answer in some:
        if not answer.done():
            answer.set_exception(error)
