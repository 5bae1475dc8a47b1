"""The operator's levers and looks from the command line, on a running engine."""

import asyncio
import re
from collections.abc import Set
from difflib import get_close_matches
from typing import Annotated

from cyclopts import Parameter
from cyclopts.validators import Number
from msgspec.structs import replace

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, span_s
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import LeverRefused, UnknownTarget
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.queue import JobsLook, JobsSeen
from gexdesk.model.text import symbol_of
from gexdesk.model.view.source import SourceView

KINDS = ("source", "symbol", "job")
_JOB_ID = re.compile(r"[0-9a-f]{16}-[0-9a-f]{8}-[0-9a-f]{8}")
Target = Annotated[
    str, Parameter(help="A source, a symbol or a job: `cboe-spx`, `SPX`, `job:ID`; `symbol:SPX` where a source has that name, too. "
    "`gexdesk sources` lists sources, `gexdesk queue --list` jobs.")
]
Kind = Annotated[str, Parameter(name="--kind", help="source, symbol or job, where the name alone leaves it open.")]
Reason = Annotated[str, Parameter(name="--reason", help="Why; goes to the audit.")]
Span = Annotated[str, Parameter(name="--for", help="How long it stands, e.g. 15m; `none` has no end.")]
DryRun = Annotated[bool, Parameter(negative="", help="Only say what would happen.")]


def sources(*, at: At = HERE, json: AsJson = False) -> int:
    """List the sources with state, level and figures.

    Example: `gexdesk sources --json`
    """
    view = asyncio.run(engine_at(at).view())
    if json:
        as_json({"sources": view.sources, "total_count": len(view.sources)})
        return 0
    def level(source: SourceView) -> str:
        held = f" ({source.override} by {source.override_by})" if source.override_by else ""
        return f"{source.level or '-'}{held}"

    rows = [
        (s.name, s.carries, s.state, level(s), str(s.queued), str(s.rate_per_min), str(s.errors_5m), s.last_error)
        for s in view.sources
    ]
    table("Sources", ["source", "carries", "state", "level", "queued", "/min", "err 5m", "last error"], rows)
    return 0


def queue(
    *,
    listed: Annotated[bool, Parameter(name="--list", negative="", help="The next jobs in true order, with their ids.")] = False,
    limit: Annotated[int, Parameter(name="--limit", help="How many, 1 to 2000.", validator=Number(gte=1, lte=2_000))] = 50,
    source: Annotated[str, Parameter(name="--source", help="Only this source's, held ones too.")] = "",
    at: At = HERE,
    json: AsJson = False,
) -> int:
    """Count the queue by level, or list what is served next.

    Example: `gexdesk queue --list`
    """
    client = engine_at(at)
    view = asyncio.run(client.view())
    if listed or source:
        return _jobs(asyncio.run(client.look(JobsLook(limit, source))), view.taken_at, json=json)
    if json:
        as_json({"total_queued": sum(v.depth for v in view.levels), "levels": {v.level: v for v in view.levels}})
        return 0
    rows = [
        (str(v.level), str(v.depth), str(v.paused), str(v.processing), f"{v.in_per_s:.1f}", f"{v.out_per_s:.1f}",
         "-" if v.oldest_received_at is None else f"{view.taken_at - v.oldest_received_at:.1f} s")
        for v in view.levels
    ]  # fmt: skip
    table("Queue", ["level", "waiting", "held", "processing", "in/s", "out/s", "oldest"], rows)
    return 0


def _jobs(seen: JobsSeen, now: float, *, json: bool) -> int:
    if json:
        as_json(seen)
        return 0
    rows = [
        ("-" if job.position is None else str(job.position), str(job.level), job.symbol or "-", job.source,
         f"{now - job.received_at:.1f} s", "-" if job.starts_in_s is None else f"{job.starts_in_s:.1f} s", job.note or job.winner,
         job.job_id)
        for job in seen.jobs
    ]  # fmt: skip
    table(f"Next {len(rows)} of {seen.total}", ["place", "level", "symbol", "source", "waited", "starts in", "why", "job"], rows)
    return 0


