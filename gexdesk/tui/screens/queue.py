"""The queue in true order: what is next, when its turn comes, and why it stands there."""

from collections.abc import Iterable, Sequence
from typing import ClassVar

from textual.geometry import Region

from gexdesk.model.errors import EngineAway
from gexdesk.model.lever import Verb
from gexdesk.model.look.queue import JobsLook, JobView
from gexdesk.tui import figures
from gexdesk.tui.forms.aim import ON_SOURCES, Aimed, at_job, lever_on_source
from gexdesk.tui.house import House
from gexdesk.tui.ink import Run
from gexdesk.tui.keys import LEVER_KEYS, Key
from gexdesk.tui.screens.page import Page
from gexdesk.tui.sight import Sight
from gexdesk.tui.widgets.listing import Listing, Order
from gexdesk.tui.widgets.pane import Pane
from gexdesk.tui.widgets.table import Column

LIMIT = 500

COLUMNS = (
    Column("", 14, grows=6),
    Column("next", 6, right=True),
    Column("level", 12),
    Column("symbol", 7),
    Column("source", 16, rank=1, grows=8),
    Column("score", 5, right=True, rank=3),
    Column("waits", 7, right=True),
    Column("promise", 8, right=True, rank=2),
    Column("turn in", 8, right=True),
    Column("try", 3, right=True, rank=5),
    Column("because", 12, rank=4, grows=60),
)


class WhyPane(Pane):
    """Say why the job under the cursor stands where it stands."""

    def __init__(self, id: str, sight: Sight, table: "Listing[JobView]") -> None:
        super().__init__(id, sight)
        self._table = table

    def draw(self, y: int) -> Iterable[Run]:
        """Draw its one line."""
        job = self._table.under_cursor
        if self._table.cursor is None and self._table.rows:
            return ((" the rows follow the true order; j takes one and all stand, k at the top goes on", "faint"),)
        if job is None:
            return ((" nothing under the cursor", "faint"),)
        return ((f" {job.reason or 'decided by an earlier engine'}", ""), (f"   {job.note}" if job.note else "", "bold"))


class QueuePage(Page):
    """Show waiting jobs, of all sources or of one."""

    KEYS: ClassVar[tuple[Key, ...]] = (
        Key("s", "sort", "s", "sort", "put the rows into the present order"),
        Key("p,enter", "payload", "p", "payload", "the job's payload: its bytes, every decision on it, how far it came"),
        Key("o", "source", "o", "source", "the source it came from"),
        *(key for key in LEVER_KEYS if key.action != "lever('failover')"),
        Key("X", "lever('cancel')", "X", "cancel", "end the job; its payload stays and can be had back", acts=True),
    )

    def __init__(self, house: House, source: str = "") -> None:
        self._source = source
        self._total = 0
        super().__init__(house)

    def panes(self) -> Sequence[Pane]:
        """Return the list and the line that says why."""
        title = f"QUEUE of {self._source}" if self._source else "QUEUE"
        self.jobs: Listing[JobView] = Listing(
            "jobs", self.sight, title, COLUMNS, row=self._row, nothing="nothing waits",
            text=lambda job: f"{job.symbol} {job.source} {job.level} {job.winner} {job.note}",
        )  # fmt: skip
        self.jobs.order = Order.HOVER
        self.table = self.jobs
        return (self.jobs, WhyPane("why", self.sight, self.jobs))

    def place(self, space: Region) -> dict[str, Region]:
        """Give the list all but one line."""
        x, y, width, height = space
        return {"jobs": Region(x, y, width, height - 1), "why": Region(x, y + height - 1, width, 1)}

    async def fetch(self) -> None:
        """Ask for the next jobs. Raises EngineAway."""
        desk = self.house.desk()
        if desk is None:
            raise EngineAway("no engine answers")
        seen = await desk.look(JobsLook(limit=LIMIT, source=self._source))
        self._total = seen.total
        self.jobs.gone_words = "further back now, or taken" if seen.total > len(seen.jobs) else "has been taken"
        self.jobs.take({job.job_id: job for job in seen.jobs})

    def moved(self) -> None:
        """Say why the row under the cursor stands there."""
        self.body[1].paint()

    def aim(self, verb: Verb) -> Aimed:
        """Aim at the job under the cursor; a pause at its source."""
        job, view = self.jobs.under_cursor, self.sight.shown
        if job is None or view is None:
            return "no waiting job under the cursor"
        if verb in ON_SOURCES:
            source = self.sight.source(job.source)
            if source is None:
                return f"the engine no longer knows {job.source}"
            return lever_on_source(verb, source, view)
        return verb, at_job(job)

    def action_payload(self) -> None:
        """Open the payload of the job under the cursor, one that was taken meanwhile as well."""
        # To look at the first one is harmless before a row is taken: it acts on nothing.
        job_id = self.jobs.cursor or next(iter(self.jobs.rows), None)
        if job_id in self.jobs.rows:
            self.open_page("payload", str(job_id))

    def action_source(self) -> None:
        """Open the source of the job under the cursor."""
        if (job := self.jobs.under_cursor) is not None:
            self.open_page("source", job.source)

    def action_sort(self) -> None:
        """Put the rows into the present order."""
        self.jobs.sort()
        self.jobs.paint()

    def _row(self, job: JobView) -> list[Run]:
        now = self.sight.now
        held = job.position is None
        place = {"head": " first", "escalated": " raised"}.get(job.place, "")
        return [
            (job.job_id, "faint"),
            ("held" if held else figures.count(job.position or 0), "bold" if held else ""),
            (f"{job.level}{place}", "bold" if place else ""),
            (job.symbol or "several", "" if job.symbol else "faint"),
            (job.source, ""),
            (f"{job.score:.2f}", ""),
            (figures.age(now - job.received_at), "eye" if job.deadline_at is not None and now > job.deadline_at else ""),
            (figures.UNKNOWN if job.deadline_at is None else figures.promise(job.deadline_at - job.received_at), "faint"),
            (figures.UNKNOWN if job.starts_in_s is None else figures.age(job.starts_in_s), ""),
            (str(job.attempt), "eye" if job.attempt > 1 else "faint"),
            (" ".join(filter(None, ("superseded" if job.superseded else "", job.note, job.winner))), ""),
        ]
