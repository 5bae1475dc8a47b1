"""``dead``: the dead letters that nobody settled: list, show, try again, let go."""

import asyncio
from datetime import UTC, datetime
from typing import Annotated

from cyclopts import App, Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson
from gexdesk.cli.levers import DryRun, Reason, pull_lever
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import UnknownTarget
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.source import DeadLook, DeadSeen

app = App(name="dead", help="List, show, try again or let go what could not be processed.")
JobId = Annotated[str, Parameter(help="Id of the dead letter's job; `gexdesk dead list` lists them.")]


@app.command(name="list")
def list_(
    *,
    source: Annotated[str, Parameter(name="--source", help="Only this source's.")] = "",
    limit: Annotated[int, Parameter(name="--limit", help="How many, the newest first.")] = 100,
    at: At = HERE,
    json: AsJson = False,
) -> int:
    """List the dead letters of a running engine.

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
        say(f"there are more; --limit {limit * 2} shows them")
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
def retry(job: JobId, *, reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False) -> int:
    """Put a dead letter back into the queue, at its place, as if it had never been tried.

    Example: `gexdesk dead retry 18ea9ed400bf9400-00000001-724b7057 --reason "vendor mended the field"`
    """
    return pull_lever(at, Lever(Verb.RETRY, job, reason, target_kind="dead", dry_run=dry_run), json=json)


@app.command
def discard(job: JobId, *, reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False) -> int:
    """Let a dead letter's bytes go; its record stays.

    Example: `gexdesk dead discard 18ea9ed400bf9400-00000001-724b7057 --reason "not ours"`
    """
    return pull_lever(at, Lever(Verb.DISCARD, job, reason, target_kind="dead", dry_run=dry_run), json=json)


def _look(at: At, question: DeadLook) -> DeadSeen:
    return asyncio.run(engine_at(at).look(question))


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"
