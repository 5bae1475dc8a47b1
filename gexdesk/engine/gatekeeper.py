"""Keep the gate: judge each snapshot in the order its source sent it, and remember what the next one is judged against."""

from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import lru_cache

import msgspec

from gexdesk.engine.beats import Beats
from gexdesk.engine.ledger import Account, Ledger
from gexdesk.engine.symbols import Symbols
from gexdesk.engine.tasks import Head
from gexdesk.gates.facts import Facts, Finding, Known, Outcome, shaped
from gexdesk.gates.identity import may_be_anothers
from gexdesk.gates.judge import Verdict, judge, releases, returns
from gexdesk.gates.jump import check_levels
from gexdesk.gates.moves import Moves
from gexdesk.gates.traded import begins_anew
from gexdesk.model.exposure import Exposure
from gexdesk.model.market import session_id
from gexdesk.model.payload import Payload
from gexdesk.model.symbol_view import FeedOfSymbol, Figures
from gexdesk.stores.base import LiveValue

SEEN = 256
SENT = 8_192
RUN = 64
_QUARTER_S = 900.0
TWIN_PRICE = 0.0125
"""A symbol whose price is further off, a share, is nobody's twin: more than ``gates.identity`` asks for, seen from either one."""

TWIN_WITHIN_S = 7_200.0
"""Another symbol's numbers are recognised for so long after they were received."""

Sighting = Callable[[str, str, float], Facts | None]
"""What another source than the one named said of a symbol for a moment of the market."""


@dataclass(slots=True)
class _Past:
    """Hold what one source of one symbol was judged by so far; ``run`` is what it is held for at present, since ``held_at``."""

    before: Facts | None = None
    earlier: Facts | None = None
    yesterday: Facts | None = None
    passed: int = 0
    seen: dict[int, float] = field(default_factory=dict)
    moves: Moves = field(default_factory=Moves)
    run: deque[Facts] = field(default_factory=lambda: deque(maxlen=RUN))
    verdicts: deque[Verdict] = field(default_factory=lambda: deque(maxlen=RUN))
    held_at: float = 0.0
    levels: Facts | None = None
    checked: Verdict = field(default_factory=Verdict)


class Judged(msgspec.Struct, frozen=True, gc=False):
    """Hold a snapshot's facts and verdict on its way from triage to readers."""

    facts: Facts
    verdict: Verdict
    good: Facts | None = None


