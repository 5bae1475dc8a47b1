"""What the checks compare, what they know of the past, how far a snapshot may be off, and what they find."""

from enum import StrEnum

from msgspec import Struct

from gexdesk.gates.moves import Moves
from gexdesk.gates.shape import UNKNOWN, Shape, shape


class Evidence(Struct, frozen=True, gc=False):
    """Hold what a pool process measured of one decoded snapshot for the checks; None where the document does not carry it.

    Attributes:
        inputs: Digest of every number given (spot, open interest, volume, quotes, IV; or the strikes): equal numbers, equal digest.
        interest: Digest of the open interest alone.
        given: The document gives exposure by strike, no contracts.
        by_volume: Of it the exposure by volume counts, which begins at nothing each day and grows.
        implied_spot: Spot by put-call parity over the front expiries' quotes, points.
        parity_slope: How calls less puts move a point of strike: -1 where calls are calls, +1 where the sides are swapped.
        call_open_interest, put_open_interest: Contracts.
        calls_above: How far a chain's open calls lie above its open puts, mean strike against mean strike, a share of them.
        strikes: Distinct strikes where ``given``, else 0: counting a chain's would cost more than it tells.
        low, high: Ends of the strikes, points.
        expiries: Each expiration date of a chain (days since 1970-01-01), ascending, with its contracts and their open interest.
        ladder: Where ``given``: the heaviest strikes with their net GEX, at most ``LADDER``, heaviest first; none of them is 0.
        norm, middle: Of it the Euclidean norm, and the weight of the strike in its middle, USD per 1%.
    """

    inputs: int
    interest: int | None = None
    given: bool = False
    by_volume: bool = False
    implied_spot: float | None = None
    parity_slope: float | None = None
    call_open_interest: float | None = None
    put_open_interest: float | None = None
    calls_above: float | None = None
    strikes: int = 0
    low: float | None = None
    high: float | None = None
    expiries: tuple[tuple[int, int, float], ...] = ()
    ladder: dict[float, float] = {}
    norm: float = 0.0
    middle: float = 0.0


class Facts(Struct, frozen=True, gc=False):
    """Hold what the checks compare of one snapshot; contracts, points, USD per 1% move, None where unknown.

    Attributes:
        session: Trading day it belongs to, days since 1970-01-01.
        delay_s: Known delay of its source's quotes.
        shift_s: What a replay adds to its stamps; another one means another round of the replay.
        flip, call_wall, put_wall: Known only once it was processed.
        evidence: None for a value that an earlier engine left.
    """

    symbol: str
    source: str
    as_of: float
    received_at: float
    session: int
    delay_s: float = 0.0
    shift_s: float = 0.0
    spot: float | None = None
    net_gex: float | None = None
    gross_gex: float | None = None
    open_interest: float | None = None
    volume: float | None = None
    coverage: float | None = None
    contracts: int | None = None
    flip: float | None = None
    call_wall: float | None = None
    put_wall: float | None = None
    evidence: Evidence | None = None

    @property
    def stamped_at(self) -> float:
        """Return the stamp as far as it can be believed: one in the future must not make every later snapshot an old one."""
        return min(self.as_of, self.received_at)

    @property
    def market_at(self) -> float:
        """Return when the market was so: the stamp less the known delay, never later than the receipt."""
        return self.stamped_at - self.delay_s


class Common(Struct, frozen=True):
    """Sum what two chains have at the expiration dates that both list: what expired and what is new counts in neither."""

    contracts: int
    contracts_before: int
    interest: float
    interest_before: float
    expired: bool


def common(now: Evidence | None, before: Evidence | None) -> Common | None:
    """Compare two chains expiry by expiry; None where they have no expiration date in common."""
    if now is None or before is None:
        return None
    was = {day: (contracts, interest) for day, contracts, interest in before.expiries}
    both = [(contracts, interest, *was[day]) for day, contracts, interest in now.expiries if day in was]
    if not both:
        return None
    sums = [sum(column) for column in zip(*both, strict=True)]
    return Common(int(sums[0]), int(sums[2]), float(sums[1]), float(sums[3]), expired=now.expiries[0][0] > before.expiries[0][0])


def shaped(now: Facts, before: Facts | None) -> Shape:
    """Compare the heaviest strikes of two given tables; of chains, and of a table without a past, nothing is known."""
    if before is None or now.evidence is None or before.evidence is None:
        return UNKNOWN
    left, right = now.evidence, before.evidence
    return shape(left.ladder, right.ladder, left.norm * right.norm) if left.ladder and right.ladder else UNKNOWN


class Limits(Struct, frozen=True):
    """Say how far a snapshot may be off; the meaning of each stands in ``settings.GateSettings``."""

    spot_implied: float = 0.02
    spot_jump: float = 0.03
    session_gap: float = 0.15
    net_jump: float = 0.35
    open_interest: float = 0.05
    strikes_lost: float = 0.1
    coverage_drop: float = 0.3
    skew_s: float = 2.0


class Known(Struct, frozen=True):
    """Hold what a snapshot is judged against.

    Attributes:
        before: Last one of the same source and symbol that passed; None for the first.
        yesterday: Last one of the session before ``before``'s that passed; None where there was none.
        seen: Digests of earlier snapshots of the same source and symbol in this session, and when the market was so.
        moves: How far its figures usually go.
        other: What another source of the symbol said for the same moment of the market; None where none did.
        twins: Other symbols whose numbers these might be, latest snapshot each; none where they are as the last ones here were.
        owner: Another symbol that has sent the very same numbers; empty where none has.
        history: It is history: judged by itself and its own past alone.
        shape: How its heaviest strikes are to those of ``before``.
    """

    before: Facts | None = None
    yesterday: Facts | None = None
    seen: dict[int, float] = {}
    moves: Moves = Moves()
    other: Facts | None = None
    twins: tuple[Facts, ...] = ()
    owner: str = ""
    history: bool = False
    shape: Shape = UNKNOWN

    def same_session(self, facts: Facts) -> bool:
        """Say whether the one before is of the same session and the same round of a replay."""
        return self.before is not None and self.before.session == facts.session and self.before.shift_s == facts.shift_s


class Outcome(StrEnum):
    """Say what a finding does: nothing but be named, mark the value, or hold it back."""

    NOTE = "note"
    FLAG = "flag"
    QUARANTINE = "quarantine"


class Finding(Struct, frozen=True, gc=False):
    """Say what one check found.

    Attributes:
        gate: The check.
        word: What stands in value and notice, lower case with ``_``.
        text: One line with both figures.
        found, expected: The two figures; None where they are no numbers.
        wrong: No genuine move of a market looks so: never released because it goes on.
    """

    gate: str
    outcome: Outcome
    word: str
    text: str
    found: float | None = None
    expected: float | None = None
    wrong: bool = False


def share(found: float | None, expected: float | None) -> float | None:
    """Return how far one figure is from another, as a share of the other; None where either is unknown or the other is 0."""
    return None if found is None or not expected else found / expected - 1


def points(price: float | None) -> str:
    """Write points: ``6,712``, ``612.40``."""
    if price is None:
        return "unknown"
    return f"{price:,.0f}" if abs(price) >= 1000 else f"{price:.2f}"


def dollars(usd: float | None) -> str:
    """Write USD per 1%: ``-3.2 bn``, ``251 mn``."""
    if usd is None:
        return "unknown"
    return f"{usd / 1e9:,.2f} bn" if abs(usd) >= 1e8 else f"{usd / 1e6:,.1f} mn"
