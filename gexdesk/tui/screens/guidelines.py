"""The guidelines: rules and their hits, the fault if there is one, what waits to be applied and what it would change."""

import os
import shlex
import subprocess
import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.level import LEVELS
from gexdesk.model.lever import Verb
from gexdesk.model.look import GuidelinesLook, GuidelinesSeen, RuleView, TrialView
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run, fit
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import BLANK, Pane
from gexdesk.tui.widgets.table import Column

COLUMNS = (
    Column("", 18, grows=12),
    Column("level", 8),
    Column("minute", 6, right=True),
    Column("session", 7, right=True),
    Column("conflicts", 9, right=True, rank=2),
    Column("last", 12, grows=4, rank=1),
    Column("when", 20, grows=90),
)
VIEWS = ("rules", "staged", "history", "text")


class GuidelinesPage(Page):
    """Show the set in force; edit it, see what a change would do, apply it, go back."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("e", "edit", "e", "edit", "edit the set in $EDITOR; what you save is checked and staged"),
        Key("v", "turn", "v", "staged, history, text", "the next view: rules, what is staged, history, the text"),
        Key("A", "apply", "A", "apply", "apply what is staged", acts=True),
        Key("B", "rollback", "B", "roll back", "in the history: go back to the version under the cursor", acts=True),
    )

    def __init__(self, house: House) -> None:
        self.seen: GuidelinesSeen | None = None
        self.view = "rules"
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the head, the rules and the lines of the other views."""
        self.rules: Listing[RuleView] = Listing(
            "rules", self.sight, "RULES", COLUMNS, row=self._row, text=lambda r: f"{r.name} {r.level} {r.when} {r.description}",
            nothing="the set has no rules",
        )  # fmt: skip
        self.table = self.rules
        self.lines = LinesPane("lines", self)
        return (HeadPane("head", self), self.rules, self.lines)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the head four lines; the rules, or what the view is, the rest."""
        x, y, width, height = space
        body = Region(x, y + 4, width, height - 4)
        return {"head": Region(x, y, width, 4)} | ({"rules": body} if self.view == "rules" else {"lines": body})

    async def fetch(self) -> None:
        """Ask for the guidelines. Raises EngineAway."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = await desk.look(GuidelinesLook())
        self.rules.records = {rule.name: rule for rule in self.seen.rules}
        if list(self.rules.records) != self.rules.rows and not self.rules.wanted:
            self.rules.sort()

    # ------------------------------------------------------------------ looking
    def action_turn(self) -> None:
        """Show the next view."""
        self.view = VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)]
        self.lines.first = 0
        self.rearrange()
        self.paint_body()

    def action_move(self, by: int) -> None:
        """Move in the rules, or in the lines of another view."""
        if self.view == "rules":
            super().action_move(by)
        else:
            self.lines.scroll(by)

    # ------------------------------------------------------------------ acting
    def action_edit(self) -> None:
        """Edit the set in $EDITOR and hand what was saved to the engine, which checks it; nothing is applied by that."""
        seen = self.seen
        if seen is None:
            self.notice.say("no guidelines to edit yet")
            return
        text = seen.staged.text if seen.staged is not None else seen.text
        if seen.file:
            path, own = Path(seen.file), False
        else:
            handle, name = tempfile.mkstemp(suffix=".toml", prefix="guidelines-")
            os.write(handle, text.encode())
            os.close(handle)
            path, own = Path(name), True
        before = path.read_bytes() if path.exists() else b""
        editor = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
        try:
            with self.app.suspend():
                subprocess.run([*shlex.split(editor), str(path)], check=False)
            after = path.read_bytes()
        except OSError as error:
            self.notice.say(f"{editor} could not be started: {error.strerror}; set $EDITOR", grave=True)
            return
        finally:
            if own:
                path.unlink(missing_ok=True)
        if after == before:
            self.notice.say("nothing was changed")
        elif own:
            # Without a file of its own the set can only be handed in: applying it asks for the reason.
            self.levers.open_at(Verb.APPLY, replace(self._aim(), text=after.decode("utf-8", "replace")))
        else:
            self.notice.say("saved; the engine checks it, and what it finds is shown here")
            self.view = "staged"
            self.rearrange()

    def action_apply(self) -> None:
        """Apply what is staged."""
        if self.seen is None or self.seen.staged is None:
            self.notice.say("nothing is staged: e edits, and what you save is staged")
            return
        self.levers.open_at(Verb.APPLY, self._aim())

    def action_rollback(self) -> None:
        """Go back to the version at the top of the history view."""
        seen = self.seen
        if seen is None or len(seen.history) < 2:
            self.notice.say("there is no earlier version")
            return
        if self.view != "history":
            self.view = "history"
            self.lines.first = 0
            self.rearrange()
            self.paint_body()
            self.notice.say("B again goes back; left and right pick the version")
            return
        aim = self._aim()
        earlier = tuple(version.version for version in seen.history if version.version != seen.version)
        self.levers.open_at(
            Verb.ROLLBACK, Aim("guidelines", "", f"guidelines from {seen.version}", revision=aim.revision, choices=earlier[:9])
        )

    def _aim(self) -> Aim:
        seen = self.seen
        words = f"guidelines {seen.staged.version if seen is not None and seen.staged is not None else ''}".strip()
        revision = seen.revision if seen is not None else None
        return Aim("guidelines", "", words, state=f"{seen.version if seen is not None else ''}", revision=revision)

    def _row(self, rule: RuleView) -> list[Run]:
        now = self.sight.now
        last = figures.UNKNOWN if rule.last_at is None else f"{rule.last_symbol} {figures.age(now - rule.last_at)}"
        off = "" if rule.active else "OFF  "
        only = " ".join((*rule.symbols, *rule.sessions))
        return [
            (rule.name, "" if rule.active else "faint"),
            (str(rule.level), ""),
            (figures.count(rule.last_minute), ""),
            (figures.count(rule.session), ""),
            (figures.count(rule.conflicts), "eye" if rule.conflicts else "faint"),
            (last, ""),
            (f"{off}{rule.when}{'   only ' + only if only else ''}", "" if rule.active else "faint"),
        ]


