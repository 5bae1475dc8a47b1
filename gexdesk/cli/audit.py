"""``audit``: who did what, and whether the record of it was touched."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cyclopts import App, Parameter
from cyclopts.validators import Number

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson, StateFolder, state_folder
from gexdesk.model.errors import StoreError

app = App(name="audit", help="The hash-chained record of every change: show, verify.")


@app.command
def show(
    *, limit: Annotated[int, Parameter(help="At most so many lines, the newest.", validator=Number(gte=1))] = 50,
    state: StateFolder = None, json: AsJson = False,
) -> int:  # fmt: skip
    """Show the last lines.

    Example: `gexdesk audit show --limit 20`
    """
    from gexdesk.assemble.offline import audit_of

    lines = audit_of(_kept(state)).read(limit)
    if json:
        as_json(lines)
        return 0
    rows = [
        (str(line.sequence), datetime.fromtimestamp(line.at, UTC).isoformat(timespec="seconds").replace("+00:00", "Z"),
         line.actor, line.act, line.target, line.before, line.after, line.reason)
        for line in lines
    ]  # fmt: skip
    if rows:
        table("Audit", ["no", "at", "who", "act", "target", "before", "after", "reason"], rows)
    else:
        say("nothing was changed yet")
    return 0


@app.command
def verify(*, state: StateFolder = None, json: AsJson = False) -> int:
    """Check every link of the chain; exit 1 and name the first that is broken.

    Example: `gexdesk audit verify`
    """
    from gexdesk.assemble.offline import verify_audit

    found = verify_audit(_kept(state))
    if isinstance(found, int):
        if json:
            as_json({"intact": True, "lines": found, "broken": None})
        else:
            say(f"{found:,} {'line' if found == 1 else 'lines'}, every link holds")
        return 0
    if json:
        as_json({"intact": False, "lines": None, "broken": found})
    say(f"line {found.line} breaks the chain: {found.why}")
    return 1


def _kept(state: Path | None) -> Path:
    """Return the state folder that is meant; one that is not there has no intact audit but none."""
    folder = state_folder(state)
    if not folder.is_dir():
        raise StoreError(f"no desk has kept anything in {folder}: name its folder with --state, or its file in $GEXDESK_CONFIG")
    return folder
