"""``incidents`` and ``handover``: what needs a person, what was done about it, and what the next shift has to know."""

import asyncio
import shlex
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, span_s
from gexdesk.cli.levers import DryRun, Reason, pull_lever
from gexdesk.cli.reach import HERE, At, engine_at
from gexdesk.model.errors import LeverRefused, SettingsError, UnknownTarget
from gexdesk.model.incident_report import as_markdown, incident_lines, moment, state_words
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.look.handover import HandOverLook, HandOverSeen
from gexdesk.model.look.incident import IncidentLook, IncidentSeen
from gexdesk.model.text import printable

app = App(name="incidents", help="List, show, take, snooze, note, mute, resolve, report and export incidents.")
Number = Annotated[
    str, Parameter(help="The number, or another engine's of the fleet as `desk2#41`; `gexdesk incidents list` lists them.")
]


@app.command(name="list")
def list_(*, at: At = HERE, json: AsJson = False) -> int:
    """List open incidents, and closed ones that nobody saw. All of them: `gexdesk query "SELECT * FROM incidents"`.

    Example: `gexdesk incidents list --json`
    """
    view = asyncio.run(engine_at(at).view())
    if json:
        as_json({"incidents": view.incidents, "pager": view.pager, "mutes": view.mutes})
        return 0
    rows = [
        (i.name, "!!" if i.severity > 1 else "!", i.subject, i.kind, state_words(i.state, i.seen, i.muted), i.owner or "-",
         moment(i.opened_at), " ".join(i.readers) or "-", i.text)
        for i in view.incidents
    ]  # fmt: skip
    if rows:
        table("Incidents", ["no", "", "subject", "kind", "state", "owner", "opened", "readers", "what"], rows)
    else:
        say("nothing needs anybody")
    return 0


@app.command
def show(number: Number, *, at: At = HERE, json: AsJson = False) -> int:
    """Show one incident: its causes, its timeline, and what the runbook says of its kind.

    Example: `gexdesk incidents show 41`
    """
    seen = _seen(number, at)
    if json:
        as_json(seen)
    else:
        print("\n".join(incident_lines(seen, plain=True)))
    return 0


