"""``guidelines``: read, test, explain, compare, apply and roll back the firm's rules."""

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

from cyclopts import App, Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, StateFolder, state_folder
from gexdesk.cli.levers import DryRun, Reason, pull_lever
from gexdesk.cli.reach import HERE, At
from gexdesk.model.errors import GuidelineError
from gexdesk.model.features import Features
from gexdesk.model.level import LEVELS
from gexdesk.model.lever import Lever, Verb
from gexdesk.model.text import symbol_of

if TYPE_CHECKING:
    from gexdesk.guidelines.rules import RuleSet

app = App(name="guidelines", help="Read, test, explain, compare, apply and roll back the firm's rules.")
RuleFile = Annotated[Path | None, Parameter(name="--guidelines", help="Rule file; default: the rules in force.")]
Force = Annotated[bool, Parameter(negative="", help="Also in locked hours; the audit says so.")]
COLUMNS = "symbol, data_type, volume, open_interest, gamma_change, data_age_s, expected_level"
LARGEST = 1e15
DATA_TYPES = ("real_time", "snapshot", "historical")


@app.command
def check(
    file: Annotated[Path | None, Parameter(help="Rule file; default: the configured one.")] = None, *, json: AsJson = False
) -> int:
    """Check a rule file; a fault is named with file, line and column.

    Example: `gexdesk guidelines check guidelines.toml`
    """
    from gexdesk.assemble.offline import rules_of

    file = file or _configured()
    rules = rules_of(file)
    named = str(file) if file is not None else "the default set"
    now = time.time()
    expired = [g.name for g in rules.active if g.expires is not None and g.expires <= now]
    active = len(rules.active) - len(expired)
    if json:
        figures = {"guidelines": len(rules.guidelines), "active": active, "expired": expired}
        as_json({"file": named, "name": rules.name, "version": rules.version, **figures})
    else:
        over = f"; expired: {', '.join(expired)}" if expired else ""
        say(f"{named} is good: {rules.name} {rules.version}, {active} of {len(rules.guidelines)} guidelines active{over}")
    return 0


@app.command(name="list")
def list_(*, guidelines: RuleFile = None, state: StateFolder = None, json: AsJson = False) -> int:
    """List the guidelines in force.

    Example: `gexdesk guidelines list --json`
    """
    rules = _rules(guidelines, state)
    if json:
        shown = [
            {
                "name": g.name,
                "level": g.level,
                "description": g.description,
                "when": g.when,
                "score": g.score,
                "active": g.active,
                "symbols": g.symbols,
                "sessions": g.sessions,
                "expires": None if g.expires is None else _moment(g.expires),
            }
            for g in rules.guidelines
        ]
        as_json({"name": rules.name, "version": rules.version, "guidelines": shown})
        return 0
    rows = [
        (g.name, str(g.level), "yes" if g.active else "no", " ".join((*g.symbols, *g.sessions)) or "all",
         "-" if g.expires is None else _moment(g.expires), g.when)
        for g in rules.guidelines
    ]  # fmt: skip
    table(f"Guidelines {rules.name} {rules.version}", ["guideline", "level", "active", "holds for", "expires", "when"], rows)
    return 0


