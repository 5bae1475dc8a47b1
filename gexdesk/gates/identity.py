"""Check that it is the symbol's own: not another's numbers, not a multiple of them, calls not puts, not what was there before."""

import math

from gexdesk.gates.facts import Evidence, Facts, Finding, Known, Limits, Outcome, dollars, points, shaped, share
from gexdesk.gates.shape import FEWEST, factor
from gexdesk.gates.traded import begins_anew, goes_on

GATE = "identity"
_FACTOR = 1.35
_ENOUGH_ROWS = 100
_ROWS_A_STRIKE = 10
_TWIN_PRICE = 0.01
_TWIN_GROSS = 0.15
_ALIKE = 0.85
_LESS_ALIKE = 0.25
_TWIN_SPOT = 0.003
_NO_STEP = 0.2
_TWIN_INTEREST = 0.002
_SCALES = (10.0, 100.0, 1000.0)
_NEAR_SCALE = 0.3
_NO_SCALE = 1.5
"""No ratio, log, below this is near a power of ten."""

_NEARER = math.log(10.0) / 2
"""From this log factor on a power of ten is nearer than no change at all. Over night, when options expire and others take their
place, strikes were seen to go by as much: there they must go by ten at least."""

_WENT = 2.0
"""Where the strike in the middle weighs neither twice nor half as much, no factor took most of them so far."""

_TAKEN_BACK = 0.4
"""What was traded since the open is not taken back: the spot moved such a table's gross GEX down to 0.6 of it in five minutes."""

_ONE_FACTOR = 0.4
"""How far strikes' own factors may be from their median, log, median, while exposure by volume grows: minutes of trading move
them apart by more."""

_TOGETHER = 0.5
"""At other times: half of the factor itself. A shock of spot and IV at once takes strikes as far apart as it takes them."""

_STRAIGHT = 0.06
_APART = 0.003
_SAME_NET = 0.0005
_MOST_TURNED = 2 / 3
"""A strike's sign is that of what is held or was traded there: in a quarter of an hour, and over hours of a day's trading, fewer
than a third of them were seen to turn; in a table whose sign is wrong fewer than a third are left."""

_FEWEST_LATER = 8
"""Strikes in common that say so after more than a quarter of an hour: of fewer a third may turn by chance."""

_SAME_PART = 0.75
"""Over night: share of the last heaviest strikes that must be there; a table around another spot is another part of the symbol."""

_STRANGE = 0.2
_SHAPE_WITHIN_S = 900.0
_VOLUME_BACK = 0.005
_MOST_STRIKES_GONE = 0.5


def check(facts: Facts, known: Known, limits: Limits) -> list[Finding]:
    """Return what says that these are not the numbers of this symbol at this moment."""
    found = _twin(facts, known) or _sides(facts, known) or _scale(facts, known) or _elsewhere(facts, known) or _stale(facts, known)
    return [] if found is None else [found]


def may_be_anothers(facts: Facts, before: Facts | None) -> bool:
    """Say whether a snapshot is so far from the last one of its source that another symbol's numbers have to be looked at."""
    off = share(facts.spot, before.spot) if before is not None else None
    if before is None or off is None:
        return False
    gross = share(facts.gross_gex, before.gross_gex)
    return abs(off) > _NO_STEP or _interest_moved(facts, before) or (gross is not None and abs(gross) > 2 * _TWIN_GROSS)


def _interest_moved(facts: Facts, before: Facts) -> bool:
    return abs(share(facts.open_interest, before.open_interest) or 0.0) > _TWIN_INTEREST


def _wrong(word: str, text: str, found: float | None, expected: float | None) -> Finding:
    return Finding(GATE, Outcome.QUARANTINE, word, text, found, expected, wrong=True)


def _near(found: float | None, other: float | None, within: float) -> bool:
    """Say whether a number is as good as another one; one that is not known is near none."""
    off = share(found, other)
    return off is not None and abs(off) <= within


