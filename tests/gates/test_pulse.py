"""Frozen, silent, repeating: in time where the market is on, never where it is not."""

from datetime import datetime

import pytest

from gexdesk.gates.hours import on_since
from gexdesk.gates.pulse import Beat, Pulse, pulse
from gexdesk.model.market import NEW_YORK

OPENED = 1_000.0


def at(text: str) -> float:
    return datetime.fromisoformat(text).replace(tzinfo=NEW_YORK).timestamp()


def frozen_after_s(every_s: float) -> float:
    """Return after how long a feed with new stamps and the same numbers is called frozen."""
    now = 5_000.0
    for step in range(1, 400):
        later = now + step * 0.5
        beat = Beat(due_s=every_s, last_at=later, changed_at=now, same=1 + int((later - now) / every_s), heard_at=later)
        if pulse(beat, later, OPENED)[0] is Pulse.FROZEN:
            return later - now
    raise AssertionError("never")


@pytest.mark.parametrize(("every_s", "at_most_s"), [(0.5, 15.0), (1.0, 15.0), (3.0, 15.0), (15.0, 46.0)])
def test_frozen_in_time(every_s: float, at_most_s: float) -> None:
    assert 3 * every_s <= frozen_after_s(every_s) <= at_most_s


def test_silent_after_three_intervals_and_not_before() -> None:
    beat = Beat(due_s=15.0, last_at=5_000.0, changed_at=5_000.0, same=1, heard_at=5_000.0)
    assert pulse(beat, 5_045.0, OPENED)[0] is Pulse.OK
    assert pulse(beat, 5_045.5, OPENED)[0] is Pulse.SILENT
    assert pulse(Beat(due_s=15.0, last_at=5_000.0, heard_at=5_044.0), 5_045.5, OPENED)[0] is Pulse.REPEATS


def test_nothing_means_anything_while_the_market_is_closed_nor_before_it_could_have_come() -> None:
    beat = Beat(due_s=1.0, last_at=5_000.0, changed_at=5_000.0, same=99, heard_at=5_000.0)
    assert pulse(beat, 90_000.0, None) == (Pulse.CLOSED, "")
    assert pulse(beat, 90_002.0, 90_000.0)[0] is Pulse.OK
    assert pulse(Beat(last_at=5_000.0, gaps=(1.0,) * 9), 90_000.0, OPENED)[0] is Pulse.OK, "nobody knows its rhythm"


@pytest.mark.parametrize(
    ("moment", "session", "delay_s", "on"),
    [
        ("2026-11-27 12:59", "regular", 0.0, True),
        ("2026-11-27 13:01", "regular", 0.0, False),
        ("2026-11-27 13:14", "index", 0.0, True),
        ("2026-11-27 13:16", "index", 0.0, False),
        ("2026-11-27 13:14", "regular", 900.0, True),
        ("2026-03-09 09:31", "regular", 0.0, True),
        ("2026-03-09 09:44", "regular", 900.0, False),
        ("2026-11-02 09:29", "regular", 0.0, False),
        ("2026-10-31 12:00", "index", 0.0, False),
        ("2026-10-31 12:00", "always", 0.0, True),
    ],
)
def test_hours_follow_the_calendar(moment: str, session: str, delay_s: float, on: bool) -> None:
    assert (on_since(at(moment), session, delay_s) is not None) is on  # type: ignore[arg-type]
