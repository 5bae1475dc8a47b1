"""The dead letters: what could not be used and why, to be tried again or let go."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.source import DeadLook, DeadView
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.reading import CROSS, ReadingPage
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

LIMIT = 500
COLUMNS = (
    Column("", 10),
    Column("source", 14, grows=8),
    Column("stage", 8),
    Column("kind", 17, rank=2, grows=6),
    Column("size", 8, right=True, rank=3),
    Column("try", 3, right=True, rank=4),
    Column("reason", 24, grows=110),
)


class DeadPage(ReadingPage):
    """Show dead letters that nobody settled, of all sources or of one: the newest first, and at the end what comes meanwhile."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("p,enter", "payload", "p", "payload", "its bytes, every decision on it, and what became of it"),
        Key("o", "source", "o", "source", "the source it came from"),
        CROSS,
        Key("T", "lever('retry')", "T", "try again", "put it back into the queue at its place", acts=True),
        Key("D", "lever('discard')", "D", "discard", "let its bytes go; its record stays", acts=True),
    )
    EVERY_S = 2.0

    def __init__(self, house: House, source: str = "") -> None:
        self._source = source
        self._more = False
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the list and all of the letter under the cursor."""
        title = f"DEAD LETTERS of {self._source}" if self._source else "DEAD LETTERS"
        self.letters: Listing[DeadView] = Listing(
            "letters", self.sight, title, COLUMNS, row=self._row, nothing="there is none: everything that came could be used",
            text=lambda d: f"{d.source} {d.stage} {d.kind} {d.reason} {d.payload_name} {d.job_id}",
        )  # fmt: skip
        self.letters.order = Order.STEADY
        self.table = self.letters
        self.lines = LinesPane("letter", self.sight, self._letter)
        return (self.letters, self.lines)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the letter under the cursor what it needs, the list the rest."""
        x, y, width, height = space
        rows = min(9, height // 2)
        return {"letters": Region(x, y, width, height - rows), "letter": Region(x, y + height - rows, width, rows)}

    async def fetch(self) -> None:
        """Ask for the dead letters. Raises EngineAway, StoreError."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        seen = await desk.look(DeadLook(limit=LIMIT, source=self._source))
        self._more = seen.more
        settled = "settled: tried again or discarded"
        self.letters.gone_words = f"beyond the newest {LIMIT}, or {settled}" if seen.more else settled
        self.letters.take({letter.job_id: letter for letter in seen.letters})

    def moved(self) -> None:
        """Tell about the letter under the cursor."""
        self.lines.paint()

    def action_payload(self) -> None:
        """Open the payload of the letter under the cursor."""
        if (letter := self.letters.under_cursor) is not None:
            self.open_page("payload", letter.job_id)

    def action_source(self) -> None:
        """Open the source of the letter under the cursor."""
        if (letter := self.letters.under_cursor) is not None:
            self.open_page("source", letter.source)

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Aim at the letter under the cursor."""
        letter = self.letters.under_cursor
        if letter is None:
            return "no dead letter under the cursor"
        return at_letter(letter, verb)

    def _row(self, letter: DeadView) -> list[Run]:
        return [
            (figures.time_of_day(int(letter.buried_at)), ""),
            (letter.source, ""),
            (letter.stage, ""),
            (letter.kind.replace("_", " "), "bold"),
            (figures.size(letter.size_bytes), ""),
            (str(letter.attempts), "bold" if letter.attempts > 1 else "faint"),
            (letter.reason, ""),
        ]

    def _letter(self, width: int) -> list[list[Run]]:
        letter, now = self.letters.under_cursor, self.sight.now
        if letter is None:
            return []
        more = f"   more than {LIMIT} wait: `gexdesk dead list` has them all" if self._more else ""
        head: list[Run] = [(f" {letter.kind.replace('_', ' ')} ", "badge"), (f"  {letter.job_id}", "faint"), (more, "eye")]
        tries = "1 try" if letter.attempts == 1 else f"{letter.attempts} tries"
        kept = "kept until somebody discards it" if letter.bytes_kept else "gone: it cannot be tried again"
        return [
            head,
            *facts(
                [
                    ("reason", letter.reason, "bold"),
                    ("from", f"{letter.source}  {letter.payload_name}", ""),
                    ("received", _moment(letter.received_at, now), ""),
                    ("given up", f"{_moment(letter.buried_at, now)}, at {letter.stage}, after {tries}", ""),
                    ("bytes", f"{figures.size(letter.size_bytes)}, {kept}", "" if letter.bytes_kept else "eye"),
                    ("sha256", letter.payload_sha256, "faint"),
                ],
                width,
            ),
        ]


def at_letter(letter: DeadView, verb: Verb) -> "tuple[Verb, Aim] | str":
    """Aim at a dead letter, where the verb can do anything with it."""
    if verb is Verb.RETRY and not letter.bytes_kept:
        return f"the bytes of {letter.job_id} are gone: it cannot be tried again"
    what = letter.payload_name or letter.job_id
    return verb, Aim("dead", letter.job_id, f"dead letter {what} of {letter.source}", state="a dead letter")


def _moment(at: float, now: float) -> str:
    return f"{figures.day_and_time(int(at))}, {figures.age(now - at)} ago"