class Gatekeeper:
    """Judge snapshots; what is held back is never what a later one is judged against.

    Args:
        sighting: Finds another source's word on a symbol; it is set once that is built (``sees``).
    """

    def __init__(self, symbols: Symbols, ledger: Ledger, beats: Beats) -> None:
        self._symbols = symbols
        self._ledger = ledger
        self._beats = beats
        self._past: dict[tuple[str, str], _Past] = {}
        self._twins: dict[str, dict[str, Facts]] = {}
        self._by_spot: dict[str, list[tuple[float, str]]] = {}
        self._sent: dict[int, str] = {}
        self._sighting: Sighting = lambda symbol, source, at: None

    def sees(self, sighting: Sighting) -> None:
        """Ask this for other sources' words from now on."""
        self._sighting = sighting

    def begin(self, value: LiveValue) -> None:
        """Take a value an earlier engine published as the one before; without its inputs it says less than a judged one."""
        exposure = value.exposure
        facts = Facts(
            symbol=value.symbol,
            source=value.source,
            as_of=exposure.as_of,
            received_at=value.received_at,
            session=session_id(min(exposure.as_of, value.received_at) - value.delay_s),
            delay_s=value.delay_s,
            spot=exposure.spot,
            net_gex=exposure.net_gex,
            gross_gex=exposure.gross_gex,
            open_interest=exposure.total_open_interest,
            volume=exposure.total_volume,
            coverage=exposure.coverage,
            contracts=exposure.contracts,
        )
        self._past.setdefault((value.source, value.symbol), _Past(before=_with_levels(facts, exposure)))

    def judge(self, account: Account, head: Head, payload: Payload) -> Judged:
        """Judge one snapshot; called in the order in which its source sent them."""
        history = is_history(account, payload)
        facts = _facts(account, head, payload, history=history)
        if not history:
            inputs = head.evidence.inputs if head.evidence is not None else None
            self._beats.heard(account.name, head.symbol, payload.received_at, facts.stamped_at, inputs)
        # What a request brought beside a source's own feed has a past of its own.
        past = self._past_of(f"{account.name} history" if history else account.name, head.symbol)
        if past.before is not None and past.before.shift_s != facts.shift_s:
            if _another_round(past.before, facts):
                past.before, past.moves, past.seen = None, Moves(), {}
            else:
                facts = msgspec.structs.replace(facts, shift_s=past.before.shift_s)
        known = self._known(facts, past, history=history)
        limits = self._symbols.of(head.symbol).limits
        verdict = judge(facts, known, limits)
        if history:
            verdict = Verdict(tuple(_as_flag(finding) for finding in verdict.findings))
        elif verdict.held and returns(facts, verdict, known, past.earlier, limits):
            verdict = Verdict(tuple(_as_flag(finding) for finding in verdict.findings))
            past.before = past.before if begins_anew(facts) else past.earlier
        elif verdict.held:
            verdict = self._held(facts, verdict, past, known)
        good = past.before
        past.checked = verdict
        if not verdict.held:
            self._passed(facts, verdict, past)
        return Judged(facts, verdict, good)

    def level_flags(self, judged: Judged, exposure: Exposure) -> Judged:
        """Add what the levels say, once they are computed: flip and walls against the last published ones of the source."""
        facts = _with_levels(judged.facts, exposure)
        past = self._past_of(facts.source, facts.symbol)
        findings = judged.verdict.findings
        if not judged.verdict.held and (past.levels is None or past.levels.stamped_at <= facts.stamped_at):
            moved = check_levels(facts, past.levels)
            past.levels = facts
            if moved:
                return Judged(facts, Verdict((*findings, *moved)), judged.good)
        return Judged(facts, judged.verdict, judged.good)

    def accept(self, facts: Facts) -> None:
        """Take what an operator released as the one the next is judged against, and how far its spot is off its quotes as usual.

        What its source has sent good ones after is history by now: those are what the next is judged against.
        """
        past = self._past_of(facts.source, facts.symbol)
        if past.before is not None and past.before.stamped_at > facts.stamped_at:
            return
        past.run.clear()
        past.verdicts.clear()
        past.before, past.earlier, past.seen, past.moves = facts, None, {}, _moved(facts, None, Moves())

    def lacking_since(self, symbol: str, source: str, now: float) -> float | None:
        """Return since when one source of a symbol has given nothing good, less closed hours and pauses; None if nothing counts.

        What is silent counts from its last snapshot, what is frozen from the first with its present numbers, what is held back
        from the first that was.
        """
        account = next((one for one in self._symbols.sources_of(symbol) if one.name == source), None)
        if account is None:
            return None
        until, past = self._beats.living_until(account, symbol, now), self._past.get((source, symbol))
        if past is None or not past.run:
            return until
        heard_since = self._beats.open_since(account, symbol, now)
        held_at = past.held_at if heard_since is None else max(past.held_at, heard_since)
        return held_at if until is None else min(held_at, until)

    def held_count(self, source: str, symbol: str) -> int:
        """Return how many snapshots in a row are held back now."""
        past = self._past.get((source, symbol))
        return len(past.run) if past is not None else 0

    def last_good(self, source: str, symbol: str) -> Facts | None:
        """Return the last snapshot of a source that passed."""
        past = self._past.get((source, symbol))
        return past.before if past is not None else None

    def feed(self, symbol: str, source: str, now: float) -> tuple[str, str]:
        """Return how one source of a symbol does, a word of ``FeedOfSymbol.state``, and one line why."""
        account = next((one for one in self._symbols.sources_of(symbol) if one.name == source), None)
        if account is None:
            return "waiting", f"{source} does not bring {symbol}"
        word, text = self._beats.state(account, symbol, now)
        past = self._past.get((source, symbol))
        if past is None or not past.run or word not in ("ok", "closed"):
            return word, text
        plural = "snapshot" if len(past.run) == 1 else f"{len(past.run)} snapshots in a row"
        return "QUARANTINE", f"{source}: {plural} held back: {past.verdicts[-1].words}"

    def described(self, symbol: str, source: str, *, role: str, state: str, text: str) -> FeedOfSymbol:
        """Return what a screen shows of one source of a symbol."""
        account = self._ledger.adopt(source)
        beat, past = self._beats.beat(account, symbol), self._past.get((source, symbol), _Past())
        good = past.levels or past.before
        return FeedOfSymbol(
            source=source, role=role, state=state, text=text, as_of=good.as_of if good is not None else None, last_at=beat.last_at,
            changed_at=beat.changed_at, interval_s=self._beats.interval_s(account, symbol), delay_s=account.delay_s,
            figures=figures(good) if good is not None else None, flags=past.checked.flags, quarantined=len(past.run),
        )  # fmt: skip

    def _twins_of(self, facts: Facts) -> tuple[Facts, ...]:
        """Return the other symbols that trade at about the same price: only those may be mistaken for each other."""
        prices = self._by_spot.get(_kind(facts), [])
        if facts.spot is None or len(prices) < 2:
            return ()
        low, high = (bisect_left(prices, (facts.spot * factor, "")) for factor in (1 - TWIN_PRICE, 1 + TWIN_PRICE))
        near = prices[low:high]
        found = (self._twins[_kind(facts)][symbol] for _, symbol in near if symbol != facts.symbol)
        return tuple(one for one in found if facts.received_at - one.received_at < TWIN_WITHIN_S)

    def _remember(self, facts: Facts) -> None:
        """Note a symbol's numbers, and at which price they are found."""
        known, prices = self._twins.setdefault(_kind(facts), {}), self._by_spot.setdefault(_kind(facts), [])
        before = known.get(facts.symbol)
        was = before.spot if before is not None else None
        known[facts.symbol] = facts
        if was == facts.spot:
            return
        if was is not None:
            del prices[bisect_left(prices, (was, facts.symbol))]
        if facts.spot is not None:
            insort(prices, (facts.spot, facts.symbol))

    def _past_of(self, source: str, symbol: str) -> _Past:
        past = self._past.get((source, symbol))
        if past is None:
            past = self._past[source, symbol] = _Past()
        return past

    def _known(self, facts: Facts, past: _Past, *, history: bool) -> Known:
        if history:
            return Known(before=past.before, moves=past.moves, history=True, shape=shaped(facts, past.before))
        other = self._sighting(facts.symbol, facts.source, facts.market_at)
        twins = self._twins_of(facts) if may_be_anothers(facts, past.before) else ()
        owner = self._sent.get(facts.evidence.inputs, "") if facts.evidence is not None else ""
        return Known(
            before=past.before, yesterday=past.yesterday, seen=past.seen, moves=past.moves, other=other,
            twins=twins, owner="" if owner == facts.symbol else owner, shape=shaped(facts, past.before),
        )  # fmt: skip

    def _held(self, facts: Facts, verdict: Verdict, past: _Past, known: Known) -> Verdict:
        if not past.run:
            past.held_at = facts.received_at
        past.run.append(facts)
        past.verdicts.append(verdict)
        why = releases(tuple(past.run), tuple(past.verdicts), known, past.passed)
        if not why:
            return verdict
        past.run.clear()
        past.verdicts.clear()
        past.before = past.earlier = None
        past.moves, past.passed = Moves(), 0  # a new level: what the old one explains is no measure of it
        findings = tuple(_as_flag(finding) for finding in verdict.findings)
        return Verdict((Finding("release", Outcome.FLAG, "released_by_rule", why), *findings))

    def _passed(self, facts: Facts, verdict: Verdict, past: _Past) -> None:
        past.run.clear()
        past.verdicts.clear()
        if verdict.findings and any(finding.word == "reordered" for finding in verdict.findings):
            return
        before = past.before
        if before is not None and before.session != facts.session:
            past.yesterday, past.seen, past.passed = before, {}, 0
        past.passed += 1
        past.moves = _moved(facts, before, past.moves)
        if facts.evidence is not None:
            past.seen.setdefault(facts.evidence.inputs, facts.market_at)
            while len(past.seen) > SEEN:
                del past.seen[next(iter(past.seen))]
            self._sent.setdefault(facts.evidence.inputs, facts.symbol)
            while len(self._sent) > SENT:
                del self._sent[next(iter(self._sent))]
        past.earlier, past.before = before, facts
        self._remember(facts)


