"""``certify``: the success criteria on this machine."""

import asyncio
import signal
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson
from gexdesk.model.errors import SettingsError

if TYPE_CHECKING:
    from gexdesk.certify.plan import Plan
    from gexdesk.certify.run import Measured


def certify(
    *,
    quick: Annotated[bool, Parameter(negative="", help="A minute and 10,000 dispatches, not 15 and 100,000.")] = False,
    redis: Annotated[str | None, Parameter(help="Keep the queue in this Redis, under keys of its own; a URL.")] = None,
    report: Annotated[Path | None, Parameter(help="Write a page with every figure there, too: FILE.md.")] = None,
    json: AsJson = False,
) -> int:
    """Measure the success criteria against the promised load, with an engine of its own; exit 1 where one is missed.

    Nothing of yours is touched: the engine, its state folder and its feeds are made for it and removed again.

    Example: `gexdesk certify --quick --report certified.md`
    """
    from gexdesk.certify.criteria import judge, overall
    from gexdesk.certify.plan import FULL, QUICK
    from gexdesk.certify.report import document, machine_line, page, rows

    if report is not None and not report.absolute().parent.is_dir():
        raise SettingsError(f"{report.absolute().parent} is no folder; nothing was measured")
    try:
        measured = asyncio.run(_measured(QUICK if quick else FULL, redis))
    except asyncio.CancelledError:
        say("gexdesk: ended before it was done; nothing was certified")
        return 143
    criteria = judge(measured)
    passed = overall(criteria, measured.record)
    if report is not None:
        report.write_text(page(measured, criteria), encoding="utf-8")
    if json:
        as_json(document(measured, criteria))
    else:
        print(machine_line(measured))
        table("Certified" if passed else "Not certified", ["criterion", "verdict", "what", "limit", "found"], rows(criteria))
    for criterion in criteria:
        if criterion.why:
            say(f"{criterion.name}: {criterion.why}")
    return 0 if passed else 1


async def _measured(plan: "Plan", redis: str | None) -> "Measured":
    """Run it; a SIGTERM ends the private engine with us."""
    from gexdesk.certify.run import Run

    task = asyncio.current_task()
    assert task is not None
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    return await Run(plan, redis, say).measure()