@app.command(name="test")
def try_labelled(
    labelled: Annotated[Path, Parameter(help=f"A CSV file of rows with the level you expect; its columns: {COLUMNS}.")],
    *,
    guidelines: RuleFile = None,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Decide labelled rows and count how many are right; an empty gamma_change has no previous snapshot.

    Example: `gexdesk guidelines test labelled.csv --json`
    """
    from gexdesk.assemble.offline import check_labelled

    report = check_labelled(labelled, _rules(guidelines, state))
    if json:
        as_json(report)
        return 0
    rows = [(str(level), *(str(count) for count in report.confusion[level].values())) for level in LEVELS]
    table("Expected (down) and decided (across)", ["", *LEVELS], rows)
    for wrong in report.wrong[:20]:
        say(f"line {wrong.line}: {wrong.symbol} {wrong.decided} instead of {wrong.expected} - {wrong.reason}")
    if len(report.wrong) > 20:
        say(f"... and {len(report.wrong) - 20} more; --json names them all")
    say(f"{report.correct:,} of {report.rows:,} rows are right ({report.accuracy:.2%})")
    return 0


@app.command
def explain(
    *,
    symbol: str,
    data_type: str = "real_time",
    volume: Annotated[float | None, Parameter(help="Contracts; left out: not known.")] = None,
    open_interest: Annotated[float | None, Parameter(help="Contracts; left out: not known.")] = None,
    gamma_change: Annotated[float | None, Parameter(help="A fraction; left out: no previous snapshot.")] = None,
    data_age_s: float,
    guidelines: RuleFile = None,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Decide one set of figures as the desk would now, with every match, the winner and the score's parts.

    Example: `gexdesk guidelines explain --symbol SPX --volume 61234 --open-interest 120000 --gamma-change 0.2 --data-age-s 1.5`
    """
    from gexdesk.assemble.offline import explain as explained

    normal = symbol_of(symbol)
    if normal is None:
        raise GuidelineError(f"{symbol!r} is no symbol; write it as in SPX")
    if data_type not in DATA_TYPES:
        raise GuidelineError(f"{data_type!r} is no data type; allowed: {', '.join(DATA_TYPES)}")
    for option, value in (("--volume", volume), ("--open-interest", open_interest), ("--gamma-change", gamma_change)):
        _figure(option, value)
    _figure("--data-age-s", data_age_s, least=-LARGEST)  # a stamp from the future is decided on: its clock is wrong
    now = time.time()
    features = Features(normal, "", data_type, volume, open_interest, gamma_change, data_age_s)
    decision = explained(features, _rules(guidelines, state), now)
    matches = [
        {"guideline": m.guideline, "level": m.level, "score": m.score, "requires": m.requires.name.lower()}
        for m in decision.matches
    ]
    if json:
        answer: dict[str, Any] = {"level": decision.level, "score": decision.score, "winner": decision.winner}
        answer |= {"reason": decision.reason, "freshness": decision.freshness.name.lower()}
        as_json(answer | {"matches": matches, "parts": decision.parts, "guidelines_version": decision.guidelines_version})
        return 0
    rows = [(str(m["guideline"]), str(m["level"]), f"{m['score']:.3f}", str(m["requires"])) for m in matches]
    table(f"{decision.level} {decision.score:.3f} by {decision.winner}", ["matched", "level", "score", "asks for"], rows)
    parts = decision.parts
    say(decision.reason)
    say(
        f"of the way up its band {parts.total:.0%}: impact {parts.impact:.0%}, change {parts.change:.0%}, "
        f"freshness {parts.freshness:.0%}, reliability {parts.reliability:.0%}, urgency {parts.urgency:.0%}"
    )
    return 0


@app.command
def diff(
    file: Annotated[Path, Parameter(help="Rule file to try.")],
    *,
    last: Annotated[int, Parameter(help="How many recorded decisions, at most 100000.")] = 100_000,
    state: StateFolder = None,
    json: AsJson = False,
) -> int:
    """Show what the last real decisions would have been under another rule file; nothing is changed.

    Example: `gexdesk guidelines diff candidate.toml`
    """
    from gexdesk.assemble.offline import rules_of, try_on_record
    from gexdesk.cli.copied import metadata_copy

    if not 1 <= last <= 100_000:
        raise GuidelineError(f"--last {last} is not from 1 to 100000")
    candidate, folder = rules_of(file), state_folder(state)
    with metadata_copy(folder) as copy:
        found = try_on_record(_rules(None, state), candidate, folder, copy, last)
    if json:
        as_json(found)
        return 0
    rows = [(str(level), *(str(count) for count in found.confusion[level].values())) for level in LEVELS]
    table(f"In force {found.version_before} (down), {file} {found.version_after} (across)", ["", *LEVELS], rows)
    if found.movers:
        moved = [(mover.symbol, str(mover.before), str(mover.after), str(mover.count)) for mover in found.movers]
        table("Largest movers", ["symbol", "before", "after", "count"], moved)
    say(found.words)
    return 0


@app.command
def history(*, state: StateFolder = None, json: AsJson = False) -> int:
    """List every version of the guidelines that was in force, with author, reason and diff.

    Example: `gexdesk guidelines history`
    """
    from gexdesk.assemble.offline import guideline_history

    versions = guideline_history(state_folder(state))
    if json:
        as_json({"versions": versions})
    elif versions:
        rows = [(v.version, _moment(v.at), v.author, v.reason, _size(v.diff)) for v in reversed(versions)]
        table("Versions, the newest first", ["version", "since", "author", "reason", "changed"], rows)
    else:
        say("no version is kept yet")
    return 0


@app.command
def apply(
    file: Annotated[Path | None, Parameter(help="Rule file; left out: what the desk has staged.")] = None, *,
    reason: Reason, force: Force = False, at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Put a rule file in force on the running desk; it is checked first, and kept as a version.

    Example: `gexdesk guidelines apply candidate.toml --reason "calmer open"`
    """
    from gexdesk.assemble.offline import rule_text

    text = rule_text(file) if file is not None else ""
    return pull_lever(
        at, Lever(Verb.APPLY, "", reason, target_kind="guidelines", text=text, forced=force, dry_run=dry_run), json=json
    )


@app.command
def rollback(
    version: Annotated[str, Parameter(help="Which version; `gexdesk guidelines history` lists them.")], *,
    reason: Reason, force: Force = False, at: At = HERE, dry_run: DryRun = False, json: AsJson = False,
) -> int:  # fmt: skip
    """Put an earlier version in force again on the running desk.

    Example: `gexdesk guidelines rollback v-3f2a90c1d4 --reason "too many CRITICAL"`
    """
    lever = Lever(Verb.ROLLBACK, "", reason, target_kind="guidelines", to=version, forced=force, dry_run=dry_run)
    return pull_lever(at, lever, json=json)


def _figure(option: str, value: float | None, least: float = 0.0) -> None:
    """Refuse a figure that is none, or larger than any market's, as ``test`` does in a file."""
    if value is not None and not least <= value <= LARGEST:
        raise GuidelineError(f"{option} {value:.6g} is not a number from {least:g} to {LARGEST:g}")


def _rules(file: Path | None, state: Path | None) -> "RuleSet":
    from gexdesk.assemble.offline import guidelines_in_force, rules_of

    return rules_of(file) if file is not None else guidelines_in_force(state_folder(state), _configured())


def _configured() -> Path | None:
    from gexdesk.settings.load import load_settings
    from gexdesk.settings.places import find_configuration

    config = find_configuration()
    return load_settings(config).guidelines.file if config is not None else None


def _moment(at: float) -> str:
    return f"{datetime.fromtimestamp(at, UTC):%Y-%m-%d %H:%M:%S}Z"


def _size(diff: str) -> str:
    lines = [line for line in diff.splitlines() if line[:1] in "+-" and line[:3] not in ("+++", "---")]
    return f"+{sum(line[0] == '+' for line in lines)} -{sum(line[0] == '-' for line in lines)}"
