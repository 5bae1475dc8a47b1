"""The guidelines: rules and their hits, the fault if there is one, what waits to be applied and what it would change."""

from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.guidelines import GuidelinesLook, GuidelinesSeen, RuleView, VersionView
from gexdesk.tui import figures
from gexdesk.tui.editing import Editing
from gexdesk.tui.forms.aim import Aim
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import Key
from gexdesk.tui.screens.reading import CROSS, ReadingPage
from gexdesk.tui.trial import diff_line, staged_lines
from gexdesk.tui.widgets.lines import LinesPane, fact, facts
from gexdesk.tui.widgets.listing import Listing
from gexdesk.tui.widgets.pane import BLANK, Pane
from gexdesk.tui.widgets.table import Column, Table

COLUMNS = (
    Column("", 24, grows=12),
    Column("level", 8),
    Column("minute", 6, right=True),
    Column("session", 7, right=True),
    Column("conflicts", 9, right=True, rank=2),
    Column("last", 12, grows=4, rank=1),
    Column("when", 20, grows=90),
)
VERSIONS = (
    Column("", 14),
    Column("", 1),
    Column("since", 19),
    Column("by", 10, grows=6),
    Column("because", 20, grows=100),
)
VIEWS = ("rules", "staged", "history", "text")


class GuidelinesPage(ReadingPage):
    """Show the set in force; edit it, see what a change would do, apply it, go back."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("e", "edit", "e", "edit", "edit the set in $EDITOR; what you save is checked and staged"),
        Key("v", "turn", "v", "staged, history, text", "the next view: rules, what is staged, history, the text"),
        Key("A", "apply", "A", "apply", "apply what is staged", acts=True),
        Key("B", "rollback", "B", "roll back", "in the history: go back to the version under the cursor", acts=True),
        CROSS,
    )

    def __init__(self, house: House) -> None:
        self.seen: GuidelinesSeen | None = None
        self.view = "rules"
        super().__init__(house)
        self.editing = Editing(
            house, self.notice, self.levers, aim=self._aim, suspend=self._suspend, show=self._show, paint=self.paint_body
        )

    def panes(self) -> Sequence[Pane]:
        """Return the head, the rules and the lines of the other views."""
        self.rules: Listing[RuleView] = Listing(
            "rules", self.sight, "RULES", COLUMNS, row=self._row, text=lambda r: f"{r.name} {r.level} {r.when} {r.description}",
            nothing="the set has no rules",
        )  # fmt: skip
        self.versions: Listing[VersionView] = Listing(
            "versions", self.sight, "HISTORY", VERSIONS, row=self._version, nothing="no version decided yet",
            text=lambda v: f"{v.version} {v.author} {v.reason}",
        )  # fmt: skip
        self.table = self.rules
        self.lines = LinesPane("lines", self.sight, self._lines)
        return (HeadPane("head", self), self.rules, self.versions, self.lines)

    def place(self, space: Region) -> dict[str, Region]:
        """Give the head four lines; the rest to the rules and the one under the cursor, or to what the view is."""
        x, y, width, height = space
        found = {"head": Region(x, y, width, 4)}
        if self.view in ("rules", "history"):
            name, lower = ("rules", 5) if self.view == "rules" else ("versions", (height - 4) * 3 // 5)
            upper = height - 4 - lower
            return found | {name: Region(x, y + 4, width, upper), "lines": Region(x, y + 4 + upper, width, lower)}
        return found | {"lines": Region(x, y + 4, width, height - 4)}

    async def fetch(self) -> None:
        """Ask for the guidelines. Raises EngineAway."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        self.seen = await desk.look(GuidelinesLook())
        self.rules.records = {rule.name: rule for rule in self.seen.rules}
        if list(self.rules.records) != self.rules.rows and not self.rules.wanted:
            self.rules.sort()
        # The same text may come into force again: a version alone names no row.
        self.versions.take({f"{version.version} {version.at}": version for version in self.seen.history})

    # ------------------------------------------------------------------ looking
    def action_turn(self) -> None:
        """Show the next view."""
        self._show(VIEWS[(VIEWS.index(self.view) + 1) % len(VIEWS)])

    def moved(self) -> None:
        """Tell about the row under the cursor."""
        self.lines.paint()

    def _show(self, view: str) -> None:
        self.view, self.reading, self.lines.first = view, False, 0
        tables: dict[str, Table] = {"rules": self.rules, "history": self.versions}
        self.table = tables.get(view)
        self.rearrange()
        self.paint_body()

    def _suspend(self) -> AbstractContextManager[None]:
        return self.app.suspend()

    # ------------------------------------------------------------------ acting
    def action_edit(self) -> None:
        """Edit the set; what was saved is checked by the engine, and nothing is applied by that."""
        if self.seen is None:
            self.notice.say("no guidelines to edit yet")
        else:
            self.editing.edit(self.seen)

    def acted(self) -> None:
        """Forget an edit that is applied."""
        self.editing.draft = ""
        super().acted()

    def action_apply(self) -> None:
        """Apply what is staged."""
        if self.seen is None or self.seen.staged is None:
            self.notice.say("nothing is staged: e edits, and what you save is staged")
            return
        self.levers.open_at(Verb.APPLY, self._aim())

    def action_rollback(self) -> None:
        """Go back to the version under the cursor of the history; show that first."""
        seen = self.seen
        if seen is None or len(seen.history) < 2:
            self.notice.say("there is no earlier version")
            return
        if self.view != "history":
            self._show("history")
            earlier = (name for name, version in self.versions.records.items() if version.version != seen.version)
            self.versions.cursor = next(earlier, self.versions.cursor)
            self.versions.paint()
            self.lines.paint()
            self.notice.say("up and down pick the version, B again goes back to it")
            return
        chosen = self.versions.under_cursor
        if chosen is None or chosen.version == seen.version:
            self.notice.say("that version is in force: pick an earlier one")
            return
        aim = Aim("guidelines", "", f"guidelines from {seen.version}", revision=self._aim().revision, choices=(chosen.version,))
        self.levers.open_at(Verb.ROLLBACK, aim)

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


    def _version(self, version: VersionView) -> list[Run]:
        in_force = self.seen is not None and version.version == self.seen.version
        return [
            (version.version, "bold" if in_force else ""),
            (">" if in_force else "", "bold"),
            (figures.day_and_time(int(version.at)), ""),
            (version.author, ""),
            (version.reason, ""),
        ]

    # ------------------------------------------------------------------ drawing
    def _lines(self, width: int) -> list[list[Run]]:
        seen = self.seen
        if seen is None:
            return []
        match self.view:
            case "text":
                return [[(f" {line}", "")] for line in seen.text.splitlines()]
            case "history":
                chosen = self.versions.under_cursor
                if chosen is None:
                    return []
                changes = chosen.diff.splitlines()[2:]
                title = f" {chosen.version} CHANGED" if changes else f" {chosen.version}: the first one, or the same text again"
                return [[], [(title, "bold")], *(diff_line(line) for line in changes)]
            case "rules":
                return self._rule(width)
            case _:
                return staged_lines(seen, width)

    def _rule(self, width: int) -> list[list[Run]]:
        """Tell all of what is wrong with an edit or the file, else of the rule under the cursor."""
        fault = self.seen.fault if self.seen is not None else None
        refusal = self.editing.refusal
        if refusal is not None:
            words = "  nothing was changed; e goes on with it"
            return [[], [(" YOUR EDIT CANNOT BE USED ", "badge"), (words, "bold")], *fact("", refusal.message, width, "eye")]
        if fault is not None:
            words = f"  {fault.file} by {fault.author}; what was in force stays, e mends it"
            return [[], [(" THE FILE CANNOT BE USED ", "badge"), (words, "bold")], *fact("", fault.message, width, "eye")]
        rule = self.rules.under_cursor
        if rule is None:
            return []
        ends = "" if rule.expires is None else f"; ends {figures.until(rule.expires, self.sight.now)}"
        only = f"; only {' '.join((*rule.symbols, *rule.sessions))}" if rule.symbols or rule.sessions else ""
        head = f"{rule.level}, at least {rule.score:.2f}{only}{ends}{'' if rule.active else '; OFF'}"
        return [
            [], [(f" {rule.name} ", "badge"), (f"  {head}", "bold")],
            *facts([("when", rule.when, ""), ("says", rule.description, "")], width),
        ]  # fmt: skip


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