def figures(facts: Facts, strikes: int = 0) -> Figures:
    """Return the figures of judged facts; ``strikes`` where its distinct strikes were counted."""
    return Figures(
        as_of=facts.as_of, spot=facts.spot, net_gex=facts.net_gex, gross_gex=facts.gross_gex, zero_gamma=facts.flip,
        call_wall=facts.call_wall, put_wall=facts.put_wall, total_open_interest=facts.open_interest, total_volume=facts.volume,
        coverage=facts.coverage, contracts=facts.contracts, strikes=strikes,
        implied_spot=facts.evidence.implied_spot if facts.evidence is not None else None,
    )  # fmt: skip


def is_history(account: Account, payload: Payload) -> bool:
    """Say whether a payload is history, by its source or by the request that asked for it."""
    asked = payload.asked.data_type if payload.asked is not None else None
    return (asked or account.data_type) == "historical"


def _facts(account: Account, head: Head, payload: Payload, *, history: bool) -> Facts:
    delay_s, received_at = account.delay_of(head.delay_s), payload.received_at
    return Facts(
        symbol=head.symbol,
        source=account.name,
        as_of=head.as_of,
        received_at=received_at,
        session=_session_of((head.as_of if history else min(head.as_of, received_at) - delay_s) // _QUARTER_S),
        delay_s=delay_s,
        shift_s=payload.time_shift_s,
        spot=head.spot,
        net_gex=head.net_gex,
        gross_gex=head.gross_gex,
        open_interest=head.open_interest,
        volume=head.volume,
        coverage=head.coverage,
        contracts=head.contracts,
        evidence=head.evidence,
    )


@lru_cache(maxsize=4096)
def _session_of(quarter: float) -> int:
    """Return the session of a quarter of an hour since 1970: no session, and no change of New York's clock, begins within one."""
    return session_id(quarter * _QUARTER_S)


def _with_levels(facts: Facts, exposure: Exposure) -> Facts:
    return msgspec.structs.replace(
        facts, flip=exposure.zero_gamma.value, call_wall=exposure.call_wall, put_wall=exposure.put_wall
    )


def _another_round(before: Facts, facts: Facts) -> bool:
    """Say whether a replay began anew: its stamps go on while those of what it plays go back."""
    quoted_at, quoted_before = facts.as_of - facts.shift_s, before.as_of - before.shift_s
    return facts.shift_s - before.shift_s > 1.0 and quoted_at < quoted_before - 1.0


def _kind(facts: Facts) -> str:
    """Name what can be mistaken for it: chains for chains, given strikes for given strikes."""
    return "given" if facts.evidence is not None and facts.evidence.given else "chain"


def _as_flag(finding: Finding) -> Finding:
    if finding.outcome is not Outcome.QUARANTINE:
        return finding
    return msgspec.structs.replace(finding, outcome=Outcome.FLAG)


def _moved(facts: Facts, before: Facts | None, moves: Moves) -> Moves:
    implied = facts.evidence.implied_spot if facts.evidence is not None else None
    off = facts.spot / implied - 1 if facts.spot and implied else None
    if before is None or before.session != facts.session or before.shift_s != facts.shift_s:
        return moves.add(implied=off)
    net = spot = None
    if facts.net_gex is not None and before.net_gex is not None and before.gross_gex:
        net = abs(facts.net_gex - before.net_gex) / before.gross_gex
    if facts.spot and before.spot:
        spot = abs(facts.spot / before.spot - 1) / max(1.0, facts.market_at - before.market_at) ** 0.5
    return moves.add(net=net, spot=spot, implied=off)
