"""Lines, figures and bars: what stands in a cell, and what is sent when it changes."""

import pytest
from hypothesis import given
from hypothesis import strategies as st
from rich.cells import cell_len

from gexdesk.tui import figures
from gexdesk.tui.ink import MOVE_COSTS, changed_spans, fit, fit_middle, line_of, width_of, wrapped
from gexdesk.tui.widgets.bars import histogram, trend

TEXTS = st.text(st.sampled_from("ab 1株式é▁|[/]"), max_size=12)
RUNS = st.lists(st.tuples(TEXTS, st.sampled_from(["", "eye", "faint"])), max_size=5)


def cells(line: tuple[tuple[str, str], ...]) -> list[tuple[str, str]]:
    return [half for text, ink in line for c in text for half in [(c, ink)] + [("", ink)] * (cell_len(c) - 1)]


@given(TEXTS, st.integers(0, 14), st.booleans())
def test_a_fitted_text_takes_exactly_its_cells(text: str, width: int, right: bool) -> None:
    assert cell_len(fit(text, width, right)) == width


@given(st.text(st.sampled_from("ab 1株式é "), max_size=60), st.integers(1, 40))
def test_a_text_cut_in_its_middle_never_takes_more_than_its_cells(text: str, width: int) -> None:
    assert cell_len(fit_middle(text, width)) <= width


def test_a_text_cut_in_its_middle_keeps_its_end_from_a_words_beginning() -> None:
    assert fit_middle("refused because the value is broken; look at the sender", 30) == "refused because…at the sender"
    assert fit_middle("short", 30) == "short"


@given(RUNS, RUNS, st.integers(1, 40))
def test_sending_the_changed_spans_over_the_old_line_gives_the_new_one(before, after, width) -> None:
    old, new = line_of(before, width), line_of(after, width)
    screen, wanted = cells(old), cells(new)
    assert len(screen) == len(wanted) == width
    for start, end in changed_spans(old, new):
        # No span begins or ends in the middle of a wide character.
        assert wanted[start][0] != ""
        assert end == width or wanted[end][0] != ""
        screen[start:end] = wanted[start:end]
    assert screen == wanted


def test_two_far_changes_are_two_spans_and_near_ones_are_one() -> None:
    old, new = line_of([("a" * 40, "")], 40), line_of([("b" + "a" * 30 + "b" + "a" * 8, "")], 40)
    assert list(changed_spans(old, new)) == [(0, 1), (31, 32)]
    near = line_of([("b" + "a" * (MOVE_COSTS - 1) + "b" + "a" * 31, "")], 40)
    assert list(changed_spans(old, near)) == [(0, MOVE_COSTS + 1)]


def test_a_changed_wide_character_is_sent_whole() -> None:
    assert list(changed_spans(line_of([("a株b", "")], 8), line_of([("a式b", "")], 8))) == [(1, 3)]


def test_a_text_is_cut_with_an_ellipsis_and_a_wide_character_never_halved() -> None:
    assert fit("abcdef", 4) == "abc…"
    assert fit("株式会社", 6) == "株式… "


@pytest.mark.parametrize(
    ("seconds", "words"),
    [(None, "-"), (0.04, "0.0 s"), (9.94, "9.9 s"), (9.96, "9 s"), (59.9, "59 s"), (60, "1 m"), (3599, "59 m"), (3900, "1 h 05")],
)
def test_ages(seconds: float | None, words: str) -> None:
    assert figures.age(seconds) == words


@pytest.mark.parametrize(
    ("usd", "words"),
    [(None, "-"), (float("nan"), "-"), (-3.2e9, "-3.20 bn"), (4e7, "+40.0 mn"), (251e6, "+0.251 bn"), (9.51e6, "+9.51 mn"),
     (-4.1e6, "-4.10 mn"), (31e3, "+0.031 mn"), (0.0, "0.00 mn"), (-100.0, "0.00 mn"), (1.5e12, "+1,500 bn"),
     (-12.34e9, "-12.3 bn"), (999.6e6, "+1.00 bn")],
)
def test_gamma_in_billions(usd: float | None, words: str) -> None:
    assert figures.billions(usd) == words


