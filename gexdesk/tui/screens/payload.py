"""One payload: where it came from, its first bytes, every decision on it, what it made and what became of it."""

from collections.abc import Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.source import PayloadLook, PayloadSeen
from gexdesk.model.record_view import BeginningView
from gexdesk.tui import figures
from gexdesk.tui.decided import decided_lines
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit, width_of
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.dead import at_letter
from gexdesk.tui.screens.reading import ReadingPage
from gexdesk.tui.widgets.lines import LinesPane, facts
from gexdesk.tui.widgets.pane import Pane

BYTES = (8 * 1024, 64 * 1024)


class PayloadPage(ReadingPage):
    """Show one payload by its job."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("tab", "cross", "Tab", "other side", "the cursor keys scroll what is known of it, or its bytes"),
        Key("m", "more", "m", "more bytes", "its first 64 kB in place of 8"),
        Key("o", "source", "o", "source", "the source it came from"),
        Key("T", "lever('retry')", "T", "try again", "a dead letter: put it back into the queue", acts=True),
        Key("D", "lever('discard')", "D", "discard", "a dead letter: let its bytes go", acts=True),
    )

    def __init__(self, house: House, job_id: str) -> None:
        self.job_id = job_id
        self.seen: PayloadSeen | None = None
        self.beginning: BeginningView | None = None
        self._wanted = BYTES[0]
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return what is known of it, and its bytes."""
        self.about = LinesPane("about", self.sight, self._about)
        self.bytes = LinesPane("bytes", self.sight, self._bytes)
        self.lines = self.bytes
        return (self.about, self.bytes)

    def place(self, space: Region) -> dict[str, Region]:
        """Put both side by side where there is room, else one over the other."""
        x, y, width, height = space
        if width >= 150:
            left = width * 9 // 20
            return {"about": Region(x, y, left, height), "bytes": Region(x + left + 2, y, width - left - 2, height)}
        upper = height // 2
        return {"about": Region(x, y, width, upper), "bytes": Region(x, y + upper, width, height - upper)}

    async def fetch(self) -> None:
        """Ask how it stands, and once for its bytes. Raises EngineAway, UnknownTarget, StoreError."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        asked = self._wanted if self.beginning is None else 0
        self.seen = await desk.look(PayloadLook(self.job_id, bytes_wanted=asked))
        if asked:
            self.beginning = self.seen.beginning

    # ------------------------------------------------------------------ going on
    def action_cross(self) -> None:
        """Let the cursor keys scroll the other side."""
        self.lines = self.about if self.lines is self.bytes else self.bytes
        self.paint_body()

    def action_more(self) -> None:
        """Show more of its bytes."""
        self._wanted, self.beginning = BYTES[1], None
        self.ask()

    def action_source(self) -> None:
        """Open its source."""
        if self.seen is not None:
            self.open_page("source", self.seen.source)

    def aim(self, verb: Verb) -> "tuple[Verb, Aim] | str":
        """Aim at its dead letter."""
        letter = self.seen.letter if self.seen is not None else None
        return at_letter(letter, verb) if letter is not None else "it is no dead letter"

    # ------------------------------------------------------------------ drawing
    def _title(self, words: str, pane: LinesPane) -> Run:
        return (f" {words} ", "row" if self.lines is pane else "bold")

    def _about(self, width: int) -> list[list[Run]]:
        seen, now = self.seen, self.sight.now
        if seen is None:
            return [[self._title("PAYLOAD", self.about), (f"  {self.job_id}  asking the engine ...", "faint")]]
        stands = seen.stands
        bad = stands.status in ("DEAD", "DISCARDED")
        level = f"  {stands.level}" if stands.level is not None else ""
        lines: list[list[Run]] = [
            [
                self._title("PAYLOAD", self.about),
                (f"  {'! ' if bad else ''}{stands.status or 'not known'}", "eye" if bad else "bold"),
                (level, "bold"),
                (f"  of {seen.source}", ""),
            ]
        ]
        pairs: list[tuple[str, str, str]] = []
        if seen.letter is not None:
            pairs.append(("gave up", f"{seen.letter.kind.replace('_', ' ')} at {seen.letter.stage}: {seen.letter.reason}", "eye"))
        elif stands.error:
            pairs.append(("error", stands.error, "eye"))
        if seen.received_at is not None:
            at = f"{figures.day_and_time(int(seen.received_at))}, {figures.age(now - seen.received_at)} ago"
            pairs.append(("received", at, ""))
        pairs.append(("way", _way(seen), ""))
        content = f", {seen.content_type}" if seen.content_type else ""
        pairs.append(("bytes", f"{figures.size(seen.size_bytes)} ({seen.size_bytes:,}){content}", ""))
        pairs += [("name", seen.name, "")] if seen.name else []
        pairs += [("note", stands.note, "bold")] if stands.note else []
        pairs += [("attempts", str(stands.attempts), "bold")] if stands.attempts > 1 else []
        pairs += [("asked for by", seen.asked_by, "")] if seen.asked_by else []
        pairs += [("times shifted", f"by {seen.time_shift_s:,.0f} s, as a replay does", "")] if seen.time_shift_s else []
        lines += facts(pairs, width)
        lines += self._made(seen, width)
        for one in seen.decisions:
            lines += [[], *decided_lines(one, width, now)]
        if not seen.decisions:
            lines += [[], [(" not decided: no decision of it is recorded", "faint")]]
        lines += [[], *facts([("sha256", seen.sha256, "faint"), ("job", seen.job_id, "faint")], width)]
        return lines

    def _made(self, seen: PayloadSeen, width: int) -> list[list[Run]]:
        if not seen.snapshots:
            return []
        count = max(len(seen.snapshots), seen.stands.records)
        lines: list[list[Run]] = [[], [(f" MADE {figures.many(count, 'snapshot')}", "bold")]]
        for one in seen.snapshots:
            flags = " ".join(one.flags).replace("_", " ")
            net = fit(figures.billions(one.net_gex, one.gross_gex), 10, right=True)
            lines.append(
                [
                    (f"   {fit(one.symbol, 8)}{figures.time_of_day(int(one.as_of))} ", ""),
                    (f"{fit(figures.price(one.spot), 9, right=True)} {net}", ""),
                    ("  HELD BACK" if one.quarantined else "" if one.quarantined is False else "  HELD BACK? UNKNOWN", "eye"),
                    (f"  revision {one.revision}" if one.revision > 1 else "", "faint"),
                    (f"  {flags}" if flags else "", "bold"),
                ]
            )
        return lines

    def _bytes(self, width: int) -> list[list[Run]]:
        found = self.beginning
        title = self._title("BYTES", self.bytes)
        if found is None:
            return [[title, ("  asking the engine ...", "faint")]]
        packed = f", inside {found.packed}" if found.packed else ""
        shown = "all of it" if found.whole else f"the first {figures.size(found.shown_bytes)}"
        head: list[Run] = [title, (f"  {shown}{packed}, as {found.kind}", "faint")]
        lines = [head, *([[(f" ! {found.trouble}", "eye")]] if found.trouble else [])]
        room = max(20, width - 2)
        for line in found.lines:
            lines += [[(f" {part}", "")] for part in _broken(line, room)]
        return lines


def _broken(line: str, width: int) -> list[str]:
    """Break a line where it is full, wherever that is: bytes have no words."""
    if line.isascii():
        return [line[at : at + width] for at in range(0, len(line), width)] or [""]
    parts, part = [], ""
    for c in line:
        if width_of(part + c) > width:
            parts.append(part)
            part = ""
        part += c
    return [*parts, part]


def _way(seen: PayloadSeen) -> str:
    """Say how long each step took."""
    stands, begun = seen.stands, seen.received_at
    if begun is None:
        return figures.UNKNOWN
    steps = (
        ("decided", stands.decided_at), ("begun", stands.started_at), ("available", stands.available_at),
        ("given up" if seen.letter is not None or stands.status == "DISCARDED" else "stored", stands.completed_at),
    )  # fmt: skip
    told = [f"{word} after {figures.latency(at - begun)}" for word, at in steps if at is not None]
    return ", ".join(told) if told else "not decided yet"
