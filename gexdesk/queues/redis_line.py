"""Carry acts to Redis and answers back over one connection, whatever happens to it.

Acts that are asked for while a call is under way travel together in the next one. A call has a number and the server keeps its
last answer, so that one that is repeated after a lost connection is answered, not done again. Every hop has a deadline; in
between there is a growing, jittered pause; an act whose patience is over gets ``QueueAway`` with what the server last said.
"""

import asyncio
import contextlib
import random
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Any, TypeVar, cast

import msgspec
from msgspec import Struct
from redis.asyncio import Redis
from redis.exceptions import (
    AuthenticationError,
    BusyLoadingError,
    MovedError,
    NoPermissionError,
    OutOfMemoryError,
    ReadOnlyError,
    RedisError,
    ResponseError,
)

from gexdesk.model.errors import QueueAway, QueueError
from gexdesk.model.text import printable
from gexdesk.queues.redis_library import Library
from gexdesk.queues.redis_wire import Answer, Reply, WireJob, answer_of, encode, moved_on

CONNECT_S = 3.0
REPLY_S = 2.0
"""Longest wait for an answer; a server that is slower than that is taken for away, so that CRITICAL goes its own way."""

_PASSING = frozenset(("BUSY", "MISCONF", "NOREPLICAS", "UNKILLABLE", "UNBLOCKED"))
"""Codes of refusals that end by themselves and have no class of their own in redis-py."""

_FIRST_PAUSE_S, _LONGEST_PAUSE_S = 0.02, 1.0
_ACTS_A_CALL, _JOBS_A_CALL = 256, 500

_KNOWN_S = 3000.0
"""So long the server is asked whether it knows a call: it forgets an answer after an hour."""

T = TypeVar("T")


class Act(Struct, eq=False):
    """Hold one act until it is answered.

    Attributes:
        weight: Jobs in it; a call takes so many that others do not wait long for it.
        parcels: Bytes that the words speak of by number.
        behind: Whoever waits for the others goes first: a call takes one such act, and more where there is room.
        alone: It failed in company, and nobody knows whose fault that was.
        arrived: Called with the answer before anything else is done, and with whether the caller has gone meanwhile.
    """

    words: Sequence[object]
    answer: "asyncio.Future[Reply]"
    deadline: float
    adds: bool
    weight: int
    arrived: Callable[[Reply, bool], None] | None
    parcels: Sequence[bytes] = ()
    behind: bool = False
    alone: bool = False

    @property
    def puts(self) -> bool:
        """Say whether it puts jobs, and may do so together with others: one step for many costs a fraction of many steps."""
        return self.words[0] == "put" and not self.alone


