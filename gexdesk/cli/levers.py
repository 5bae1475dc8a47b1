"""The operator's levers and looks from the command line, on a running engine."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, StateFolder, span_s, state_folder
from gexdesk.model.errors import LeverRefused
from gexdesk.model.level import LEVELS, Level
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.view import SourceView

Target = Annotated[str, Parameter(help="Name of a source.")]
Reason = Annotated[str, Parameter(name="--reason", help="Why; goes to the audit.")]
Span = Annotated[str, Parameter(name="--for", help="How long it stands, e.g. 15m; `none` has no end.")]
DryRun = Annotated[bool, Parameter(negative="", help="Only say what would happen.")]


def sources(*, state: StateFolder = None, json: AsJson = False) -> int:
    """List the sources with state, level and figures.

    Example: `gexdesk sources --json`
    """
    from gexdesk.api.client import Client

    view = asyncio.run(Client(state_folder(state)).view())
    if json:
        as_json({"sources": view.sources, "total_count": len(view.sources)})
        return 0
    def level(source: SourceView) -> str:
        return f"{source.level or '-'}{' by ' + source.override_by if source.override_by else ''}"

    rows = [
        (s.name, s.carries, s.state, level(s), str(s.queued), str(s.rate_per_min), str(s.errors_5m), s.last_error)
        for s in view.sources
    ]
    table("Sources", ["source", "carries", "state", "level", "queued", "/min", "err 5m", "last error"], rows)
    return 0


def queue(*, state: StateFolder = None, json: AsJson = False) -> int:
    """Count the queue by level.

    Example: `gexdesk queue`
    """
    from gexdesk.api.client import Client

    view = asyncio.run(Client(state_folder(state)).view())
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


def promote(
    target: Target, *, reason: Reason, duration: Span = "15m",
    state: StateFolder = None, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Move a source one level up, its queued jobs with it.

    Example: `gexdesk promote cboe-spx --reason "desk asked" --for 15m`
    """
    return pull_lever(state, Lever(Verb.PROMOTE, target, reason, for_s=_until(duration), dry_run=dry_run), json=json)


def demote(
    target: Target, *, reason: Reason, duration: Span = "15m",
    state: StateFolder = None, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Move a source one level down, its queued jobs with it.

    Example: `gexdesk demote backfill --reason "make room"`
    """
    return pull_lever(state, Lever(Verb.DEMOTE, target, reason, for_s=_until(duration), dry_run=dry_run), json=json)


def override(
    target: Target, *, to: Annotated[str, Parameter(name="--to", help="CRITICAL, HIGH, MEDIUM or LOW.")], reason: Reason,
    duration: Span = "15m", state: StateFolder = None, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Give a source a level, whatever the guidelines say.

    Example: `gexdesk override gexbot-spx --to CRITICAL --reason open --for 30m`
    """
    if to.upper() not in Level.__members__:
        raise LeverRefused(f"{to!r} is no level; there are {', '.join(LEVELS)}")
    lever = Lever(Verb.OVERRIDE, target, reason, level=Level(to.upper()), for_s=_until(duration), dry_run=dry_run)
    return pull_lever(state, lever, json=json)


def clear(target: Target, *, reason: Reason, state: StateFolder = None, dry_run: DryRun = False, json: AsJson = False) -> int:
    """End a source's override; the guidelines decide again.

    Example: `gexdesk clear gexbot-spx --reason "open is over"`
    """
    return pull_lever(state, Lever(Verb.CLEAR, target, reason, dry_run=dry_run), json=json)


def pause(
    target: Annotated[str, Parameter(help="Name of a source; leave out with --all.")] = "", *, reason: Reason,
    everything: Annotated[bool, Parameter(name="--all", negative="", help="The kill switch.")] = False,
    state: StateFolder = None, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Stop fetching from a source and hold its queued jobs.

    Example: `gexdesk pause backfill --reason "incident 41"`
    """
    lever = _hold(Verb.PAUSE, Verb.PAUSE_ALL, target, everything=everything, reason=reason, dry_run=dry_run)
    return pull_lever(state, lever, json=json)


def resume(
    target: Annotated[str, Parameter(help="Name of a source; leave out with --all.")] = "", *,
    reason: Annotated[str, Parameter(name="--reason", help="Why; goes to the audit.")] = "resumed",
    everything: Annotated[bool, Parameter(name="--all", negative="", help="The kill switch.")] = False,
    state: StateFolder = None, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Fetch from a source again and release its jobs at their old places.

    Example: `gexdesk resume backfill --reason "incident over"`
    """
    lever = _hold(Verb.RESUME, Verb.RESUME_ALL, target, everything=everything, reason=reason, dry_run=dry_run)
    return pull_lever(state, lever, json=json)


def _hold(one: Verb, every: Verb, target: str, *, everything: bool, reason: str, dry_run: bool) -> Lever:
    if everything == bool(target):
        raise LeverRefused("name one source, or give --all")
    return Lever(every if everything else one, target, reason, dry_run=dry_run)


def _until(span: str) -> float | None:
    return None if span == "none" else span_s(span)


def pull_lever(state: Path | None, lever: Lever, *, json: bool) -> int:
    """Send a lever to the running engine and say what came of it; returns the exit code."""
    from gexdesk.api.client import Client

    outcome = asyncio.run(Client(state_folder(state)).pull(lever))
    if json:
        as_json(outcome)
    else:
        foreseen = f"{outcome.before} -> {outcome.after}; {outcome.helps}; {outcome.costs}".rstrip("; ")
        say(outcome.message if outcome.done else foreseen)
    return 0