def promote(
    target: Target, *, reason: Reason, duration: Span = "15m", kind: Kind = "",
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Move a source, a symbol or a job one level up, its queued jobs with it.

    Example: `gexdesk promote cboe-spx --reason "desk asked" --for 15m`
    """
    return _relevel(at, target, kind, Lever(Verb.PROMOTE, "", reason, for_s=_until(duration), dry_run=dry_run), json=json)


def demote(
    target: Target, *, reason: Reason, duration: Span = "15m", kind: Kind = "",
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Move a source, a symbol or a job one level down, its queued jobs with it.

    Example: `gexdesk demote backfill --reason "make room"`
    """
    return _relevel(at, target, kind, Lever(Verb.DEMOTE, "", reason, for_s=_until(duration), dry_run=dry_run), json=json)


def override(
    target: Target, *, to: Annotated[str, Parameter(name="--to", help="The level: CRITICAL, HIGH, MEDIUM or LOW.")], reason: Reason,
    duration: Span = "15m", kind: Kind = "", at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Give a source, a symbol or a job a level, whatever the guidelines say.

    Example: `gexdesk override gexbot-spx --to CRITICAL --reason open --for 30m`
    """
    if to.upper() not in Level.__members__:
        raise LeverRefused(f"{to!r} is no level; there are {', '.join(LEVELS)}")
    lever = Lever(Verb.OVERRIDE, "", reason, level=Level(to.upper()), for_s=_until(duration), dry_run=dry_run)
    return _relevel(at, target, kind, lever, json=json)


def clear(
    target: Target, *, reason: Reason, kind: Kind = "", at: At = HERE, dry_run: DryRun = False, json: AsJson = False
) -> int:
    """End an override, or what a schedule set, before its time; the guidelines decide again.

    Example: `gexdesk clear gexbot-spx --reason "open is over"`
    """
    return _relevel(at, target, kind, Lever(Verb.CLEAR, "", reason, dry_run=dry_run), json=json)


def cancel(
    job: Annotated[str, Parameter(help="Id of a job that waits; `gexdesk queue --list` lists them.")], *, reason: Reason,
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """End a job that waits; it becomes a dead letter, which `gexdesk dead retry` puts back at its place.

    Example: `gexdesk cancel 18ea9ed400bf9400-00000001-724b7057 --reason "sent twice"`
    """
    lever = Lever(Verb.CANCEL, job.removeprefix("job:"), reason, target_kind="job", dry_run=dry_run)
    return pull_lever(at, lever, json=json)


def undo(*, reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False) -> int:
    """Take your own last lever back, unless somebody acted on the same target since.

    Example: `gexdesk undo --reason "wrong source"`
    """
    return pull_lever(at, Lever(Verb.UNDO, "", reason, dry_run=dry_run), json=json)


def pause(
    target: Annotated[str, Parameter(help="Name of a source; leave out with --all.")] = "", *, reason: Reason,
    everything: Annotated[bool, Parameter(name="--all", negative="", help="The kill switch.")] = False,
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Stop fetching from a source and hold its queued jobs.

    Example: `gexdesk pause backfill --reason "incident 41"`
    """
    lever = _hold(Verb.PAUSE, Verb.PAUSE_ALL, target, everything=everything, reason=reason, dry_run=dry_run)
    return pull_lever(at, lever, json=json)


def resume(
    target: Annotated[str, Parameter(help="Name of a source; leave out with --all.")] = "", *,
    reason: Annotated[str, Parameter(name="--reason", help="Why; goes to the audit.")] = "resumed",
    everything: Annotated[bool, Parameter(name="--all", negative="", help="The kill switch.")] = False,
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Fetch from a source again and release its jobs at their old places.

    Example: `gexdesk resume backfill --reason "incident over"`
    """
    lever = _hold(Verb.RESUME, Verb.RESUME_ALL, target, everything=everything, reason=reason, dry_run=dry_run)
    return pull_lever(at, lever, json=json)


def _hold(one: Verb, every: Verb, target: str, *, everything: bool, reason: str, dry_run: bool) -> Lever:
    if everything == bool(target):
        raise LeverRefused("name one source, or give --all")
    return Lever(every if everything else one, target, reason, dry_run=dry_run)


def _relevel(at: At, target: str, kind: str, lever: Lever, *, json: bool) -> int:
    sources = {source.name for source in asyncio.run(engine_at(at).view()).sources}
    meant, name = named(target, kind, sources)
    try:
        return pull_lever(at, replace(lever, target=name, target_kind=meant), json=json)
    except UnknownTarget as error:
        if meant != "symbol" or kind or ":" in target:
            raise
        like = get_close_matches(target, sources, n=3) or sorted(sources)[:8]
        raise UnknownTarget(f"{error.message}; and no source has that name, there are {', '.join(like) or 'none yet'}") from None


def named(target: str, kind: str, sources: Set[str]) -> tuple[str, str]:
    """Return kind and name of a target: as ``--kind`` or a prefix says, else a source of that name, else a job's id, else a symbol.

    Raises:
        LeverRefused: It is of no kind that has a level.
    """
    before, colon, after = target.partition(":")
    if not kind and colon and before in KINDS:
        kind, target = before, after
    if kind and kind not in KINDS:
        raise LeverRefused(f"{kind!r} is no kind of target; there are {', '.join(KINDS)}")
    kind = kind or ("source" if target in sources else "job" if _JOB_ID.fullmatch(target) else "symbol")
    if kind == "symbol":
        target = symbol_of(target) or target
    return kind, target


def _until(span: str) -> float | None:
    return None if span == "none" else span_s(span)


def pull_lever(at: At, lever: Lever, *, json: bool) -> int:
    """Send a lever to the running engine and say what came of it; returns the exit code."""
    outcome = asyncio.run(engine_at(at).pull(lever))
    if json:
        as_json(outcome)
    else:
        what = f"{outcome.undoes}: " if outcome.undoes else ""
        foreseen = f"{what}{outcome.before} -> {outcome.after}; {outcome.helps}; {outcome.costs}".rstrip("; ")
        say(outcome.message if outcome.done else foreseen)
    return 0
