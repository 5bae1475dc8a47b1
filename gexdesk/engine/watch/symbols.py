"""What readers have and should not, or have not and should: missing, frozen, silent, held back, at odds."""

from collections.abc import Iterator

from gexdesk.engine.incidents.condition import Condition
from gexdesk.engine.incidents.kind import Kind
from gexdesk.engine.ledger import Ledger
from gexdesk.engine.provision import Provision
from gexdesk.engine.standing import Standing
from gexdesk.engine.symbols import Plan
from gexdesk.engine.watch.state import state_of
from gexdesk.stores.base import LiveCache


class SymbolCauses:
    """Find what is wrong with symbols; what befalls a whole source is said of the source, once."""

    def __init__(self, provision: Provision, ledger: Ledger, standing: Standing, cache: LiveCache) -> None:
        self._symbols = provision.symbols
        self._ledger = ledger
        self._standing = standing
        self._cache = cache
        self._serving = provision.serving
        self._gates = provision.gates
        self._quarantine = provision.quarantine
        self._comparison = provision.comparison

    def conditions(self, now: float) -> Iterator[Condition]:
        """Yield at most one condition a symbol and kind."""
        for plan in self._symbols.expected():
            yield from self._of(plan, now)
        for seen, text in self._comparison.disagreeing():
            yield Condition(
                kind=Kind.DISAGREE, key=f"disagree {seen.symbol}", severity=1, subject=seen.symbol, text=text,
                do_first="d compare", symbols=(seen.symbol,), source=seen.left, group=f"{seen.left} and {seen.right}",
            )  # fmt: skip
        for case in self._quarantine.cases():
            if case.source in self._ledger and self._ledger[case.source].runs_on:
                continue  # another engine of the fleet judges it now, and says what it holds back
            serves = self._serving.serving(case.symbol) == case.source
            found = case.findings[0].text if case.findings else "held back by the checks"
            yield Condition(
                kind=Kind.QUARANTINE, key=f"quarantine {case.number}", severity=2 if serves else 1, subject=case.symbol,
                text=f"{case.source}: {case.count} held back: {found}",
                do_first="Enter shows both; release, refuse, or F fails over" if serves else "Enter shows both; release or refuse",
                symbols=(case.symbol,) if serves else (), source=case.source, group=case.source, job_id=case.job_id,
            )  # fmt: skip

    def _of(self, plan: Plan, now: float) -> Iterator[Condition]:
        source = self._serving.serving(plan.name)
        if not source or source not in self._ledger:
            return
        account = self._ledger[source]
        # A source that is not well is an incident of its own, which names its symbols and their readers.
        if state_of(account, self._standing, now) not in ("live", "waiting", "quiet"):
            return
        word, text = self._gates.feed(plan.name, source, now)
        standby = self._serving.standby(plan.name)
        advice = f"F serves it from {standby}" if standby else "the vendor"
        kind = {"FROZEN": Kind.SYMBOL_FROZEN, "SILENT": Kind.SYMBOL_SILENT, "REPEATS": Kind.SYMBOL_SILENT}.get(word)
        if kind is not None:
            yield Condition(
                kind=kind, key=f"{word} {plan.name} {source}", severity=2, subject=plan.name, text=text, do_first=advice,
                symbols=(plan.name,), source=source, vendor=account.vendor,
            )  # fmt: skip
        elif self._cache.get(plan.name) is None and self._symbols.overdue(plan.name, account, now):
            yield Condition(
                kind=Kind.SYMBOL_MISSING, key=f"missing {plan.name}", severity=2, subject=plan.name,
                text=f"expected from {source}, and nothing came yet", do_first=advice, symbols=(plan.name,), source=source,
            )  # fmt: skip
