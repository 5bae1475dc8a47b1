"""``dead``: the dead letters that nobody settled: list, show, try again, let go."""

import asyncio
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Annotated
from uuid import uuid4

from cyclopts import App, Parameter
from cyclopts.validators import Number
from msgspec import Struct
from msgspec.structs import replace

from gexdesk.api.refusals import TooMany
from gexdesk.cli.answer import FEW, as_json, say, table
from gexdesk.cli.arguments import AsJson
from gexdesk.cli.levers import DryRun, Reason, pull_lever
from gexdesk.cli.progress import Progress
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import GexdeskError, LeverRefused, UnknownTarget
from gexdesk.model.lever import Lever, LeverOutcome, Verb
from gexdesk.model.look.source import DeadLook, DeadSeen

if TYPE_CHECKING:
    from gexdesk.api.client import Client

app = App(name="dead", help="List, show, try again or let go what could not be processed.")
LISTED = 1_000
"""As many letters as an engine gives at once."""

JobId = Annotated[str, Parameter(help="Id of the dead letter's job; `gexdesk dead list` lists them.")]
OneJob = Annotated[str, Parameter(help="Id of the dead letter's job; `gexdesk dead list` lists them. Leave out with --source.")]
OfSource = Annotated[str, Parameter(name="--source", help="All of this source's, a thousand at most, as one act for undo.")]


class Refused(Struct, frozen=True):
    """Say why one of several was not settled."""

    job_id: str
    message: str


class Settled(Struct, frozen=True):
    """Count what was done to the dead letters of a source, or in a dry run would be.

    Attributes:
        found: Letters that waited, those refused included; ``more`` where there were others that were not looked at.
        costs: What it costs, in words; the same for each.
    """

    source: str
    verb: str
    dry_run: bool
    found: int
    done: int
    refused: tuple[Refused, ...]
    costs: str
    more: bool


@app.command(name="list")
def list_(
    *,
    source: Annotated[str, Parameter(name="--source", help="Only this source's.")] = "",
    limit: Annotated[int, Parameter(name="--limit", help="How many, 1 to 1000.", validator=Number(gte=1, lte=LISTED))] = 100,
    at: At = HERE,
    json: AsJson = False,
) -> int:
    """List the dead letters of a running engine, the newest first.

    Example: `gexdesk dead list --source cboe-spx`
    """
    seen = _look(at, DeadLook(limit=limit, source=source))
    if json:
        as_json(seen)
        return 0
    if not seen.letters:
        say("no dead letters wait for anybody")
        return 0
    rows = [
        (_moment(letter.buried_at), letter.source, letter.payload_name or "-", letter.kind, str(letter.attempts),
         "yes" if letter.bytes_kept else "gone", letter.reason, letter.job_id)
        for letter in seen.letters
    ]  # fmt: skip
    table("Dead letters, the newest first", ["since", "source", "payload", "kind", "tries", "bytes", "reason", "job"], rows)
    if seen.more:
        all_of_them = 'gexdesk query "SELECT * FROM dead_letters"' if limit == LISTED else f"--limit {min(limit * 2, LISTED)}"
        say(f"there are more; {all_of_them} shows them")
    return 0


@app.command
def show(job: JobId, *, at: At = HERE, json: AsJson = False) -> int:
    """Show one dead letter.

    Example: `gexdesk dead show 18ea9ed400bf9400-00000001-724b7057`
    """
    letters = _look(at, DeadLook(limit=1, job_id=job)).letters
    if not letters:
        raise UnknownTarget(f"no dead letter of job {job!r} waits; `gexdesk dead list` shows those that do")
    [letter] = letters
    if json:
        as_json(letter)
        return 0
    rows = [
        ("job", letter.job_id), ("source", letter.source), ("payload", letter.payload_name or "-"),
        ("sha256", letter.payload_sha256), ("size", f"{letter.size_bytes:,} bytes, {'kept' if letter.bytes_kept else 'not kept'}"),
        ("received", _moment(letter.received_at)), ("buried", _moment(letter.buried_at)),
        ("stage", f"{letter.stage}, after {letter.attempts} tries"), ("reason", f"{letter.kind}: {letter.reason}"),
    ]  # fmt: skip
    table("Dead letter", ["", ""], rows)
    return 0