def test_a_share_is_never_rounded_up_to_all() -> None:
    assert figures.share(9999, 10000) == "99.9 %"
    assert figures.share(10, 10) == "100 %"
    assert figures.share(0, 0) == "-"


@pytest.mark.parametrize(
    ("at", "clock"),
    [(1_793_511_000, "01:30:00"), (1_793_514_600, "01:30:00"), (1_772_953_199, "01:59:59"), (1_772_953_200, "03:00:00")],
)
def test_times_are_new_yorks_on_both_sides_of_the_clock_change(at: int, clock: str) -> None:
    assert figures.time_of_day(at) == clock


def test_an_end_on_another_day_names_the_day() -> None:
    assert figures.until(1_795_444_877.0 + 900, 1_795_444_877.0) == "09:56"
    assert figures.until(1_795_444_877.0 + 86400, 1_795_444_877.0) == "Tue 09:41"
    assert figures.until(None, 0.0) == "no end"


def test_one_straggler_beside_a_million_stays_visible() -> None:
    drawn = histogram([1_000_000, 0, 0, 1], 4)
    assert drawn[0] == "█"
    assert drawn[1:3] == "  "
    assert drawn[3] != " "


def test_a_histogram_keeps_every_bucket_when_cells_are_fewer() -> None:
    assert [c != " " for c in histogram([0, 5, 0, 0, 0, 0, 0, 5], 4)] == [True, False, False, True]


def test_a_trend_moves_left_without_changing_the_past() -> None:
    samples = [5, 6, 2, 2, 9, 1, 1, 1, 3, 3, 3, 3]
    now = trend(samples, 3, newest_at=1007.0, seconds_a_cell=4)
    later = trend([*samples, 4], 3, newest_at=1008.0, seconds_a_cell=4)
    assert later[:2] == now[1:]
    assert len(now) == len(later) == 3


def test_a_depth_of_one_beside_ten_thousand_is_seen_and_is_not_empty() -> None:
    assert trend([0, 0, 1, 1, 10_000, 10_000], 3, newest_at=1005.0, seconds_a_cell=2) == "·▁█"


def test_a_burst_of_fifteen_seconds_is_several_cells_and_ends_now_on_the_right() -> None:
    quiet, burst = [0] * 105, [3 * i for i in range(1, 16)]
    for now in range(1000, 1005):
        drawn = trend([*quiet, *burst], 24, newest_at=float(now), seconds_a_cell=5)
        assert drawn[-1] == "█"
        assert 3 <= len(drawn.strip("·")) <= 4
        assert set(drawn[:20]) == {"·"}


def test_a_cell_is_the_largest_of_its_seconds() -> None:
    assert trend([0, 0, 9, 0, 0, 1, 0, 0, 0, 0], 2, newest_at=1009.0, seconds_a_cell=5) == "█▁"


def test_an_empty_queue_is_a_flat_line() -> None:
    assert trend((0,) * 120, 4, 0.0, 30) == "····"


@given(st.text(alphabet="ab 日é", max_size=120), st.integers(12, 40), st.integers(1, 4))
def test_a_wrapped_text_is_whole_or_says_that_it_is_not(text: str, width: int, most: int) -> None:
    lines = wrapped(text, width, most)
    assert 1 <= len(lines) <= most
    assert all(width_of(line) <= width for line in lines)
    if not any("…" in line for line in lines):
        assert "".join(lines).replace(" ", "") == text.replace(" ", "")


def test_a_text_is_broken_at_words_and_a_word_that_is_longer_than_a_line_is_cut() -> None:
    assert wrapped("one two three", 8, 3) == ["one two", "three"]
    assert wrapped("one two three", 7, 3) == ["one two", "three"]
    assert wrapped("one two three four", 13, 3) == ["one two three", "four"]
    assert wrapped("abcdefghij kl", 4, 4) == ["abcd", "efgh", "ij", "kl"]
    assert wrapped("", 8, 3) == [""]
    assert wrapped("fits", 8, 3) == ["fits"]