class HeadPane(Pane):
    """Say which set is in force, whose, since when; and what is wrong with the file or waits."""

    def __init__(self, id: str, page: GuidelinesPage) -> None:
        super().__init__(id, page.sight)
        self._page = page

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one of its lines."""
        seen = self._page.seen
        if seen is None:
            return ((" asking the engine ...", "faint"),) if y == 0 else BLANK
        if y == 0:
            by = f"  by {seen.author} {figures.day_and_time(int(seen.at))}: {seen.reason}" if seen.author else ""
            return ((" GUIDELINES  ", "bold"), (f"{seen.name} {seen.version}", "bold"), (by, "faint"))
        if y == 1:
            locked = f"   LOCKED to {figures.until(seen.locked_until, self.sight.now)}" if seen.locked_until is not None else ""
            counts = f" unmatched {seen.unmatched}   conflicts {seen.conflicts}   {seen.file or 'the shipped set'}"
            return ((counts, ""), (locked, "eye"), ("   applied on save" if seen.apply_on_save else "", "bold"))
        if y == 2 and seen.fault is not None:
            return ((f" ! {seen.fault.message}", "eye"),)
        if y == 2 and seen.staged is not None:
            trial = seen.staged.trial.words if seen.staged.trial is not None else seen.staged.trial_note
            return ((f" STAGED {seen.staged.version} by {seen.staged.author}  ", "bold"), (trial, ""))
        return BLANK


class LinesPane(Pane):
    """Draw the lines of a view that is no table: what is staged, the history, the text."""

    def __init__(self, id: str, page: GuidelinesPage) -> None:
        super().__init__(id, page.sight)
        self._page = page
        self._lines: list[list[Run]] = []
        self.first = 0

    def scroll(self, by: int) -> None:
        """Move the lines."""
        self.first = max(0, min(self.first + by, len(self._lines) - self.size.height))
        self.paint()

    def paint(self, rows: Iterable[int] | None = None) -> None:
        """Write the lines anew."""
        self._lines = self._write()
        super().paint(rows)

    def draw(self, y: int) -> Iterable[Run]:
        """Draw one line."""
        at = self.first + y
        return self._lines[at] if at < len(self._lines) else BLANK

    def _write(self) -> list[list[Run]]:
        seen = self._page.seen
        if seen is None:
            return []
        match self._page.view:
            case "text":
                return [[(f" {line}", "")] for line in seen.text.splitlines()]
            case "history":
                lines: list[list[Run]] = [[(" HISTORY, the newest first; B goes back", "bold")]]
                for version in seen.history:
                    mark = ">" if version.version == seen.version else " "
                    at = figures.day_and_time(int(version.at))
                    lines.append([(f" {mark} {version.version}  {at}  ", "bold"), (f"{version.author}: {version.reason}", "")])
                    lines += [_diff(line) for line in version.diff.splitlines()[2:]]
                return lines
            case _:
                return self._staged(seen)

    def _staged(self, seen: GuidelinesSeen) -> list[list[Run]]:
        if seen.staged is None:
            return [[(" nothing is staged: e edits the set, and what you save is checked and staged", "faint")]]
        lines = _trial(seen.staged.trial) if seen.staged.trial is not None else [[(f" {seen.staged.trial_note}", "faint")]]
        return [*lines, [], [(" CHANGES", "bold")], *(_diff(line) for line in seen.staged.diff.splitlines()[2:])]


def _diff(line: str) -> list[Run]:
    ink = "bold" if line[:1] in "+-" else "faint"
    return [(f"   {line}", ink)]


def _trial(trial: TrialView) -> list[list[Run]]:
    """Draw what a staged set would have decided, level by level."""
    lines: list[list[Run]] = [[(f" ON THE LAST {trial.rows:,} DECISIONS  ", "bold"), (trial.words, "")]]
    lines.append([(fit("   was \\ would be", 20), "faint"), *((fit(level, 10, right=True), "faint") for level in LEVELS)])
    for before in LEVELS:
        row: list[Run] = [(fit(f"   {before}", 20), "")]
        for after in LEVELS:
            count = trial.counts.get(before, {}).get(after, 0)
            moved = before is not after and count
            row.append((fit(figures.count(count) if count else ".", 10, right=True), "bold" if moved else "faint"))
        lines.append(row)
    for mover in trial.movers[:8]:
        lines.append([(f"   {fit(mover.symbol, 10)} {mover.before} -> {mover.after}  {mover.count:,}", "")])
    return lines
