"""``certify``: the success criteria on this machine."""

import asyncio
from pathlib import Path
from typing import Annotated

from cyclopts import Parameter

from gexdesk.cli.answer import as_json, say, table
from gexdesk.cli.arguments import AsJson
from gexdesk.model.errors import SettingsError


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
    from gexdesk.certify.run import Run

    if report is not None and not report.absolute().parent.is_dir():
        raise SettingsError(f"{report.absolute().parent} is no folder; nothing was measured")
    measured = asyncio.run(Run(QUICK if quick else FULL, redis, say).measure())
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
