"""Screens to be measured, and what serves them their pictures.

``python -m tests.bench._screens empty|sign``, ``... desk STATE``, and ``... serve-quiet|serve-busy STATE``.
"""

import asyncio
import random
import sys
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

EVERY_S = 0.25
JOBS_PER_S = 2_000


def main(kind: str, state: str = "") -> None:
    """Run one of them until its terminal goes."""
    match kind:
        case "empty":
            from textual.app import App

            App[None](ansi_color=True).run(mouse=False)
        case "sign":
            _sign()
        case "desk":
            _desk(Path(state))
        case _:
            asyncio.run(_serve(kind == "serve-busy", Path(state)))


def _desk(state: Path) -> None:
    """Show the desk of a state folder, as ``gexdesk`` does once its engine runs."""
    from gexdesk.api.client import Client
    from gexdesk.tui.app import DeskApp

    async def connect() -> Any:
        return Client(state)

    DeskApp(connect, sample=False, operator="jm").run(mouse=False)


async def _serve(busy: bool, state: Path) -> None:
    from gexdesk.api import door
    from gexdesk.api.app import make_app
    from gexdesk.api.guard import Guard
    from gexdesk.api.server import Server

    await Server(make_app(_Desk(busy), Guard(state)), door.listen(state)).start()  # type: ignore[arg-type]
    await asyncio.Event().wait()


def _sign() -> None:
    """Move one sign up and down: the least a key can do in Textual."""
    from rich.segment import Segment
    from textual.app import App
    from textual.binding import Binding
    from textual.geometry import Region
    from textual.strip import Strip
    from textual.widget import Widget

    class Sign(Widget):
        at = 0

        def render_line(self, y: int) -> Strip:
            return Strip([Segment((">" if y == self.at else " ") + " " * (self.size.width - 1))], self.size.width)

    class SignApp(App[None]):
        BINDINGS = [Binding("down", "move(1)"), Binding("up", "move(0)")]  # noqa: RUF012

        def compose(self) -> Any:
            self.sign = Sign()
            yield self.sign

        def action_move(self, to: int) -> None:
            self.sign.at = to
            self.sign.refresh(Region(0, 0, 1, 2))

    SignApp(ansi_color=True).run(mouse=False)


class _Desk:
    """Serve four views a second: of a desk where nothing changes but the time, or of one that does 2,000 jobs a second."""

    def __init__(self, busy: bool) -> None:
        self.busy = busy

    async def view(self) -> Any:
        return await anext(self.views())

    async def look(self, question: Any) -> Any:
        from gexdesk.model.look.incident import IncidentSeen

        incident = next(i for i in (await self.view()).incidents if i.number == question.number)
        return IncidentSeen(incident, (), (), "")

    async def views(self) -> AsyncIterator[Any]:
        sys.path.insert(0, str(Path(__file__).parents[1] / "tui"))
        import fake_desk
        from msgspec.structs import replace

        first = fake_desk.a_view()
        if not self.busy:
            # Times of long ago: words for ages change once in minutes.
            long_ago = fake_desk.AT - 7_200.0
            first = replace(
                first,
                sources=tuple(replace(s, last_at=long_ago, state="quiet") for s in first.sources),
                symbols=tuple(replace(s, as_of=long_ago, changed_at=long_ago) for s in first.symbols),
                incidents=(replace(first.incidents[0], opened_at=fake_desk.AT - 3 * 86_400.0, seen=True),),
                levels=tuple(replace(level, oldest_received_at=None, trend=(0,) * 120) for level in first.levels),
                guidelines=tuple(replace(g, last_at=long_ago) for g in first.guidelines),
            )
        view, chance, sequence = first, random.Random(3), 1
        while True:
            yield view
            await asyncio.sleep(EVERY_S)
            sequence += 1
            at = first.taken_at + sequence * EVERY_S
            view = replace(first, sequence=sequence, taken_at=at)
            if self.busy:
                view = _later(view, sequence, at, chance)


def _later(view: Any, sequence: int, at: float, chance: random.Random) -> Any:
    """Return the view of a busy desk some time later."""
    from msgspec.structs import replace

    from gexdesk.model.view.log import LogLine

    done = int(sequence * EVERY_S * JOBS_PER_S)

    def level(now: Any) -> Any:
        depth = max(0, int(chance.gauss(now.depth, 3 + now.depth / 10)))
        trend = (*now.trend[1:], depth)
        return replace(now, depth=depth, trend=trend, in_per_s=chance.uniform(400, 600), out_per_s=chance.uniform(400, 600),
                       oldest_received_at=at - chance.uniform(0.1, 5), count=now.count + done)  # fmt: skip

    def symbol(now: Any) -> Any:
        return replace(now, as_of=at - chance.uniform(0, 3), changed_at=at - chance.uniform(0, 3),
                       net_gex=(now.net_gex or 1e9) * chance.uniform(0.99, 1.01), added_s=chance.uniform(0.01, 0.3))  # fmt: skip

    log = tuple(
        LogLine(sequence * 8 + i, at - i / 8, "decision", f"{s.symbol} {s.level} {chance.random():.2f} high-realtime")
        for i, s in enumerate(chance.sample(view.symbols, 8))
    )
    return replace(
        view,
        levels=tuple(map(level, view.levels)),
        symbols=tuple(map(symbol, view.symbols)),
        sources=tuple(replace(s, last_at=at - chance.uniform(0, 3), queued=chance.randrange(9)) for s in view.sources),
        log=log, received=view.received + done, completed=view.completed + done,
        promises_kept=view.promises_kept + done // 20, promises_total=view.promises_total + done // 20,
    )  # fmt: skip


if __name__ == "__main__":
    main(*sys.argv[1:])
