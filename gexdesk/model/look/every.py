"""Every question there is."""

from gexdesk.model.look.guidelines import GuidelinesLook
from gexdesk.model.look.handover import HandOverLook
from gexdesk.model.look.history import HistoryLook, TrendLook
from gexdesk.model.look.incident import IncidentLook
from gexdesk.model.look.machine import MachineLook
from gexdesk.model.look.queue import JobsLook
from gexdesk.model.look.record import AuditLook, LogLook
from gexdesk.model.look.source import DeadLook, PayloadLook, SourceLook
from gexdesk.model.look.symbol import CompareLook, GapsLook, QuarantineLook, SymbolLook

AnyLook = (
    JobsLook | DeadLook | GuidelinesLook | IncidentLook | HandOverLook | HistoryLook | TrendLook
    | SymbolLook | QuarantineLook | CompareLook | GapsLook | SourceLook | PayloadLook | LogLook | AuditLook | MachineLook
)
"""Every question there is, as one union: what the wire takes."""
