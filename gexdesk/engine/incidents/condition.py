"""The one way in: whoever finds something wrong says so with a ``Condition``, each second for as long as it is."""

from msgspec import Struct

from gexdesk.engine.incidents.kind import Kind


class Condition(Struct, frozen=True, kw_only=True):
    """State one thing that is wrong now. No more is needed: the incidents open, join, close and open again by it.

    Attributes:
        kind: What sort of thing it is.
        key: Joins it with itself over time: the same thing has the same key every second, and nothing else has.
        severity: 2 readers are hit, 1 worth a look.
        subject: What it befalls, short enough for a column: a symbol, a source, ``disk``.
        text: What was found, one printable line.
        do_first: The one line of advice.
        symbols: What readers lack by it, or have wrong; their readers are named.
        source: The source it is about; empty where it is about none.
        vendor: Who runs the source; a maintenance window may be for all of a vendor's.
        group: What it has in common with its like: those that come together become one incident, named so. Empty is the vendor;
            without either it joins nothing.
        job_id: The job of the payload that caused it; empty without one.
        came_at: When it last came, where one that stays, or is told of for a while, can come again: later than before, it opens a
            resolved incident anew.
    """

    kind: Kind
    key: str
    severity: int
    subject: str
    text: str
    do_first: str
    symbols: tuple[str, ...] = ()
    source: str = ""
    vendor: str = ""
    group: str = ""
    job_id: str = ""
    came_at: float = 0.0

    @property
    def like(self) -> str:
        """Return what it joins by; empty where it joins nothing."""
        return self.group or self.vendor
