"""Know the symbols: what is expected, who reads it, which source serves it and which stands by."""

from collections.abc import Sequence
from pathlib import Path

from msgspec import Struct

from gexdesk.engine.ledger import Account, Ledger
from gexdesk.gates.agree import Tolerances
from gexdesk.gates.facts import Limits
from gexdesk.gates.hours import Session, on_since, session_of
from gexdesk.gates.pulse import INTERVALS

MISSING_S = 30.0
UNKNOWN_S = 300.0
"""A symbol is missed this long after its source could first have brought it: three of its intervals, at least half a minute;
five minutes where nobody knows its interval."""


class Plan(Struct, frozen=True):
    """Hold what is configured for one symbol, or the usual of everything.

    Attributes:
        expected: A configured source or the configuration itself names it: no value of it is a fault.
        session: As configured; None follows each source's hours.
        serving, standby: The first source, and the one to fail over to; empty takes the first and second that bring it.
        failover_after_s: Fail over by rule after so long without good data; None leaves that to operators.
        history: Folder that can fill its gaps.
    """

    name: str
    expected: bool = False
    session: Session | None = None
    readers: tuple[str, ...] = ()
    serving: str = ""
    standby: str = ""
    aliases: tuple[str, ...] = ()
    failover_after_s: float | None = None
    fail_back_after_s: float = 120.0
    history: Path | None = None
    limits: Limits = Limits()
    tolerances: Tolerances = Tolerances()


class Symbols:
    """Hold every symbol's plan, in the order of the configuration; a symbol nobody named gets the usual one."""

    def __init__(self, plans: Sequence[Plan], ledger: Ledger) -> None:
        self._plans = {plan.name: plan for plan in plans}
        self._ledger = ledger
        self.aliases = {alias: plan.name for plan in plans for alias in plan.aliases}
        self._canonical: dict[tuple[str, ...], frozenset[str]] = {}

    def of(self, name: str) -> Plan:
        """Return a symbol's plan, by its name or an alias."""
        name = self.aliases.get(name, name)
        return self._plans.get(name) or Plan(name)

    def __contains__(self, name: object) -> bool:
        return name in self._plans or name in self.aliases

    def expected(self) -> list[Plan]:
        """Return what is expected, in the order of the configuration."""
        return [plan for plan in self._plans.values() if plan.expected]

    def place(self, name: str) -> tuple[int, str]:
        """Return where a symbol stands on a screen: as configured, the others behind by name."""
        names = list(self._plans)
        return (names.index(name) if name in self._plans else len(names)), name

    def sources_of(self, name: str) -> list[Account]:
        """Return the sources that bring a symbol as live data, the configured first one and the standby ahead."""
        plan = self.of(name)
        first = [named for named in (plan.serving, plan.standby) if named and named in self._ledger]
        others = [
            account.name
            for account in self._ledger.all()
            if account.assigned and account.data_type != "historical"
            and (name in account.seen_symbols or name in self._carried(account))
        ]  # fmt: skip
        return [self._ledger[source] for source in dict.fromkeys((*first, *others))]

    def on_since(self, name: str, account: Account, now: float) -> float | None:
        """Return since when a source has had something to say of a symbol; None while its market is closed."""
        return on_since(now, session_of(name, self.of(name).session, account.hours), account.delay_s)

    def overdue(self, name: str, account: Account, now: float) -> bool:
        """Say whether a source could have brought a symbol for long enough that its absence is a fault."""
        since = self.on_since(name, account, now)
        if since is None or account.listening_since is None:
            return False
        patience_s = UNKNOWN_S if account.due_s is None else max(MISSING_S, INTERVALS * account.due_s)
        return now - max(since, account.listening_since) > patience_s

    def _carried(self, account: Account) -> frozenset[str]:
        """Return what a source is configured to bring, by its symbols' own names; asked for every symbol of every picture."""
        known = self._canonical.get(account.symbols)
        if known is None:
            known = self._canonical[account.symbols] = frozenset(self.aliases.get(name, name) for name in account.symbols)
        return known