class Line:
    """Hold the connection of one queue.

    Attributes:
        birth: Mark of the data this client works on; another one there means that the data is gone.
        away_since: Loop time of the first failure in a row; None while the server answers.
    """

    def __init__(
        self,
        client: "Redis",
        library: Library,
        keys: str,
        name: str,
        *,
        patience_s: float,
        heard: Callable[[Answer], None],
        gone: Callable[[], Awaitable[None]],
        older: Callable[[], Awaitable[None]],
        back: Callable[[], None],
    ) -> None:
        """Prepare a line.

        Args:
            keys: What every key begins with.
            name: Of this client, <engine>/<life>; unique for each life of an engine.
            heard: Given every answer.
            gone: Called where the server lost the queue's data; sets ``birth``.
            older: Called where the server has the data as they were before calls that it answered.
            back: Called with the first answer after failures.
        """
        self._client = client
        self._library = library
        self._keys = keys
        self._name = name
        self._patience_s = patience_s
        self._heard = heard
        self._gone = gone
        self._older = older
        self._back = back
        self._pending: deque[Act] = deque()
        self._behind: deque[Act] = deque()
        self._full = False  # the server refuses what takes memory: it does not travel with the rest then
        self._news: asyncio.Future[None] | None = None
        self._connection: Any = None
        self._number = 0
        self._kept = 0, 0.0  # the last call whose answer the server keeps, and when it came; 0 while there is none
        self._runner: asyncio.Task[None] | None = None
        self._pause_s = _FIRST_PAUSE_S
        self._why = ""
        self._loaded = False
        self._forms = _secrets_of(client)
        self.birth = ""
        self.away_since: float | None = None

    @property
    def where(self) -> str:
        """Name the server, without its password."""
        kwargs = self._client.connection_pool.connection_kwargs
        return printable(str(kwargs["path"] if "path" in kwargs else f"{kwargs.get('host', '?')}:{kwargs.get('port', '?')}"), 100)

    def start(self) -> None:
        """Carry from now on."""
        self._runner = asyncio.create_task(self._carry(), name="redis queue")

    async def stop(self) -> None:
        """Let go of the connection; what is still asked for is refused."""
        if self._runner is not None:
            self._runner.cancel()
            await asyncio.gather(self._runner, return_exceptions=True)
            self._runner = None
        for act in (*self._pending, *self._behind):
            _fail(act, QueueError("the queue was closed"))
        self._pending.clear()
        self._behind.clear()
        await self._hang_up(release=True)

    async def ask(self, words: Sequence[object], **how: Any) -> Reply:
        """Have an act done; as ``submit``, whose answer is awaited."""
        return await self.submit(words, **how)

    def submit(
        self,
        words: Sequence[object],
        *,
        adds: bool = False,
        weight: int = 1,
        patience_s: float | None = None,
        arrived: Callable[[Reply, bool], None] | None = None,
        parcels: Sequence[bytes] = (),
        behind: bool = False,
        soon: bool = False,
    ) -> "asyncio.Future[Reply]":
        """Have an act done; those of one kind are done in the order in which they were asked for.

        Args:
            adds: It takes memory: refused by a server that is full.
            patience_s: How long to try; 0 gives up at the first failure. None takes the line's own.
            arrived: Given the answer before anything else is done, and whether the caller was cancelled or refused meanwhile.
            parcels: Travel beside the words, which name them by number.
            behind: Nobody waits for it as for the others.
            soon: An operator waits for it, and so does whoever pulls the kill switch next: it is given up after ``REPLY_S``, and
                at once while the server is away.

        Awaiting raises:
            QueueAway, QueueError: As below.

        Raises:
            QueueAway: The server did not answer, or did not let us write, for as long.
            QueueError: It refused for good.
        """
        if self._runner is None or self._runner.done():
            raise QueueError("the queue is closed")
        if (soon or patience_s == 0) and self.away_since is not None:
            raise QueueAway(self.words())
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        patience_s = self._patience_s if patience_s is None else patience_s
        act = Act(words, answer, loop.time() + patience_s, adds, weight, arrived, parcels, behind)
        if soon:
            giving_up = loop.call_later(REPLY_S, self._give_up, act)
            answer.add_done_callback(lambda _: giving_up.cancel())
        (self._behind if behind else self._pending).append(act)
        self._wake()
        return answer

    def post(self, words: Sequence[object]) -> None:
        """Have an act done before everything that waits; nobody is told how it went."""
        loop = asyncio.get_running_loop()
        answer: asyncio.Future[Reply] = loop.create_future()
        answer.add_done_callback(lambda done: done.cancelled() or done.exception())  # looked at, so that nobody complains
        self._pending.appendleft(Act(words, answer, loop.time() + self._patience_s, False, 1, None))
        self._wake()

    def _give_up(self, act: Act) -> None:
        _fail(act, QueueAway(self.words() if self.away_since is not None else f"Redis at {self.where} gave no answer in time"))

    def _wake(self) -> None:
        if self._news is not None and not self._news.done():
            self._news.set_result(None)

    async def aside(self, command: Callable[["Redis"], Awaitable[T]], timeout_s: float, patience_s: float | None = None) -> T:
        """Do a plain command on another connection, so that nothing waits for it; repeated like a call. Raises as ``ask``."""
        loop = asyncio.get_running_loop()
        deadline, pause_s = loop.time() + (self._patience_s if patience_s is None else patience_s), _FIRST_PAUSE_S
        while True:
            try:
                async with asyncio.timeout(timeout_s):
                    return await command(self._client)
            except (RedisError, OSError, TimeoutError) as error:
                words = f"Redis at {self.where} did not do what was asked: {self.plain(error)}"
                if not _passes(error):
                    raise QueueError(words) from None
                if loop.time() >= deadline:
                    raise QueueAway(words) from None
                await asyncio.sleep(pause_s * random.uniform(0.5, 1.0))  # noqa: S311
                pause_s = min(_LONGEST_PAUSE_S, 2 * pause_s)

    def plain(self, error: BaseException) -> str:
        """Say what went wrong without a secret and without what could steer a terminal."""
        if isinstance(error, TimeoutError) and not str(error):
            return "no answer in time"
        text = f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
        for form in self._forms:
            text = text.replace(form, "***")
        return printable(text)

    # ---- the runner ----

    async def _carry(self) -> None:
        while True:
            while not self._pending and not self._behind:
                self._news = asyncio.get_running_loop().create_future()
                await self._news
            acts = self._take()
            if not acts:
                continue
            try:
                await self._call(acts)
            except QueueError as error:
                _fail_all(acts, error)
            except Exception as error:  # a fault of ours, or an answer that no server gives: the line goes on with the next call
                await self._hang_up()
                _fail_all(acts, QueueError(f"a call to Redis at {self.where} went wrong: {self.plain(error)}"))

    def _take(self) -> list[Act]:
        acts: list[Act] = []
        weight = 0
        for waiting in (self._pending, self._behind):
            first = waiting is self._behind  # one of these goes along whatever the others weigh
            while waiting and len(acts) < _ACTS_A_CALL:
                act = waiting[0]
                if act.answer.done():
                    waiting.popleft()
                    continue
                if acts and ((weight + act.weight > _JOBS_A_CALL and not first) or (self._full and act.adds != acts[0].adds)):
                    break
                acts.append(waiting.popleft())
                weight += act.weight
                first = False
        return acts

    async def _call(self, acts: list[Act]) -> None:
        self._number += 1
        failed = False
        while not all(act.answer.done() for act in acts):
            adds = any(act.adds for act in acts)
            function = self._library.add if adds else self._library.run
            steps = _steps(acts)
            parcels, before = list[bytes](), list[int]()
            for step in steps:
                before.append(1 + len(parcels))
                for act in step:
                    parcels += act.parcels
            marks = self._name, self._number, self.birth
            body = encode((*marks, list(map(_words, steps)), before if parcels else False, self._known()))
            try:
                raw = await self._exchange(function, (body, *parcels))
            except (RedisError, OSError, TimeoutError) as error:
                if isinstance(error, OutOfMemoryError) and not failed and not all(act.adds for act in acts):
                    self._full = True  # nothing was done: what frees memory goes before what takes it
                    self._pending.extendleft(act for act in reversed(acts) if act.adds)
                    acts = [act for act in acts if not act.adds]
                    continue
                failed = True
                await self._failed(error, acts)
                continue
            if adds:
                self._full = False
            try:
                answer = answer_of(raw)
            except msgspec.MsgspecError as error:
                words = f"the answer of Redis at {self.where} cannot be read: {printable(str(error))}; is the prefix shared?"
                _fail_all(acts, QueueError(words))
                return
            self._pause_s = _FIRST_PAUSE_S
            self._loaded = False
            was_away, self.away_since = self.away_since is not None, None
            if answer.kept:
                self._kept = self._number, asyncio.get_running_loop().time()
            self._heard(answer)
            for step, reply in zip(steps, answer.replies, strict=True):
                if len(step) > 1 and not reply.ok:
                    self._again_alone(step)
                    continue
                for act in step:
                    if act.arrived is not None:
                        act.arrived(reply, act.answer.done())
                    if not act.answer.done():
                        act.answer.set_result(reply)
            acts = [act for act in acts if not act.alone or act.answer.done()]
            if was_away:
                self._back()

    def _known(self) -> int | bool:
        """Return the number of the call that the server must know; False where it may have forgotten it."""
        number, at = self._kept
        return number if number and asyncio.get_running_loop().time() - at < _KNOWN_S else False

    def _again_alone(self, step: Sequence[Act]) -> None:
        for act in step:
            act.alone = True
        self._pending.extendleft(reversed(step))

    async def _exchange(self, function: str, arguments: Sequence[bytes]) -> bytes:
        if self._connection is None:
            async with asyncio.timeout(CONNECT_S):
                self._connection = await self._client.connection_pool.get_connection()  # type: ignore[no-untyped-call]
        connection, name, keys = self._connection, function.encode(), self._keys.encode()
        packed = b"*%d\r\n$5\r\nFCALL\r\n$%d\r\n%b\r\n$1\r\n1\r\n$%d\r\n%b\r\n$%d\r\n%b\r\n" % (
            4 + len(arguments), len(name), name, len(keys), keys, len(arguments[0]), arguments[0],
        )  # fmt: skip
        if len(arguments) > 1:
            packed += b"".join([b"$%d\r\n%b\r\n" % (len(argument), argument) for argument in arguments[1:]])
        async with asyncio.timeout(REPLY_S):
            await connection.send_packed_command((packed,), check_health=False)
            return bytes(await connection.read_response(disable_decoding=True))

    async def _failed(self, error: Exception, acts: list[Act]) -> None:
        """Mend what can be mended, wait where it passes, refuse what will not pass or has waited long enough."""
        words = str(error)
        try:
            if isinstance(error, ResponseError) and "Function not found" in words and not self._loaded:
                self._loaded = True  # once a call: where it does not help, what follows waits and gives up in time
                async with asyncio.timeout(CONNECT_S):
                    await self._library.load(self._connection)
                return
            if isinstance(error, ResponseError) and words.startswith("BIRTH"):
                await self._gone()
                self._kept = 0, 0.0
                return
            if isinstance(error, ResponseError) and words.startswith("OLDER"):
                await self._older()
                self._kept = 0, 0.0
                return
        except (RedisError, OSError, TimeoutError) as also:
            error = also
        if not _passes(error):
            _fail_all(acts, QueueError(f"Redis at {self.where} refuses: {self.plain(error)}{_advice(error)}"))
            return
        if not isinstance(error, ResponseError) or isinstance(error, ReadOnlyError):
            await self._hang_up()
        now = asyncio.get_running_loop().time()
        self._why = self.plain(error)
        self.away_since = now if self.away_since is None else self.away_since
        away = QueueAway(self.words())
        for act in (*acts, *self._pending, *self._behind):
            if act.deadline <= now:
                _fail(act, away)
        if not all(act.answer.done() for act in acts):
            await asyncio.sleep(self._pause_s * random.uniform(0.5, 1.0))  # noqa: S311
            self._pause_s = min(_LONGEST_PAUSE_S, 2 * self._pause_s)

    def words(self) -> str:
        """Say since when the server is away and why."""
        since = asyncio.get_running_loop().time() - (self.away_since or 0.0)
        return f"Redis at {self.where} does not answer since {since:.0f} s: {self._why}"

    async def _hang_up(self, release: bool = False) -> None:
        connection, self._connection = self._connection, None
        if connection is not None:
            with contextlib.suppress(RedisError, OSError, TimeoutError):
                async with asyncio.timeout(1.0):
                    await connection.disconnect(nowait=not release)
            with contextlib.suppress(RedisError, OSError, KeyError, TimeoutError):
                await self._client.connection_pool.release(connection)


