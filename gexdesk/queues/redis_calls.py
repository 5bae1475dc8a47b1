"""Ask the queue's library in the server, and read its answers."""

from collections.abc import Sequence
from functools import cache
from typing import Any

import msgspec

from gexdesk.model.errors import QueueAway, QueueError
from gexdesk.model.job import Claim
from gexdesk.model.text import printable
from gexdesk.queues.redis_line import Line
from gexdesk.queues.redis_together import lost
from gexdesk.queues.redis_wire import Reply

PIECE = 500
"""Jobs in one step of the server, so that a CRITICAL claim of another engine never waits long for it."""


class Calls:
    """Make calls over a line.

    Args:
        keys: What every key of the queue begins with.

    Attributes:
        opened: The server was reached and is fit; nothing is asked before.
        holds: Jobs that a worker here was given and has not ended.
    """

    def __init__(self, line: Line, keys: str) -> None:
        self.opened = False
        self.holds: set[str] = set()
        self._line = line
        self._keys = keys

    async def ask(self, act: str, kind: Any, *words: object, claim: Claim | None = None, **how: Any) -> Any:
        """Return what the server answers, as this kind.

        Args:
            claim: What the call ends; it is held no more, whatever the answer.
            how: As ``Line.ask``.

        Raises:
            QueueError: The server refuses, in its words. LeaseLost: the claim is no longer ours. QueueAway: it does not answer.
        """
        self.reached()
        reply = await self._line.ask((act, *words), **how)
        if claim is not None:
            self.let_go(claim)
        return self.read(act, kind, reply, claim)

    async def in_pieces(self, act: str, job_ids: Sequence[str], *words: object) -> int:
        """Ask for an operator's jobs in steps, and return what the answers come to. Raises as ``ask``, soon."""
        ids = list(dict.fromkeys(job_ids))
        total = 0
        for at in range(0, len(ids), PIECE):
            piece = ids[at : at + PIECE]
            total += int(await self.ask(act, int, piece, *words, weight=len(piece), soon=True))
        return total

    def read(self, act: str, kind: Any, reply: Reply, claim: Claim | None) -> Any:
        """Return what a reply holds. Raises as ``ask``."""
        if reply.ok:
            try:
                return decoder(kind).decode(reply.value)
            except msgspec.MsgspecError as error:
                raise QueueError(f"Redis at {self._line.where} answered {act} with what cannot be read: {error}") from None
        code = msgspec.msgpack.decode(reply.value, type=str)
        about = printable(str(reply.about))
        if code == "LOST" and claim is not None:
            raise lost(claim)
        if code == "PARCEL":
            raise QueueError(f"the parcel of job {about} is gone before its job came: put it again")
        shared = f"; does another program use the keys {self._keys}*? Choose another [redis] prefix" if "WRONGTYPE" in about else ""
        raise QueueError(f"Redis at {self._line.where} could not do {act}: {about}{shared}")

    def let_go(self, claim: Claim) -> None:
        """Note that a claim is held no more."""
        self.holds.discard(claim.job.job_id)

    def reached(self) -> None:
        """Raise QueueAway where the server was never reached."""
        if not self.opened:
            raise QueueAway(self.unreached())

    def unreached(self) -> str:
        """Say so."""
        return f"Redis at {self._line.where} was not reached yet"


@cache
def decoder(kind: Any) -> "msgspec.msgpack.Decoder[Any]":
    """Return what decodes answers of a kind."""
    return msgspec.msgpack.Decoder(kind)
