"""Hold back what the checks stopped: stored apart, shown with both values, until somebody releases or refuses it."""

import asyncio
import math
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import msgspec
from msgspec import Struct, structs

from gexdesk.engine.gatekeeper import Judged, figures
from gexdesk.engine.serving import figures_of
from gexdesk.gates.facts import Facts, Finding
from gexdesk.model.clock import Clock
from gexdesk.model.errors import LeverRefused, StoreError, UnknownTarget
from gexdesk.model.symbol_view import FindingView, QuarantineCase
from gexdesk.model.text import printable
from gexdesk.stores.base import LiveCache, LiveValue
from gexdesk.stores.durable import write_durably
from gexdesk.stores.spool_record import sealed, unsealed

KEPT = 500
APART_S = 600.0
"""What is held after a longer pause is a case of its own."""

SAME_SHARE = 0.05
"""What the checks find in the next snapshot of a case is the same again within this share: an operator who looked at the one
before it has seen it, however fast they come."""

RULE = "rule"
GOOD_S = 300.0
"""A case that nobody settled is refused once its source was good for so long."""


@dataclass(slots=True)
class _Held:
    """Hold the newest snapshot of a case as readers would get it; None for a case of an earlier engine."""

    case: QuarantineCase
    value: LiveValue | None = None
    strikes: bytes = b""
    facts: Facts | None = None
    ordinal: int = 0
    good_at: float | None = None


class _Saved(Struct, frozen=True):
    count: int
    cases: tuple[QuarantineCase, ...]