def _steps(acts: Sequence[Act]) -> list[list[Act]]:
    """Return the acts of a call, all that put jobs in the place of the first of them."""
    if len(acts) == 1:
        return [list(acts)]
    steps: list[list[Act]] = []
    puts: list[Act] = []
    for act in acts:
        if not act.puts:
            steps.append([act])
            continue
        if not puts:
            steps.append(puts)
        puts.append(act)
    return steps


def _words(step: Sequence[Act]) -> Sequence[object]:
    """Return what a step asks for; the parcels of several acts are numbered on."""
    if len(step) == 1:
        return step[0].words
    jobs: list[object] = []
    before = 0
    for act in step:
        jobs += moved_on(cast("Sequence[WireJob]", act.words[1]), before)
        before += len(act.parcels)
    return ("put", jobs)


def _passes(error: Exception) -> bool:
    """Say whether what went wrong may be over soon."""
    if isinstance(error, BusyLoadingError | ReadOnlyError):
        return True
    if isinstance(error, AuthenticationError | NoPermissionError | MovedError):
        return False
    if isinstance(error, ResponseError):
        return type(error) is not ResponseError or str(error).split(" ", 1)[0] in _PASSING or "Function not found" in str(error)
    return True


def _advice(error: Exception) -> str:
    if isinstance(error, MovedError):
        return "; the queue lies on another node of a cluster: let url name a master that holds its slot"
    if isinstance(error, AuthenticationError):
        return "; give the user and password of this server"
    if isinstance(error, NoPermissionError):
        return "; let the user call functions and use every key of the prefix"
    return ""


def _fail(act: Act, error: QueueError) -> None:
    if not act.answer.done():
        act.answer.set_exception(error)


def _fail_all(acts: Sequence[Act], error: QueueError) -> None:
    for act in acts:
        _fail(act, error)


def _secrets_of(client: "Redis") -> list[str]:
    password = client.connection_pool.connection_kwargs.get("password")
    return [str(password)] if password else []
