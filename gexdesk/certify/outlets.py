"""Offer the load as vendors do: answer polls over HTTP on the loopback, rename files into folders, lay out a story to replay."""

import asyncio
import gzip
import json
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

from gexdesk.certify.documents import Documents
from gexdesk.certify.load import Feed, Turn
from gexdesk.certify.offered import Offered

STORY_ROUNDS = 4
"""So many rounds of documents a replay has before it begins again."""

TICK_S = 0.012
"""More than a tick of the kernel's clock: a folder tells a rename from a write by it."""


class Polled:
    """Answer each poll of a feed with a document of this moment; faults take their turns.

    Attributes:
        documents: Set before the first poll.
        quiet: There is nothing new any more: every poll is answered 204.
    """

    documents: Documents

    def __init__(self, feeds: tuple[Feed, ...], offered: Offered, now: Callable[[], float] = time.time) -> None:
        self.quiet = False
        self._feeds = {feed.name: feed for feed in feeds}
        self._numbers = dict.fromkeys(self._feeds, 0)
        self._last: dict[str, bytes] = {}
        self._offered = offered
        self._now = now
        self._server: asyncio.Server | None = None
        self._answering: dict[asyncio.Task[None], asyncio.StreamWriter] = {}

    @property
    def url(self) -> str:
        """Return where a feed's name is to be appended."""
        assert self._server is not None
        return f"http://127.0.0.1:{self._server.sockets[0].getsockname()[1]}/"

    async def start(self) -> None:
        """Listen on a free port of the loopback."""
        self._server = await asyncio.start_server(self._serve, "127.0.0.1", 0)

    async def stop(self) -> None:
        """End every connection."""
        if self._server is not None:
            self._server.close()
        for writer in self._answering.values():
            writer.close()
        if self._answering:
            await asyncio.wait(list(self._answering))

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        assert task is not None
        self._answering[task] = writer
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                request = await reader.readuntil(b"\r\n\r\n")
                name = request.split(b" ", 2)[1].decode("latin-1").strip("/")
                if not await self._answer(self._feeds[name], writer):
                    break
        writer.close()
        del self._answering[task]

    async def _answer(self, feed: Feed, writer: asyncio.StreamWriter) -> bool:
        """Answer one poll; False where the connection ends with it."""
        if self.quiet:
            writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
            await writer.drain()
            return True
        number = self._numbers[feed.name]
        self._numbers[feed.name] = number + 1
        turn = feed.turn(number)
        if turn is Turn.REFUSED:
            self._offered.failures += 1
            writer.write(b"HTTP/1.1 503 Service Unavailable\r\nContent-Length: 0\r\n\r\n")
            await writer.drain()
            return True
        body = self._last.get(feed.name, b"") if turn is Turn.AGAIN else self.documents.body(feed, number, self._now())
        head = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body)
        if turn is Turn.CUT:
            self._offered.failures += 1
            writer.write(head + body[: len(body) // 2])
            await writer.drain()
            return False
        self._last[feed.name] = body
        self._offered.add(feed, number, body, self._now())
        writer.write(head)
        writer.write(body)
        await writer.drain()
        return True


class Pushed:
    """Rename a feed's documents into its folder when they are due.

    Attributes:
        documents: Set before the first push.
        waiting: Documents that are written and not renamed yet.
    """

    documents: Documents

    def __init__(self, folder: Path, offered: Offered, now: Callable[[], float] = time.time) -> None:
        self.waiting = 0
        self._folder = folder
        self._numbers: dict[str, int] = {}
        self._offered = offered
        self._now = now

    def folder_of(self, feed: Feed) -> Path:
        """Make the folder that a feed's files appear in, and return it."""
        folder = self._folder / feed.name
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        return folder

    def push(self, feed: Feed) -> None:
        """Write a feed's next document now and offer it a few milliseconds later, as one that was synced would be."""
        number = self._numbers.get(feed.name, 0)
        self._numbers[feed.name] = number + 1
        folder = self._folder / feed.name
        aside, path = folder / f".{number}.part", folder / f"{number:07d}.json"
        body = self.documents.body(feed, number, self._now())
        aside.write_bytes(body)
        self.waiting += 1
        asyncio.get_running_loop().call_later(TICK_S, self._rename, feed, number, body, aside, path)

    def _rename(self, feed: Feed, number: int, body: bytes, aside: Path, path: Path) -> None:
        self.waiting -= 1
        self._offered.add(feed, number, body, self._now())
        aside.rename(path)


def lay_out_story(folder: Path, feeds: tuple[Feed, ...], documents: Documents, offered: Offered, at: float) -> None:
    """Write a story whose feeds an engine replays, and its files.

    What it brings is known to ``offered`` by its digests; how often it was played only the engine can count.
    """
    folder.mkdir(mode=0o700, exist_ok=True)
    length_s = 0.0
    lines: list[dict[str, object]] = []
    for feed in feeds:
        count = STORY_ROUNDS * len(feed.symbols)
        length_s = max(length_s, count * feed.every_s)
        for number in range(count):
            at_s = number * feed.every_s + feed.every_s / 2
            name = f"{feed.name}-{number:03d}.json.gz"
            body = documents.body(feed, number, at + at_s)
            packed, as_it_lies = gzip.compress(body, 1), number % 2 == 1
            (folder / name).write_bytes(packed)
            offered.know(feed, number, packed if as_it_lies else body, at + at_s)
            lines.append({"kind": "payload", "at_s": at_s, "source": feed.name, "file": name, "compressed": as_it_lies})
    start = {"kind": "start", "starts_at": at, "length_s": length_s}
    text = "\n".join(json.dumps(line) for line in [start, *lines])
    (folder / "story.jsonl").write_text(text + "\n", encoding="utf-8")