def _twin(facts: Facts, known: Known) -> Finding | None:
    """Find the other symbol whose numbers these are: the very same ones, or a spot far off and right at that symbol's."""
    before = known.before
    # A handful of numbers may be alike by chance.
    rows = facts.contracts or _ROWS_A_STRIKE * (facts.evidence.strikes if facts.evidence is not None else 0)
    if known.owner and rows >= _ENOUGH_ROWS:
        text = f"carries {known.owner}'s numbers: not one differs; spot {points(facts.spot)}"
        return _wrong("swapped", text, facts.spot, before.spot if before is not None else None)
    off = share(facts.spot, before.spot) if before is not None else None
    if before is None or off is None or facts.spot is None or before.shift_s != facts.shift_s:
        return None
    interest_moved = _interest_moved(facts, before)
    for twin in known.twins:
        at_spot = _near(facts.spot, twin.spot, _TWIN_SPOT)
        at_interest = _near(facts.open_interest, twin.open_interest, _TWIN_INTEREST)
        # Among many symbols one is always near by chance: a spot alone says it only where no market goes in one step.
        if at_spot and (abs(off) > _NO_STEP or (at_interest and interest_moved)):
            text = f"carries {twin.symbol}'s numbers: spot {points(facts.spot)}, {twin.symbol}'s is {points(twin.spot)}"
            return _wrong("swapped", f"{text}; the last one here was {points(before.spot)}", facts.spot, before.spot)
        if _looks_like(facts, before, twin):
            text = f"carries {twin.symbol}'s numbers: its strikes weigh as that symbol's do, not as the last ones here"
            return _wrong("swapped", text, facts.net_gex, before.net_gex)
    if not 1 / _FACTOR <= 1 + off <= _FACTOR:
        text = f"spot {points(facts.spot)}, the last one was {points(before.spot)}: another symbol, or a split"
        return _wrong("other_symbol", text, facts.spot, before.spot)
    return None


def _looks_like(facts: Facts, before: Facts, twin: Facts) -> bool:
    """Say whether the heaviest strikes of a given table are another symbol's, which trades at about the same price."""
    near = abs(share(facts.spot, twin.spot) or 1.0) <= _TWIN_PRICE
    their_gross, own_gross = share(facts.gross_gex, twin.gross_gex), share(facts.gross_gex, before.gross_gex)
    if not near or their_gross is None or own_gross is None or abs(their_gross) > _TWIN_GROSS or abs(own_gross) <= 2 * _TWIN_GROSS:
        return False
    theirs, own = shaped(facts, twin).alike, shaped(facts, before).alike
    if theirs is None or own is None or theirs <= _ALIKE or own >= theirs - _LESS_ALIKE:
        return False
    # Towards the close one strike may outweigh all others, here and there the same one: then the others say whose they are.
    to_theirs, to_own = _off(facts, twin), _off(facts, before)
    return to_theirs is not None and to_own is not None and to_theirs < to_own


def _off(facts: Facts, other: Facts) -> float | None:
    """Return how far the strikes of two given tables are from each other, one by one; None with too few in common."""
    assert facts.evidence is not None
    assert other.evidence is not None
    found = factor(facts.evidence.ladder, other.evidence.ladder)
    return None if found is None else abs(found[0]) + found[1]


def _sides(facts: Facts, known: Known) -> Finding | None:
    """Find calls that are puts: by put-call parity, by open interest of the sides, by strikes that all changed sign."""
    now = facts.evidence
    if now is None:
        return None
    if now.parity_slope is not None and now.parity_slope > 0.5:
        text = f"calls and puts are swapped: calls less puts rise with the strike ({now.parity_slope:+.2f} a point, -1 is right)"
        return _wrong("sides_swapped", text, now.parity_slope, -1.0)
    before = known.before
    if before is None or before.evidence is None or before.shift_s != facts.shift_s:
        return None
    was = before.evidence
    apart = (now.calls_above, was.calls_above)
    turned = None not in apart and min(abs(one or 0.0) for one in apart) > _APART and (apart[0] or 0.0) * (apart[1] or 0.0) < 0
    if turned or _crossed(now, was):
        text = f"calls and puts are swapped: {now.call_open_interest:,.0f} calls open, before {was.call_open_interest:,.0f}"
        return _wrong("sides_swapped", text, now.call_open_interest, was.call_open_interest)
    opposite, both = known.shape.opposite, known.shape.both
    if both < FEWEST or opposite <= _MOST_TURNED * both:
        return None
    if now.by_volume is not was.by_volume or (now.by_volume and not goes_on(facts, before)):
        return None
    if not known.same_session(facts) and known.shape.kept < _SAME_PART:
        return None
    soon = known.same_session(facts) and facts.market_at - before.market_at < _SHAPE_WITHIN_S
    if not soon and both < _FEWEST_LATER:
        return None
    text = f"{opposite} of {both} strikes changed sign: net GEX {dollars(facts.net_gex)}, before {dollars(before.net_gex)}"
    return _wrong("sign_flipped", text, facts.net_gex, before.net_gex)


def _crossed(now: Evidence, was: Evidence) -> bool:
    """Say whether each side has the open interest that the other had, and clearly not its own."""
    pairs = (
        (now.call_open_interest, was.call_open_interest, was.put_open_interest),
        (now.put_open_interest, was.put_open_interest, was.call_open_interest),
    )
    straight = crossed = 0.0
    for side, own, other in pairs:
        to_own, to_other = share(side, own), share(side, other)
        if to_own is None or to_other is None or to_own <= -1 or to_other <= -1:
            return False
        straight, crossed = max(straight, abs(math.log1p(to_own))), max(crossed, abs(math.log1p(to_other)))
    return straight > _STRAIGHT and crossed < straight / 2


