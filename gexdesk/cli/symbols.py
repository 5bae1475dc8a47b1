"""``failover``, ``quarantine``, ``gaps`` and ``backfill``: what readers really have, and what to do about it."""

import asyncio
from datetime import datetime
from typing import Annotated

from cyclopts import App, Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson
from gexdesk.cli.levers import DryRun, Reason, pull_lever
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.symbol import GapsLook, GapsSeen, QuarantineLook, QuarantineSeen
from gexdesk.model.market import NEW_YORK
from gexdesk.model.symbol_view import QuarantineCase

quarantine = App(name="quarantine", help="List what the checks hold back from readers, release or refuse it.")
Symbol = Annotated[str, Parameter(help="A symbol, by its name or an alias; all without it.")]
Case = Annotated[int, Parameter(help="The case's number; `gexdesk quarantine list` lists them.")]


def failover(
    symbol: Annotated[str, Parameter(help="The symbol.")], *,
    to: Annotated[str, Parameter(name="--to", help="The source to serve it from; without it the standby.")] = "",
    reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Serve a symbol from another of its sources, at once.

    Example: `gexdesk failover SPX --reason "gexbot frozen"`
    """
    lever = Lever(Verb.FAILOVER, symbol, reason, target_kind="symbol", to=to, dry_run=dry_run)
    return pull_lever(at, lever, json=json)


def gaps(
    symbol: Symbol = "", *,
    filled: Annotated[bool, Parameter(name="--filled", negative="", help="Filled ones, too.")] = False,
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """List the times in which expected data did not come, newest first, how much of it is there by now, and what can fill them.

    Example: `gexdesk gaps SPX`
    """
    seen: GapsSeen = asyncio.run(engine_at(at).look(GapsLook(symbol, filled)))
    if json:
        as_json(seen)
        return 0
    rows = [
        (g.gap, g.symbol, g.source, _time(g.from_at), "goes on" if g.to_at is None else _time(g.to_at),
         "-" if g.missed is None else f"{g.missed:,}", g.there or "-",
         f"filled {_time(g.filled_at)}" if g.filled_at is not None else g.how if g.fillable else f"no: {g.how}", g.reason)
        for g in seen.gaps
    ]  # fmt: skip
    if rows:
        table("Gaps (New York)", ["gap", "symbol", "source", "from", "to", "missed", "there", "fill", "why"], rows)
    else:
        say("no gap that is not filled")
    return 0


def backfill(
    gap: Annotated[str, Parameter(help="Id of the gap; `gexdesk gaps` lists them.")], *, reason: Reason,
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Fill a gap from the symbol's history folder, behind all live data; a filled one, too, that still lacks something.

    Example: `gexdesk backfill 1f3a9c20 --reason "outage 09:41"`
    """
    return pull_lever(at, Lever(Verb.BACKFILL, gap, reason, target_kind="gap", dry_run=dry_run), json=json)


@quarantine.command(name="list")
def list_(
    symbol: Symbol = "", *,
    settled: Annotated[bool, Parameter(name="--settled", negative="", help="Released and refused ones, too.")] = False,
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """List the cases, newest first, with what was held back and what readers have instead.

    Example: `gexdesk quarantine list`
    """
    seen: QuarantineSeen = asyncio.run(engine_at(at).look(QuarantineLook(symbol, settled)))
    if json:
        as_json(seen)
        return 0
    rows = [
        (str(c.number), c.symbol, c.source, c.state, str(c.count), _time(c.last_at), _spots(c),
         "; ".join(f.text for f in c.findings))
        for c in seen.cases
    ]  # fmt: skip
    if rows:
        table("Held back", ["no", "symbol", "source", "state", "count", "last", "spot held / readers'", "why"], rows)
    else:
        say("nothing is held back")
    return 0


@quarantine.command
def release(
    number: Case, *, reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False
) -> int:
    """Let readers have it, where nothing newer is there; what comes next is judged against it.

    Example: `gexdesk quarantine release 3 --reason "a split"`
    """
    return _settle(Verb.RELEASE, number, reason, at, dry_run=dry_run, json=json)


@quarantine.command
def refuse(
    number: Case, *, reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False
) -> int:
    """Keep it from readers for good.

    Example: `gexdesk quarantine refuse 3 --reason "SPY's numbers"`
    """
    return _settle(Verb.REFUSE, number, reason, at, dry_run=dry_run, json=json)


def _settle(verb: Verb, number: int, reason: str, at: At, *, dry_run: bool, json: bool) -> int:
    return pull_lever(at, Lever(verb, str(number), reason, target_kind="quarantine", dry_run=dry_run), json=json)


def _spots(case: QuarantineCase) -> str:
    readers = case.live or case.good
    spots = (case.suspect.spot, readers.spot if readers is not None else None)
    return " / ".join("-" if spot is None else f"{spot:,.2f}" for spot in spots)


def _time(at: float | None) -> str:
    return "-" if at is None else datetime.fromtimestamp(at, NEW_YORK).strftime("%d %b %H:%M:%S")
