"""Judge a snapshot by every check, and say when one that goes on may be released by rule."""

import math
from collections.abc import Sequence

from msgspec import Struct, structs

from gexdesk.gates import coverage, identity, jump, open_interest, ordering, skew, spot
from gexdesk.gates.facts import Facts, Finding, Known, Limits, Outcome, shaped, share
from gexdesk.gates.shape import FEWEST

_CHECKS = (skew.check, ordering.check, identity.check, spot.check, open_interest.check, coverage.check, jump.check)

_BY_THE_LAST = frozenset({"scaled", "sign_flipped", "level_jumped", "spot_moved", "strikes_missing"})
"""What is found by comparing with the one before alone."""

_LEVEL_AS_BEFORE = 3.0
_SPOT_AS_BEFORE = 0.02
_SHAPE_AS_BEFORE = 0.1
_SHAPE_LASTS_S = 900.0

_AGREE = 1 / 3
"""At most this share of strikes turned round between two tables of the same sign."""

_ODD = 4.0
"""More of its gross GEX, as a share, than trades add from one table to the next."""

RELEASE_COUNT = 5
RELEASE_CONFIRMED_COUNT = 3
RELEASE_S = 30.0
UNPROVEN = 2
"""So few that passed at the beginning of a session prove no level: they may be the wrong ones."""

_SPOT_WEIGHS = 20.0
_DISTINCT = 3
_SAME_SPOT = 0.005
_SAME_INTEREST = 0.005
_SAME_LEVEL = 0.15
_SAME_STRIKES = 0.95
_STRANGER = 0.2
_UNMOVED = 0.9


class Verdict(Struct, frozen=True, gc=False):
    """Hold what the checks found of one snapshot."""

    findings: tuple[Finding, ...] = ()

    @property
    def held(self) -> bool:
        """Say whether it is kept from readers."""
        return bool(self.findings) and any(finding.outcome is Outcome.QUARANTINE for finding in self.findings)

    @property
    def flags(self) -> tuple[str, ...]:
        """Return the words that go with the value, each once; what was only named is not among them."""
        return tuple(dict.fromkeys(finding.word for finding in self.findings if finding.outcome is not Outcome.NOTE))

    @property
    def words(self) -> str:
        """Return the gravest finding in one line; empty where there is none."""
        order = {Outcome.QUARANTINE: 0, Outcome.FLAG: 1, Outcome.NOTE: 2}
        return min(self.findings, key=lambda finding: order[finding.outcome]).text if self.findings else ""


_NOTHING = Verdict()


def judge(facts: Facts, known: Known, limits: Limits) -> Verdict:
    """Run every check; a snapshot that is older than the one before is only named so: it reaches nobody anyway."""
    found: list[Finding] = []
    for check in _CHECKS:
        found += check(facts, known, limits)
    if not found:
        return _NOTHING
    if any(finding.word == "reordered" for finding in found):
        found = [finding for finding in found if finding.gate in ("ordering", "skew")]
    return Verdict(tuple(found))


def returns(facts: Facts, verdict: Verdict, known: Known, earlier: Facts | None, limits: Limits) -> bool:
    """Say whether a held table by volume only goes back to where its source was: the one that passed in between was the odd one.

    Such a table has nothing of its own to be judged by. One that was wrong and could not be told from a market that moved must
    not hold back what is right after it.

    Args:
        earlier: What passed before ``known.before``.
    """
    before, held = known.before, {finding.word for finding in verdict.findings if finding.outcome is Outcome.QUARANTINE}
    if earlier is None or before is None or facts.evidence is None or not facts.evidence.by_volume or not held <= _BY_THE_LAST:
        return False
    moved, grown = share(facts.spot, earlier.spot), share(facts.gross_gex, earlier.gross_gex)
    if abs(moved or 0.0) > _SPOT_AS_BEFORE:
        return False
    if "sign_flipped" in held:
        was = shaped(facts, earlier)
        if earlier.session != facts.session or was.both < FEWEST or was.opposite > _AGREE * was.both:
            return False
    between = share(before.gross_gex, earlier.gross_gex)
    if "scaled" in held and between is not None and 0.0 <= between < _ODD:
        return False  # a wrong unit makes ten of one: the one in between only grew, it is this one that is odd
    # Where the one before that had no numbers, the one in between was the first of its day: nothing says that it was right.
    if held != {"spot_moved"} and grown is not None:
        fell, alike = (facts.gross_gex or 0.0) < (before.gross_gex or 0.0), shaped(facts, earlier).alike
        if 1 + grown < 1 / _LEVEL_AS_BEFORE or (1 + grown > _LEVEL_AS_BEFORE and not fell):
            return False
        soon = facts.market_at - earlier.market_at < _SHAPE_LASTS_S
        if soon and alike is not None and alike < _SHAPE_AS_BEFORE:
            return False
    return not judge(facts, structs.replace(known, before=earlier, shape=shaped(facts, earlier)), limits).held


