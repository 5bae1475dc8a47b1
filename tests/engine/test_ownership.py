"""A source is run while its lease lasts, or on through an outage; never by an engine that stood still past its lease."""

from collections.abc import Sequence

import pytest

from gexdesk.engine.ownership import LEASE_S, SETTLED_S, Ownership, units_of
from gexdesk.fleet.told import Heard, Told
from gexdesk.model.errors import StoreError
from gexdesk.model.payload import Arrival

UNITS = {"spx": ("spx", "spx-2"), "rut": ("rut",), "ndx": ("ndx",)}


class Hands:
    """A clock that is set by hand."""

    def __init__(self) -> None:
        self.at = 100.0

    def __call__(self) -> float:
        return self.at


def told(*own: str, company: tuple[str, ...] = ("me",), took: dict[str, str] | None = None, most: int = 3) -> Told:
    engines = tuple(Heard(name, 0.0, b"") for name in company)
    return Told(1.0, frozenset(own), took or {}, dict.fromkeys(own, "me"), engines, 1, most)


@pytest.fixture
def hands() -> Hands:
    return Hands()


@pytest.fixture
def ownership(hands: Hands) -> Ownership:
    return Ownership(UNITS, hands)


def test_sources_that_share_a_symbol_are_one_unit_named_by_the_first() -> None:
    carried = {"a": ["SPX"], "b": ["RUT"], "c": ["NDX", "SPX"], "d": [], "e": ["RUT", "VIX"], "f": ["VIX"]}
    assert units_of(carried) == {"a": ("a", "c"), "b": ("b", "e", "f"), "d": ("d",)}
    assert units_of({"a": ["X"], "b": ["Y"], "c": ["Y", "X"]}) == {"a": ("a", "b", "c")}


def test_nothing_is_run_before_it_is_owned_nor_after_the_lease(ownership: Ownership, hands: Hands) -> None:
    assert not ownership.runs("spx")
    gained, lost = ownership.heard(told("spx", took={"spx": "other"}), hands.at)
    assert (gained, lost) == ({"spx": "other", "spx-2": "other"}, set())
    assert ownership.runs("spx-2")
    assert not ownership.runs("rut")
    hands.at += LEASE_S + 0.1  # the process stood still
    assert not ownership.runs("spx")
    assert ownership.heard(told("rut"), hands.at)[1] == {"spx", "spx-2"}


def test_an_outage_changes_nothing_but_one_that_finds_us_past_the_lease_does(ownership: Ownership, hands: Hands) -> None:
    ownership.heard(told("spx"), hands.at)
    hands.at += 1.0
    assert ownership.silence(hands.at) == set()
    hands.at += 10 * LEASE_S
    assert ownership.silence(hands.at) == set()
    assert ownership.runs("spx")
    ownership.heard(told("spx"), hands.at)
    hands.at += LEASE_S + 0.1
    assert ownership.silence(hands.at) == {"spx", "spx-2"}
    assert not ownership.runs("spx")


def test_an_answer_that_was_missed_by_standing_still_is_no_outage(ownership: Ownership, hands: Hands) -> None:
    ownership.heard(told("spx"), hands.at)
    asked_at = hands.at + 1.0
    hands.at = asked_at + 20.0  # stopped with the beat on its way
    assert ownership.silence(asked_at) == {"spx", "spx-2"}
    assert not ownership.runs("spx")


def test_a_start_without_the_server_goes_on_with_what_was_owned(ownership: Ownership) -> None:
    ownership.drift(["rut", "gone"])
    assert ownership.sources == ("rut",)
    assert ownership.runs("rut")
    assert not ownership.runs("spx")


def test_a_surplus_waits_until_the_company_has_settled_and_goes_one_by_one(ownership: Ownership, hands: Hands) -> None:
    alone = told("spx", "rut", "ndx", company=("me",))
    ownership.heard(alone, hands.at)
    both = told("spx", "rut", "ndx", company=("me", "you"))
    ownership.heard(both, hands.at)
    assert ownership.surplus(2) == []
    hands.at += SETTLED_S + 1.0
    ownership.heard(both, hands.at)
    assert ownership.surplus(2) == ["spx", "spx-2"]
    assert not ownership.runs("spx")
    assert ownership.surplus(1) == []
    assert ownership.give() == ["spx"]
    ownership.heard(told("rut", "ndx", company=("me", "you")), hands.at)
    assert ownership.give() == []
    assert ownership.surplus(2) == []


def test_what_was_to_be_given_up_goes_on_here_where_nobody_heard_of_it(ownership: Ownership, hands: Hands) -> None:
    both = told("spx", "rut", "ndx", company=("me", "you"))
    ownership.heard(both, hands.at)
    hands.at += SETTLED_S + 1.0
    ownership.heard(both, hands.at)
    assert ownership.surplus(2) == ["spx", "spx-2"]
    assert ownership.give() == ["spx"]
    assert ownership.silence(hands.at) == set()
    assert ownership.runs("spx")
    assert ownership.give() == []


async def test_a_source_that_is_not_ours_cannot_deliver(ownership: Ownership, hands: Hands) -> None:
    came: list[str] = []

    async def deliver(arrival: Arrival) -> None:
        came.append(arrival.source)

    guarded = ownership.guard(deliver)
    with pytest.raises(StoreError, match="run by nobody yet"):
        await guarded(Arrival("rut", b"x", 1.0))
    ownership.heard(told("rut"), hands.at)
    await guarded(Arrival("rut", b"x", 1.0))
    assert came == ["rut"]


async def test_a_source_of_another_engine_hands_nothing_over_here(ownership: Ownership, hands: Hands) -> None:
    taken: list[Arrival] = []

    async def deliver(arrival: Arrival) -> None:
        taken.append(arrival)

    async def together(arrivals: Sequence[Arrival]) -> None:
        taken.extend(arrivals)

    one = Arrival("spx", b"1", 1.0)
    for hand_over in (lambda: ownership.guard(deliver)(one), lambda: ownership.guard_together(together)([one, one])):
        with pytest.raises(StoreError, match="spx is run by nobody yet now"):
            await hand_over()
    assert taken == []
    ownership.heard(told("spx"), hands.at)
    await ownership.guard(deliver)(one)
    await ownership.guard_together(together)([one, one])
    assert taken == [one] * 3
