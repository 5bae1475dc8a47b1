"""What waits in the dead letters: counted as it comes, however much it is, and held only where somebody could read it."""

import time

from gexdesk.engine.open_letters import HELD_A_SOURCE, OpenLetters
from gexdesk.stores.base import OpenLetter

MANY = 50_000


def letter(number: int, source: str = "flood", symbol: str = "SPX") -> OpenLetter:
    return OpenLetter(f"{source}-{number}", source, symbol, f"no. {number}", float(number))


def test_half_a_night_of_letters_costs_a_look_nothing_and_the_memory_little() -> None:
    letters = OpenLetters()
    letters.buried(letter(0, "quiet", "NDX"))
    for number in range(MANY):
        letters.buried(letter(number))
    began = time.perf_counter()
    for _ in range(1_000):
        found = letters.by_source()
    per_look_s = (time.perf_counter() - began) / 1_000
    assert per_look_s < 0.001, "fifty thousand walked would be twenty times that"
    assert (found["flood"].count, found["flood"].symbol, found["flood"].newest.job_id) == (MANY, "SPX", f"flood-{MANY - 1}")
    assert (found["quiet"].count, found["quiet"].newest.job_id) == (1, "quiet-0"), "a flood drives out nobody else's"
    assert sum(len(of.letters) for of in letters._sources.values()) == HELD_A_SOURCE + 1


def test_what_is_not_held_is_counted_down_as_it_is_settled() -> None:
    letters = OpenLetters()
    letters.load(letter(number, symbol="SPX" if number else "NDX") for number in reversed(range(HELD_A_SOURCE + 2)))
    assert letters.by_source()["flood"].symbol == "", "the oldest was another symbol's"
    letters.settled("cancelled", "")
    letters.settled("flood-0", "flood")
    assert letters.by_source()["flood"].count == HELD_A_SOURCE + 1
    for number in range(2, HELD_A_SOURCE + 2):
        letters.settled(f"flood-{number}", "flood")
    found = letters.by_source()["flood"]
    assert (found.count, found.newest.job_id) == (1, "flood-1"), "the last one is told of, held or not"
    letters.settled("flood-1", "flood")
    assert letters.by_source() == {}


def test_a_letter_that_came_twice_is_one() -> None:
    letters = OpenLetters()
    letters.load([letter(1)])
    letters.buried(letter(2, symbol=""))
    letters.buried(letter(1))
    found = letters.by_source()["flood"]
    assert (found.count, found.symbol, found.newest.job_id) == (2, "", "flood-1")
    letters.settled("flood-2", "")
    assert letters.by_source()["flood"].symbol == "SPX"
