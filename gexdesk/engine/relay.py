"""Ask another engine of the fleet what it alone knows, and let it do what is its alone: its incidents, held cases, gaps, machine.

What was asked is done at once or not at all: nothing waits on the server for an engine that comes back, and what an engine reads
after it stood still is past its time.
"""

import asyncio
import contextlib
import secrets
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Any

import msgspec
from msgspec import Struct
from msgspec.structs import replace

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.fleet import Fleet
from gexdesk.model.clock import Clock
from gexdesk.model.errors import KINDS, EngineAway, GexdeskError, LeverRefused, QueueAway, UnknownTarget
from gexdesk.model.lever import LEVER_LIMIT_S, Lever, LeverOutcome
from gexdesk.model.look.base import Look, Seen
from gexdesk.model.look.every import AnyLook
from gexdesk.model.text import printable

if TYPE_CHECKING:
    from gexdesk.fleet.talk import Talk

ANSWER_S = LEVER_LIMIT_S - 0.5
"""Longest wait for another engine: less than a screen waits for this one."""

AT_ONCE = 32
"""Questions of others that are answered at once; more are refused."""


class Question(Struct, frozen=True, tag=True):
    """Ask another engine for an answer to a look, or for a lever to be pulled.

    Attributes:
        by: The engine that asks.
        until: When it stops waiting, UTC seconds by the server's clock.
    """

    number: str
    by: str
    until: float
    what: AnyLook | None = None
    lever: Lever | None = None


class Answer(Struct, frozen=True, tag=True):
    """Give what was asked for, or the refusal.

    Attributes:
        seen: The answer as msgpack; null where it is refused.
        error: Name of the refusal, as ``GexdeskError.kind``; empty where there is none.
    """

    number: str
    seen: msgspec.Raw = msgspec.Raw(b"\xc0")
    error: str = ""
    message: str = ""
    details: dict[str, Any] = {}


class Relay:
    """Ask and answer for one engine.

    Args:
        look, pull: Answer and act here.
        read_only: Nothing is changed here, whoever asks.
    """

    def __init__(
        self, talk: "Talk", fleet: Fleet, *, look: Callable[[Look[Any]], Awaitable[Any]],
        pull: Callable[[Lever], Awaitable[LeverOutcome]], read_only: bool, chronicle: Chronicle, clock: Clock,
    ) -> None:  # fmt: skip
        self._talk = talk
        self._fleet = fleet
        self._look = look
        self._pull = pull
        self._read_only = read_only
        self._chronicle = chronicle
        self._clock = clock
        self._waiting: dict[str, asyncio.Future[Answer]] = {}
        self._answering: set[asyncio.Task[None]] = set()

    def own(self, engine: str) -> bool:
        """Say whether this engine is meant by a name or how it begins. Raises UnknownTarget."""
        return self._fleet.named(engine) == self._talk.engine

    async def look(self, question: Look[Seen]) -> Seen:
        """Return the answer of the engine that a question names. Raises what that refuses with, UnknownTarget, EngineAway."""
        engine = self._fleet.named(question.engine)
        found = await self._ask(engine, ANSWER_S, what=replace(question, engine=""))
        seen: Seen = _as(question.answer, found, engine)
        return seen

    async def pull(self, lever: Lever) -> LeverOutcome:
        """Let the engine that a lever names do it, before its operator stops waiting. Raises as ``look``, and LeverRefused."""
        engine = self._fleet.named(lever.engine)
        left_s = ANSWER_S if lever.not_after is None else min(ANSWER_S, lever.not_after - self._clock.now())
        if left_s <= 0:
            raise LeverRefused(f"{lever.verb} came when its sender had stopped waiting; nothing was done, try again")
        outcome: LeverOutcome = _as(LeverOutcome, await self._ask(engine, left_s, lever=replace(lever, engine="")), engine)
        return replace(outcome, message=f"{outcome.message} (on {engine})") if outcome.done else outcome

    async def serve(self) -> None:
        """Hear the others for ever."""
        async for words in self._talk.heard():
            try:
                heard = msgspec.msgpack.decode(words, type=Question | Answer)
            except msgspec.MsgspecError:
                continue  # an engine of another version: whoever asked is told that no answer came
            if isinstance(heard, Answer):
                waiting = self._waiting.get(heard.number)
                if waiting is not None and not waiting.done():
                    waiting.set_result(heard)
                continue
            task = asyncio.create_task(self._answer(heard), name="answer another engine")
            self._answering.add(task)
            task.add_done_callback(self._answering.discard)

    async def stop(self) -> None:
        """Leave what is being answered."""
        for task in self._answering:
            task.cancel()
        await asyncio.gather(*self._answering, return_exceptions=True)

    async def _ask(self, engine: str, limit_s: float, *, what: Any = None, lever: Lever | None = None) -> Answer:
        number = secrets.token_hex(8)
        question = Question(number, self._talk.engine, self._fleet.server_now() + limit_s, what, lever)
        self._waiting[number] = waiting = asyncio.get_running_loop().create_future()
        try:
            async with asyncio.timeout(limit_s):
                if not await self._talk.say(engine, msgspec.msgpack.encode(question)):
                    raise EngineAway(f"{engine} does not listen: it has ended, or cannot reach Redis")
                answer: Answer = await waiting
        except QueueAway as error:
            raise EngineAway(f"{engine} cannot be asked: {error.message}") from None
        except TimeoutError:
            late = "; it was told not to do it later" if lever is not None else ""
            raise EngineAway(f"{engine} did not answer within {limit_s:.1f} s{late}") from None
        finally:
            del self._waiting[number]
        if answer.error:
            message = printable(f"{engine}: {answer.message}", 600)
            raise KINDS.get(answer.error, GexdeskError)(message, **answer.details)
        return answer

    async def _answer(self, question: Question) -> None:
        try:
            answer = Answer(question.number, msgspec.Raw(msgspec.msgpack.encode(await self._done(question))))
        except GexdeskError as error:
            answer = Answer(question.number, error=error.kind, message=error.message, details=error.details)
        except Exception as error:  # whoever asked hears of it, and so does this engine's log: it is a fault of ours
            words = printable(f"{type(error).__name__}: {error}", 300)
            self._chronicle.tell("engine", f"what {printable(question.by, 80)} asked could not be answered: {words}", grave=True)
            answer = Answer(question.number, error="gexdesk_error", message=words)
        with contextlib.suppress(QueueAway):  # who asked hears nothing, and says so
            await self._talk.say(question.by, msgspec.msgpack.encode(answer))

    async def _done(self, question: Question) -> Any:
        left_s = question.until - self._fleet.server_now()
        if left_s <= 0:
            raise LeverRefused("whoever asked has stopped waiting; nothing was done")
        if len(self._answering) > AT_ONCE:
            raise EngineAway(f"it answers {AT_ONCE} questions of other engines already; try again")
        if question.what is not None:
            return await self._look(question.what)
        if question.lever is None:
            raise UnknownTarget("it was asked for nothing that this version knows")
        if self._read_only:
            raise LeverRefused("this engine was started read-only: nothing can be changed through it")
        lever = question.lever
        reason = f"{lever.reason} (through {question.by})" if lever.reason else ""
        return await self._pull(replace(lever, not_after=self._clock.now() + left_s, reason=reason))


def _as(kind: Any, answer: Answer, engine: str) -> Any:
    try:
        return msgspec.msgpack.decode(answer.seen, type=kind)
    except msgspec.MsgspecError:
        raise EngineAway(f"{engine} is of another version: its answer cannot be read here") from None