@app.command
def retry(
    job: OneJob = "", *, reason: Reason, source: OfSource = "", at: At = HERE, dry_run: DryRun = False, json: AsJson = False
) -> int:
    """Put a dead letter back into the queue, at its place, as if it had never been tried; with --source all of one source.

    Example: `gexdesk dead retry 18ea9ed400bf9400-00000001-724b7057 --reason "vendor mended the field"`
    """
    return _settle(at, Lever(Verb.RETRY, job, reason, target_kind="dead", dry_run=dry_run), source, json=json)


@app.command
def discard(
    job: OneJob = "", *, reason: Reason, source: OfSource = "", at: At = HERE, dry_run: DryRun = False, json: AsJson = False
) -> int:
    """Let a dead letter's bytes go, its record stays; with --source those of all letters of one source.

    Example: `gexdesk dead discard --source cboe-spx --reason "not ours" --dry-run`
    """
    return _settle(at, Lever(Verb.DISCARD, job, reason, target_kind="dead", dry_run=dry_run), source, json=json)


def _settle(at: At, lever: Lever, source: str, *, json: bool) -> int:
    if bool(lever.target) == bool(source):
        say("gexdesk: name one dead letter by its job, or all of a source with --source NAME; `gexdesk dead list` lists them.")
        return 2
    if not source:
        return pull_lever(at, lever, json=json)
    settled = asyncio.run(_settle_all(engine_at(at), lever, source))
    if json:
        as_json(settled)
    what = f"{settled.done:,} of {settled.found:,} dead letters of {source}"
    would = f"{'would be ' if lever.dry_run else ''}{'tried again' if lever.verb is Verb.RETRY else 'let go'}"
    if not settled.found:
        say(f"no dead letters of {source} wait for anybody")
    elif not json or settled.refused:
        say(f"{what} {would}{f'; {settled.costs}' if settled.costs else ''}")
    for refused in settled.refused[:FEW]:
        say(f"gexdesk: {refused.job_id}: {refused.message}")
    if len(settled.refused) > FEW:
        say(f"... and {len(settled.refused) - FEW:,} more; --json names them all")
    if settled.more:
        say(f"there are more than {settled.found:,}; the same again acts on the next")
    return 1 if settled.refused else 0


async def _settle_all(engine: "Client", lever: Lever, source: str) -> Settled:
    """Pull a lever on every dead letter of a source, one act for undo; each may be refused by itself.

    Raises:
        UnknownTarget: There is no such source.
        EngineAway: No engine answers; what was done by then is done.
    """
    seen = await engine.look(DeadLook(limit=LISTED, source=source))
    if not seen.letters:
        names = [one.name for one in (await engine.view()).sources]
        if source not in names:
            raise UnknownTarget(f"no source is named {source!r}; there are {', '.join(names) or 'none'}")
    act, done, costs = uuid4().hex, 0, ""
    refused: list[Refused] = []
    with Progress("looked at" if lever.dry_run else "settled", len(seen.letters)) as progress:
        # The oldest first: they wait at their own places again, and who stops half-way leaves the newest.
        for number, letter in enumerate(reversed(seen.letters)):
            try:
                outcome = await _in_time(engine, replace(lever, target=letter.job_id, together=act))
            except (LeverRefused, UnknownTarget) as error:
                refused.append(Refused(letter.job_id, error.message))
            except GexdeskError as error:
                if done and not lever.dry_run:
                    error.message += f"; {done:,} of {len(seen.letters):,} were settled before it, the same again does the rest"
                raise
            else:
                done, costs = done + 1, outcome.costs
            progress.show(number + 1)
    return Settled(source, lever.verb, lever.dry_run, len(seen.letters), done, tuple(refused), costs, seen.more)


async def _in_time(engine: "Client", lever: Lever) -> LeverOutcome:
    """Pull a lever, as often as the rate of our key allows. Raises as ``pull``."""
    while True:
        try:
            return await engine.pull(lever)
        except TooMany as error:
            wait_s = error.details.get("retry_after_s")
            await asyncio.sleep(wait_s if isinstance(wait_s, int | float) else 1.0)


def _look(at: At, question: DeadLook) -> DeadSeen:
    return asyncio.run(engine_at(at).look(question))


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