@app.command
def export(
    number: Number, *, file: Annotated[Path | None, Parameter(help="Where to; default: stdout.")] = None,
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """Write one incident as Markdown, for a report.

    Example: `gexdesk incidents export 41 --file incident-41.md`
    """
    seen = _seen(number, at)
    text = as_markdown(seen)
    if json:
        as_json({"number": seen.incident.number, "markdown": text})
    elif file is None:
        print(text, end="")
    else:
        try:
            file.write_text(text, encoding="utf-8")
        except OSError as error:
            raise SettingsError(f"{file} cannot be written: {error.strerror}") from error
        say(f"wrote {file}")
    return 0


@app.command
def take(number: Number, *, reason: Reason = "", at: At = HERE, dry_run: DryRun = False, json: AsJson = False) -> int:
    """Say that you are on it.

    Example: `gexdesk incidents take 41`
    """
    return pull_lever(at, _lever(Verb.TAKE, number, reason, dry_run=dry_run), json=json)


@app.command
def snooze(
    number: Number, *, reason: Reason,
    duration: Annotated[str, Parameter(name="--for", help="E.g. 15m; `worse` until it gets worse; `0` wakes it.")] = "15m",
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Put it aside for a time; it comes back at once when it gets worse.

    Example: `gexdesk incidents snooze 41 --for 30m --reason "vendor is on it"`
    """
    for_s = None if duration == "worse" else span_s(duration)
    return pull_lever(at, _lever(Verb.SNOOZE, number, reason, for_s=for_s, dry_run=dry_run), json=json)


@app.command
def note(number: Number, text: Annotated[str, Parameter(help="What you found.")], *,
         at: At = HERE, json: AsJson = False) -> int:  # fmt: skip
    """Write something into its timeline.

    Example: `gexdesk incidents note 41 "vendor confirms, back at 10:15"`
    """
    return pull_lever(at, _lever(Verb.NOTE, number, text=text), json=json)


@app.command
def resolve(
    number: Number, *, reason: Reason, at: At = HERE, dry_run: DryRun = False, json: AsJson = False
) -> int:
    """Close it by hand; it stays closed for as long as its cause does not come anew or get worse.

    Example: `gexdesk incidents resolve 41 --reason "wrong threshold, ticket 77"`
    """
    return pull_lever(at, _lever(Verb.RESOLVE, number, reason, dry_run=dry_run), json=json)


@app.command
def mute(
    number: Annotated[str, Parameter(help="An incident: its vendor, source or symbol is meant.")] = "", *,
    reason: Reason,
    duration: Annotated[str, Parameter(name="--for", help="How long the window lasts, e.g. 2h; `0` ends it.")],
    source: str = "", vendor: str = "", symbol: str = "",
    at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Open a maintenance window: what fails in it is shown as muted and pages nobody.

    Example: `gexdesk incidents mute --vendor cdn.cboe.com --for 2h --reason "announced maintenance"`
    """
    named = {"incident": number, "source": source, "vendor": vendor, "symbol": symbol}
    given = [(kind, target) for kind, target in named.items() if target]
    if len(given) != 1:
        raise LeverRefused("name one thing: an incident's number, --source, --vendor or --symbol")
    [(kind, target)] = given
    for_s = span_s(duration)
    if kind == "incident":
        if not target.rpartition("#")[2].isdecimal():
            how = f"a source is muted by `--source {shlex.quote(printable(target, 60))}`, its like by --vendor or --symbol"
            raise UnknownTarget(f"{printable(target, 60)!r} is no incident's number: {how}")
        lever = _lever(Verb.MUTE, target, reason, for_s=for_s, dry_run=dry_run)
    else:
        lever = Lever(Verb.MUTE, target, reason, target_kind=kind, for_s=for_s, dry_run=dry_run)
    return pull_lever(at, lever, json=json)


@app.command
def report(
    text: Annotated[str, Parameter(help="What is wrong, in words, one line.")], *,
    symbol: Annotated[str, Parameter(help="What readers have wrong; makes it grave.")] = "",
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """Open an incident by hand; it stays until it is resolved.

    Example: `gexdesk incidents report "pit says the flip is off" --symbol SPX`
    """
    if (bare := text.strip().removeprefix("#")).isdecimal():
        known = f"`gexdesk incidents show {bare}` shows incident {bare}, `gexdesk incidents export {bare}` writes it for a report"
        raise LeverRefused(f"{text!r} says of no trouble: a report opens a new incident and takes words; {known}")
    return pull_lever(at, Lever(Verb.REPORT, symbol, "", target_kind="symbol", text=text), json=json)


def handover(
    *, take: Annotated[bool, Parameter(name="--take", negative="", help="Take the shift over; audited.")] = False,
    at: At = HERE, json: AsJson = False,
) -> int:  # fmt: skip
    """Sum up what the next shift has to know: incidents, overrides and pauses that stand, gaps.

    Example: `gexdesk handover --take`
    """
    if take:
        return pull_lever(at, Lever(Verb.HAND_OVER, "", ""), json=json)
    seen = asyncio.run(engine_at(at).look(HandOverLook()))
    if json:
        as_json(seen)
    else:
        _print_hand_over(seen)
    return 0


def _print_hand_over(seen: HandOverSeen) -> None:
    since = f" since {moment(seen.shift_since)}" if seen.shift_since is not None else ""
    print(f"Shift: {seen.shift_by or 'nobody'}{since}. {seen.summary}")
    for i in seen.incidents:
        print(f"  #{i.name} {state_words(i.state, i.seen, i.muted)} {i.owner or 'nobody'}: {i.subject}: {i.text}")
    for s in seen.standing:
        until = f"until {moment(s.until)}" if s.until is not None else "no end"
        print(f"  {s.what} {s.target}: {s.words} by {s.author}, {until} ({s.reason})")
    for m in seen.mutes:
        print(f"  muted {m.target_kind} {m.target} by {m.author} until {moment(m.until)} ({m.reason})")
    for gap in seen.gaps:
        print(f"  gap {gap}")


def _seen(number: str, at: At) -> IncidentSeen:
    engine, digits = _read(number)
    return asyncio.run(engine_at(at).look(IncidentLook(int(digits), engine=engine)))


def _lever(
    verb: Verb, number: str, reason: str = "", *, for_s: float | None = None, text: str = "", dry_run: bool = False
) -> Lever:
    engine, digits = _read(number)
    return Lever(verb, digits, reason, target_kind="incident", for_s=for_s, text=text, dry_run=dry_run, engine=engine)


def _read(number: str) -> tuple[str, str]:
    """Return the engine, empty for the one that answers, and the number. Raises UnknownTarget."""
    engine, _, digits = number.rpartition("#")
    if not digits.isdecimal() or len(digits) > 9:
        raise UnknownTarget(f"{printable(number, 60)!r} is no incident: a number, or an engine, # and a number, such as desk2#41")
    return engine, digits