def releases(run: Sequence[Facts], verdicts: Sequence[Verdict], known: Known, passed: int) -> str:
    """Say why an unbroken row of held snapshots may be released; empty where it may not.

    A move that the market really made goes on, and more than its going on speaks for it. So two things are needed: the row is
    long enough, agrees with itself and its numbers live; and either another source says the same, or the snapshot's own inputs
    are whole (contracts, open interest, quotes that imply its spot) and only their level is new. What no market does (another
    symbol's numbers, swapped sides, a power of ten, yesterday's open interest, a spot its own quotes deny) is never released by
    going on: it needs another source that says the same, or an operator.

    Args:
        run: What is held of one source and symbol, oldest first.
        verdicts: One each.
        known: What the newest was judged against.
        passed: How many of this session passed before them.
    """
    last, before, other = run[-1], known.before, known.other
    lives = len({one.evidence.inputs for one in run if one.evidence is not None})
    if lives < min(_DISTINCT, len(run)) or len(run) < RELEASE_CONFIRMED_COUNT:
        return ""
    if not all(_together(one, last) for one in run[-RELEASE_COUNT:]):
        return ""
    if other is not None and _confirms(last, other):
        return f"{other.source} says the same; {len(run)} snapshots in a row do"
    if before is not None and passed <= UNPROVEN and known.yesterday is not None and _nearer(last, before, known.yesterday):
        return f"{len(run)} in a row are like the last session; what passed before them was {passed} that is not"
    long_enough = len(run) >= RELEASE_COUNT and last.received_at - run[0].received_at >= RELEASE_S
    by_volume = last.evidence is not None and last.evidence.by_volume  # of which no earlier day says what is right
    if long_enough and by_volume and passed <= UNPROVEN and all(_turned(verdict) for verdict in verdicts):
        return f"{len(run)} in a row agree; what passed before them, at the beginning of the day, was {passed} with the other sign"
    if any(finding.wrong for verdict in verdicts for finding in verdict.findings):
        return ""
    if long_enough and before is not None and _whole(last, before, verdicts[-1]):
        return f"{len(run)} snapshots over {last.received_at - run[0].received_at:.0f} s agree, and their inputs are whole"
    return ""


def _turned(verdict: Verdict) -> bool:
    """Say whether nothing but its sign is wrong."""
    return {finding.word for finding in verdict.findings if finding.outcome is Outcome.QUARANTINE} == {"sign_flipped"}


def _nearer(last: Facts, before: Facts, yesterday: Facts) -> bool:
    """Say whether the newest is the one that goes on from the last session, and what passed before it is the stranger."""
    distances = []
    for one in (last, before):
        spot, gross = share(one.spot, yesterday.spot), share(one.gross_gex, yesterday.gross_gex)
        if spot is None or gross is None or spot <= -1 or gross <= -1:
            return False
        distances.append(_SPOT_WEIGHS * abs(math.log1p(spot)) + abs(math.log1p(gross)))
    return distances[0] < distances[1]


def _together(one: Facts, last: Facts) -> bool:
    """Say whether two snapshots of a row say the same."""
    spot_off, gross_off = share(one.spot, last.spot), share(one.gross_gex, last.gross_gex)
    return abs(spot_off or 0.0) <= 4 * _SAME_SPOT and abs(gross_off or 0.0) <= 2 * _SAME_LEVEL


def _confirms(last: Facts, other: Facts) -> bool:
    """Say whether another source has the same spot and, where both know it, the same level and open interest."""
    spot_off, gross_off = share(last.spot, other.spot), share(last.gross_gex, other.gross_gex)
    if spot_off is None or abs(spot_off) > _SAME_SPOT or gross_off is None or abs(gross_off) > 2 * _SAME_LEVEL:
        return False
    if last.net_gex is None or other.net_gex is None or not other.gross_gex:
        return False
    return abs(last.net_gex - other.net_gex) / other.gross_gex <= _SAME_LEVEL


def _follows(last: Facts, before: Facts) -> bool:
    """Say whether the strikes moved with the spot: the gamma of other ones weighs most now, or the net went elsewhere.

    A wrong spot over the right strikes leaves them as they were, and another symbol's have another shape altogether.
    """
    alike = shaped(last, before).alike
    if alike is None or last.net_gex is None or before.net_gex is None or not before.gross_gex:
        return False
    moved = abs(last.net_gex - before.net_gex) / before.gross_gex
    return alike > _STRANGER and (alike < _UNMOVED or moved > _SAME_LEVEL)


def _whole(last: Facts, before: Facts, verdict: Verdict) -> bool:
    """Say whether only the level is new: contracts, open interest and strikes as before, and the spot where it can be."""
    held = {finding.gate for finding in verdict.findings if finding.outcome is Outcome.QUARANTINE}
    if last.evidence is None or before.evidence is None:
        return False
    if last.evidence.given:
        same = last.evidence.strikes >= _SAME_STRIKES * before.evidence.strikes
        return same and held <= {"jump", "spot"} and ("spot" not in held or _follows(last, before))
    if held != {"jump"}:
        return False
    interest, quotes = share(last.open_interest, before.open_interest), share(last.spot, last.evidence.implied_spot)
    contracts = last.contracts is not None and before.contracts is not None and last.contracts >= 0.995 * before.contracts
    if interest is None or quotes is None:
        return False
    return contracts and abs(interest) <= _SAME_INTEREST and abs(quotes) <= _SAME_SPOT
