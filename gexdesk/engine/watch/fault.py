"""Something elsewhere in the house that says in words what is wrong with it, and nothing while it is well."""

from collections.abc import Callable, Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind


class Fault:
    """Find a part that says it is not well.

    Args:
        fault: Returns one printable line, empty while all is well.
    """

    def __init__(self, kind: Kind, subject: str, fault: Callable[[], str], do_first: str, severity: int = 2) -> None:
        self._kind = kind
        self._subject = subject
        self._fault = fault
        self._do_first = do_first
        self._severity = severity

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition."""
        if words := self._fault():
            yield Condition(
                kind=self._kind, key=f"fault {self._kind}", severity=self._severity, subject=self._subject, text=words,
                do_first=self._do_first,
            )  # fmt: skip
