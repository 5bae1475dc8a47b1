"""Change the guidelines while data flows: apply, roll back, hand in what cannot be used, over and over."""

import asyncio
import re
import time
from collections.abc import Callable
from contextlib import suppress

from msgspec import Struct

from gexdesk.api.client import Client
from gexdesk.model.errors import GexdeskError, GuidelineError
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.guidelines import GuidelinesLook

TARGET = "guidelines"
REASON = "certify changes the guidelines while ingesting"
RAISED = "HIGH"
"""The level that a changed set gives to the symbols it names, which the set in force gives another."""

INVALID = '\n[[guideline]]\nname = "certify-broken"\nlevel = "HIGH"\nwhen = "volume >> 1"\n'


FEWEST = 6
"""Two turns: fewer changes prove nothing."""


class Change(Struct, frozen=True):
    """Hold one change and what came of it.

    Attributes:
        what: ``apply``, ``roll back`` or ``invalid``.
        held: It did what it has to: came into force, went back, or was refused with the line at fault and changed nothing.
        version: In force afterwards.
        words: What the engine said.
    """

    what: str
    at: float
    took_s: float
    held: bool
    version: str
    words: str


class Changes:
    """Change the guidelines of a running engine in turns.

    Args:
        symbols: A changed set makes these HIGH.

    Attributes:
        made: All changes so far.
        versions: Those that make ``symbols`` HIGH.
    """

    def __init__(self, client: Client, symbols: tuple[str, ...], now: Callable[[], float] = time.time) -> None:
        self.made: list[Change] = []
        self.versions: set[str] = set()
        self._client = client
        self._symbols = symbols
        self._now = now
        self._ending = asyncio.Event()

    async def run(self, every_s: float) -> None:
        """Change, one change each ``every_s``, until asked to end and at least ``FEWEST`` were made.

        At the end the set is in force that was at the beginning.
        """
        began = await self._client.look(GuidelinesLook())
        number = 0
        while not self._ending.is_set() or len(self.made) < FEWEST:
            number += 1
            await self._rest(every_s)
            await self._apply(began.text, number)
            await self._rest(every_s)
            await self._refused(began.text)
            await self._rest(every_s)
            await self._roll_back(began.version)

    def end(self) -> None:
        """Let ``run`` end with the turn it is in, so that no change is left half known."""
        self._ending.set()

    async def _rest(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._ending.wait()

    async def _apply(self, text: str, number: int) -> None:
        names = ", ".join(f'"{symbol}"' for symbol in self._symbols)
        rule = f'\n[[guideline]]\nname = "certify-{number}"\nlevel = "{RAISED}"\nsymbols = [{names}]\nwhen = "volume >= 0"\n'
        at, began = self._now(), time.monotonic()
        try:
            outcome = await self._client.pull(Lever(Verb.APPLY, "", REASON, target_kind=TARGET, text=text + rule))
        except GexdeskError as error:
            await self._note("apply", at, began, error.message, held=False)
            return
        self.versions.add(outcome.after)
        await self._note("apply", at, began, outcome.message, held=outcome.done, version=outcome.after)

    async def _roll_back(self, to: str) -> None:
        at, began = self._now(), time.monotonic()
        try:
            outcome = await self._client.pull(Lever(Verb.ROLLBACK, "", REASON, target_kind=TARGET, to=to))
        except GexdeskError as error:
            await self._note("roll back", at, began, error.message, held=False)
            return
        await self._note("roll back", at, began, outcome.message, held=outcome.done, version=to)

    async def _refused(self, text: str) -> None:
        at, began = self._now(), time.monotonic()
        before = (await self._client.view()).guidelines_version
        try:
            outcome = await self._client.pull(Lever(Verb.APPLY, "", REASON, target_kind=TARGET, text=text + INVALID))
        except GuidelineError as error:
            line = (text + INVALID).count("\n", 0, (text + INVALID).index("volume >> 1")) + 1
            named = re.search(rf"\bline {line}\b", error.message) is not None
            await self._note("invalid", at, began, error.message, held=named, version=before)
        except GexdeskError as error:
            await self._note("invalid", at, began, error.message, held=False)
        else:
            await self._note("invalid", at, began, f"taken: {outcome.message}", held=False)

    async def _note(self, what: str, at: float, began: float, words: str, *, held: bool, version: str | None = None) -> None:
        """Note a change; it held only where the engine's next picture says the version that is to be in force."""
        took_s = time.monotonic() - began
        in_force = await self._in_force(version)
        self.made.append(Change(what, at, took_s, held and in_force == version, in_force, words))

    async def _in_force(self, wanted: str | None) -> str:
        for _ in range(8):  # pictures are taken four times a second
            view = await self._client.view()
            if view.guidelines_version == wanted or wanted is None:
                break
            await asyncio.sleep(0.1)
        return view.guidelines_version