class Quarantine:
    """Number the cases, the newest last; settled ones stay for a while.

    Args:
        path: Where they are written down now and then, so that a restarted engine still shows them.
        readers: Who reads a symbol.
    """

    def __init__(self, cache: LiveCache, clock: Clock, path: Path, readers: Callable[[str], tuple[str, ...]]) -> None:
        self._cache = cache
        self._clock = clock
        self._path = path
        self._readers = readers
        self._held: dict[int, _Held] = {}
        self._open: dict[tuple[str, str], int] = {}
        self._count = 0
        self._by_rule: list[QuarantineCase] = []

    def open(self) -> None:
        """Take over what an earlier engine wrote down.

        Raises:
            StoreError: The file is damaged: no reason not to start, since the store has the snapshots.
        """
        try:
            saved = msgspec.msgpack.decode(unsealed(self._path.read_bytes()), type=_Saved)
        except FileNotFoundError:
            return
        except (OSError, ValueError) as error:
            raise StoreError(
                f"{self._path} held the cases held back and cannot be believed ({error}); it begins anew, what was held back is "
                "in the store"
            ) from error
        self._count = saved.count
        self._held = {case.number: _Held(case) for case in saved.cases}
        self._open = {(case.source, case.symbol): case.number for case in saved.cases if case.state == "held"}

    async def save(self) -> None:
        """Write the cases down as they are now. Raises StoreError."""
        saved = _Saved(self._count, tuple(held.case for held in self._held.values()))  # here, where nobody changes them meanwhile
        await asyncio.to_thread(self._write, saved)

    def _write(self, saved: _Saved) -> None:
        try:
            write_durably(self._path, sealed(msgspec.msgpack.encode(saved)))
        except OSError as error:
            raise StoreError(f"{self._path.name} could not be written ({error.strerror}); check space") from error

    def hold(self, judged: Judged, value: LiveValue, strikes: bytes, ordinal: int) -> QuarantineCase:
        """Take a snapshot that was held back: the next of its case, or the first of a new one."""
        facts, now = judged.facts, self._clock.now()
        known = self._held.get(self._open.get((facts.source, facts.symbol), 0))
        if known is not None and facts.received_at - known.case.last_at > APART_S:
            known = None
        new = {
            "last_at": max(facts.received_at, known.case.last_at) if known is not None else facts.received_at,
            "level": value.level,
            "job_id": value.job_id,
            "findings": tuple(_view(finding) for finding in judged.verdict.findings),
            "suspect": figures(facts, value.exposure.strikes),
            "good": figures(judged.good) if judged.good is not None else None,
            "readers": self._readers(facts.symbol),
        }  # fmt: skip
        if known is None:
            self._count += 1
            case = QuarantineCase(
                number=self._count, symbol=facts.symbol, source=facts.source, state="held", count=1, first_at=now, live=None,
                live_source="", **new,  # type: ignore[arg-type]
            )  # fmt: skip
            self._open[facts.source, facts.symbol] = case.number
        else:
            case = structs.replace(known.case, count=known.case.count + 1, **new)
            if not _same(known.case.findings, case.findings):
                case = structs.replace(case, revision=known.case.revision + 1)
        newest = known is None or known.facts is None or facts.stamped_at >= known.facts.stamped_at
        self._held[case.number] = _Held(case, value, strikes, facts, ordinal) if newest or known is None else known
        self._held[case.number].case = case
        self._held[case.number].good_at = None
        while len(self._held) > KEPT:
            gone = self._held.pop(next(iter(self._held))).case
            if self._open.get((gone.source, gone.symbol)) == gone.number:
                del self._open[gone.source, gone.symbol]
        return case

    def passed(self, facts: Facts, why: str) -> None:
        """Note that a source's snapshots pass again: by ``why`` where a rule released what was held, else of themselves."""
        held = self._held.get(self._open.get((facts.source, facts.symbol), 0))
        if held is None:
            return
        suspect_at = held.facts.stamped_at if held.facts is not None else min(held.case.suspect.as_of, held.case.last_at)
        if facts.stamped_at < suspect_at:
            return
        if why:
            self._by_rule.append(self.settle(held.case.number, "released", RULE, why))
        elif held.good_at is None:
            held.good_at = self._clock.now()

    def tidy(self, now: float) -> None:
        """Refuse what nobody settled while its source has been good again for long."""
        for number in list(self._open.values()):
            held = self._held[number]
            if held.good_at is not None and now - held.good_at > GOOD_S:
                why = f"nobody settled it, and its source has been good again for {now - held.good_at:.0f} s"
                self._by_rule.append(self.settle(number, "refused", RULE, why))

    def settled_by_rule(self) -> list[QuarantineCase]:
        """Return the cases that a rule settled since the last call."""
        settled, self._by_rule = self._by_rule, []
        return settled

    def find(self, number: str) -> QuarantineCase:
        """Return a case by its number. Raises UnknownTarget."""
        held = self._held.get(int(number)) if number.isdecimal() else None
        if held is None:
            raise UnknownTarget(f"no quarantine case {printable(number, 20)!r}; `gexdesk quarantine list` shows them")
        return self._now(held.case)

    def value_of(self, number: int) -> tuple[LiveValue, bytes, Facts, int]:
        """Return what a case holds. Raises LeverRefused where an earlier engine held it and its value is only in the store."""
        held = self._held[number]
        if held.value is None or held.facts is None:
            raise LeverRefused(f"case {number} was held by an earlier engine: its snapshot is in the store, no longer at hand")
        return held.value, held.strikes, held.facts, held.ordinal

    def settle(self, number: int, state: str, by: str, reason: str) -> QuarantineCase:
        """Release or refuse a case; what is held next is a case of its own."""
        case = self._held[number].case
        if self._open.get((case.source, case.symbol)) == number:
            del self._open[case.source, case.symbol]
        return self._settle(number, state, by, reason)

    def cases(self, symbol: str = "", *, settled: bool = False) -> tuple[QuarantineCase, ...]:
        """Return the cases, newest first."""
        found = (held.case for held in reversed(self._held.values()))
        return tuple(self._now(case) for case in found if (settled or case.state == "held") and symbol in ("", case.symbol))

    def held(self, symbol: str) -> tuple[QuarantineCase, ...]:
        """Return what is held of a symbol now."""
        open_now = (number for (_, name), number in self._open.items() if name == symbol and number in self._held)
        return tuple(self._now(self._held[number].case) for number in open_now)

    def _now(self, case: QuarantineCase) -> QuarantineCase:
        """Return a case with what readers have at this moment; of a settled one it stays what they had when it was settled."""
        live = self._cache.get(case.symbol) if case.state == "held" else None
        return case if live is None else structs.replace(case, live=figures_of(live), live_source=live.source)

    def _settle(self, number: int, state: str, by: str, reason: str) -> QuarantineCase:
        held = self._held[number]
        held.case = structs.replace(
            self._now(held.case), state=state, settled_by=by, settled_reason=printable(reason, 300), settled_at=self._clock.now(),
            revision=held.case.revision + 1,
        )  # fmt: skip
        return held.case


def _same(before: tuple[FindingView, ...], now: tuple[FindingView, ...]) -> bool:
    """Say whether the checks found the same again, in figures that are about those of before."""
    if [(one.gate, one.outcome, one.word) for one in before] != [(one.gate, one.outcome, one.word) for one in now]:
        return False
    pairs = [(was.found, one.found) for was, one in zip(before, now, strict=True)]
    return all(was is one if was is None or one is None else math.isclose(was, one, rel_tol=SAME_SHARE) for was, one in pairs)


def _view(finding: Finding) -> FindingView:
    return FindingView(
        finding.gate, str(finding.outcome), finding.word, printable(finding.text, 200), finding.found, finding.expected
    )
