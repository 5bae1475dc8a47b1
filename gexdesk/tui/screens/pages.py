"""Every page by the name that keys and commands open it with; a page's imports wait until it is opened."""

from importlib import import_module
from typing import TYPE_CHECKING

from gexdesk.tui.house import House

if TYPE_CHECKING:  # a page opens others
    from gexdesk.tui.screens.page import Page

PAGES = {
    "audit": "audit.AuditPage",
    "compare": "compare.ComparePage",
    "dead": "dead.DeadPage",
    "engineering": "engineering.EngineeringPage",
    "engines": "engines.EnginesPage",
    "gaps": "gaps.GapsPage",
    "guidelines": "guidelines.GuidelinesPage",
    "handover": "handover.HandoverPage",
    "incidents": "incidents.IncidentsPage",
    "log": "log.LogPage",
    "payload": "payload.PayloadPage",
    "quarantine": "quarantine.QuarantinePage",
    "queue": "queue.QueuePage",
    "source": "source.SourcePage",
    "symbol": "symbol.SymbolPage",
}
"""Name to file and class."""


def page_of(name: str, house: House, *subject: str) -> "Page":
    """Make a page; ``subject`` is what it is about, where it is about one thing. Raises KeyError for a name that is none."""
    module, _, kind = PAGES[name].partition(".")
    page: Page = getattr(import_module(f"gexdesk.tui.screens.{module}"), kind)(house, *subject)
    return page