def _scale(facts: Facts, known: Known) -> Finding | None:
    """Find open interest, or where none is given the exposure of the strikes, that is a power of ten times the last."""
    before = known.before
    if before is None or before.shift_s != facts.shift_s:
        return None
    if facts.open_interest and before.open_interest:
        ratio = math.log(facts.open_interest / before.open_interest)
        if abs(ratio) < _NO_SCALE:
            return None
        for scale in _SCALES:
            if abs(abs(ratio) - math.log(scale)) < _NEAR_SCALE:
                words = f"open interest {facts.open_interest:,.0f} is {_times(ratio)} the last, {before.open_interest:,.0f}"
                return _wrong("scaled", words, facts.open_interest, before.open_interest)
        return None
    went = _one_factor(facts, before, known)
    if went is None:
        return None
    text = f"every strike is {_times(went)} the last: gross GEX {dollars(facts.gross_gex)}, before {dollars(before.gross_gex)}"
    return _wrong("scaled", text, facts.gross_gex, before.gross_gex)


def _times(ratio: float) -> str:
    scale = 10 ** max(1, round(abs(ratio) / math.log(10.0)))
    return f"{scale} times" if ratio > 0 else f"1/{scale} of"


def _one_factor(facts: Facts, before: Facts, known: Known) -> float | None:
    """Return the log factor by which a given table's strikes went together, where that is nearer to a power of ten than to 1.

    Towards expiry, in a shock and over night the strikes near the spot grow or shrink by any factor, and the others do not; trades
    add to some and not to others. What was traded since the open is not taken back.
    """
    now, was = facts.evidence, before.evidence
    if now is None or was is None or now.by_volume is not was.by_volume or (now.by_volume and not goes_on(facts, before)):
        return None
    grows = begins_anew(facts)
    if grows and (facts.gross_gex or 0.0) < _TAKEN_BACK * (before.gross_gex or 0.0):
        return math.log(0.1)
    if now.middle < _WENT * was.middle and was.middle < _WENT * now.middle:
        return None
    found = factor(now.ladder, was.ladder)
    if found is None or abs(found[0]) < (_NEARER if known.same_session(facts) else math.log(10.0)):
        return None
    middle, apart = found
    return middle if apart < (_ONE_FACTOR if grows and middle > 0 else _TOGETHER * abs(middle)) else None


def _elsewhere(facts: Facts, known: Known) -> Finding | None:
    """Find strikes that are none of the last ones, and heaviest strikes with nothing in common with them."""
    before, now = known.before, facts.evidence
    if before is None or now is None or before.evidence is None or before.shift_s != facts.shift_s:
        return None
    was = before.evidence
    ends = (now.low, now.high, was.low, was.high)
    low, high, low_before, high_before = (end if end is not None else math.nan for end in ends)
    if low > high_before or high < low_before:
        text = f"strikes {points(low)} to {points(high)}, the last ones were {points(low_before)} to {points(high_before)}"
        return _wrong("other_symbol", text, low, low_before)
    if now.by_volume or not known.same_session(facts) or facts.market_at - before.market_at >= _SHAPE_WITHIN_S:
        return None
    alike = known.shape.alike
    if alike is not None and abs(alike) < _STRANGE and known.shape.kept < _MOST_STRIKES_GONE:
        ago_s = facts.market_at - before.market_at
        text = f"its heaviest strikes are not those of {ago_s:.0f} s ago (alike by {alike:.2f}, 1 is the same)"
        return _wrong("other_symbol", text, alike, 1.0)
    return None


def _stale(facts: Facts, known: Known) -> Finding | None:
    """Find numbers that were there before, under a new stamp."""
    before, now = known.before, facts.evidence
    if before is None or now is None or not known.same_session(facts) or facts.market_at < before.market_at:
        return None
    if facts.volume is not None and before.volume is not None and facts.volume < before.volume * (1 - _VOLUME_BACK):
        whole = facts.contracts is None or before.contracts is None or facts.contracts >= before.contracts
        if whole and (facts.open_interest or 0.0) >= (before.open_interest or 0.0) * 0.999:
            text = f"volume went back from {before.volume:,.0f} to {facts.volume:,.0f}: older numbers under a new stamp"
            return _wrong("stale_numbers", text, facts.volume, before.volume)
    again = known.seen.get(now.inputs)
    if again is None or (before.evidence is not None and before.evidence.inputs == now.inputs):
        return None
    text = f"the very numbers of {facts.market_at - again:.0f} s before, under a new stamp; other ones came since"
    net_moved = abs((facts.net_gex or 0.0) - (before.net_gex or 0.0)) > _SAME_NET * (before.gross_gex or 1.0)
    if now.given or facts.spot != before.spot or facts.volume != before.volume or net_moved:
        return _wrong("stale_numbers", text, facts.spot, before.spot)
    return Finding(GATE, Outcome.FLAG, "numbers_again", text, facts.spot, before.spot)
