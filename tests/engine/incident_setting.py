"""Incidents under a clock that stands until a test moves it, kept in a real folder."""

from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from gexdesk.engine.chronicle import Chronicle
from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.incidents import Incidents
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.incidents.shelf import Shelf
from gexdesk.engine.pager import Page, Pager, Paging
from gexdesk.model.view.incident import IncidentView
from gexdesk.stores.base import IncidentRecord
from tests.virtual_clock import VirtualClock


class HeardPager(Pager):
    """Keep the pages in place of running a command; what is wanted is decided by the real one."""

    def __init__(self, paging: Paging, chronicle: Chronicle) -> None:
        super().__init__(paging, chronicle)
        self.pages: list[Page] = []

    def send(self, page: Page) -> None:
        self.pages.append(page)


class Floor:
    """Hold the incidents of one folder and what they told.

    Args:
        readers: Who reads a symbol.
    """

    def __init__(
        self, folder: Path, clock: VirtualClock | None = None, readers: Callable[[Sequence[str]], tuple[str, ...]] | None = None,
        **paging: Any,
    ) -> None:  # fmt: skip
        self.clock = clock or VirtualClock()
        self.chronicle = Chronicle(self.clock)
        self.pager = HeardPager(Paging(**({"command": ("page",)} | paging)), self.chronicle)
        self.mutes = Mutes(folder / "mutes.json")
        self.recorded: list[IncidentRecord] = []
        self.incidents = Incidents(
            chronicle=self.chronicle, clock=self.clock, shelf=Shelf(folder / "incidents"), mutes=self.mutes, pager=self.pager,
            readers=readers or (lambda symbols: tuple(f"pit-{s.lower()}" for s in symbols)), note=self.recorded.append,
        )  # fmt: skip
        self.incidents.open()

    async def pass_s(self, seconds: int, *conditions: Condition) -> None:
        """Let so many seconds pass with these things wrong in each."""
        for _ in range(seconds):
            await self.clock.advance(1.0)
            await self.incidents.look(conditions)

    def shown(self) -> list[tuple[int, str, str]]:
        """Return number, state and subject of what a screen shows."""
        return [(view.number, view.state, view.subject) for view in self.incidents.views()]

    def view(self, number: int = 1) -> IncidentView:
        return next(view for view in self.incidents.views() if view.number == number)

    def timeline(self, number: int = 1) -> list[str]:
        incident = self.incidents.get(number)
        assert incident is not None
        return [entry.what for entry in incident.timeline]


def wrong(source: str = "cboe-spx", *, vendor: str = "cboe", **fields: Any) -> Condition:
    """Return that a source fails."""
    values: dict[str, Any] = {
        "kind": Kind.FEED_FAILING,
        "key": f"feed {source}",
        "severity": 2,
        "subject": source.partition("-")[2].upper(),
        "text": f"{source} fails: 503",
        "do_first": "the vendor",
        "source": source,
        "vendor": vendor,
        "symbols": (source.partition("-")[2].upper(),),
    }
    return Condition(**(values | fields))
