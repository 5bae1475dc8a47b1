"""Documents kept by the minute: found again, bounded, and whole after a crash in the middle of a write."""

import os
import stat
from collections.abc import Callable
from pathlib import Path

import pytest

from gexdesk.model.errors import StoreError
from gexdesk.stores.daybook import WHOLE_EVERY, Daybook
from gexdesk.stores.deltas import Deltas, restored

DAY = 86_400.0
AT = 1_795_392_000.0
"""23 November 2026, midnight UTC."""


def document(minute: int) -> bytes:
    return (f"minute {minute} " + "SPX NDX QQQ levels and sources as they were; " * 50).encode()


def opened(folder: Path, keep_days: int = 7, keep_bytes: int = 10**9) -> Daybook:
    book = Daybook(folder / "history", "pictures", keep_days=keep_days, keep_bytes=keep_bytes)
    book.open()
    return book


def filled(folder: Path, minutes: int, **bounds: int) -> Daybook:
    book = opened(folder, **bounds)
    for minute in range(minutes):
        book.add(AT + 60 * minute, document(minute))
    return book


def test_the_last_document_by_then_is_found_here_and_by_the_next_engine(tmp_path: Path) -> None:
    book = filled(tmp_path, 2 * WHOLE_EVERY + 5)
    for again in (book, opened(tmp_path)):
        assert again.times() == [AT + 60 * minute for minute in range(2 * WHOLE_EVERY + 5)]
        for minute in (0, 1, WHOLE_EVERY - 1, WHOLE_EVERY, WHOLE_EVERY + 1, 2 * WHOLE_EVERY + 4):
            assert again.read(AT + 60 * minute + 59.9) == document(minute)
        assert again.read(AT - 1) is None
        assert again.read(AT + 10 * DAY) == document(2 * WHOLE_EVERY + 4)
    files = list((tmp_path / "history").iterdir())
    assert [path.name for path in files] == ["pictures-20261123.log"]
    assert stat.S_IMODE(files[0].stat().st_mode) == 0o600
    assert book.size_bytes() < len(document(0)) * 20


def test_a_restart_goes_on_in_the_same_file(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    book = opened(tmp_path)
    book.add(AT + 300, document(99))
    assert [book.read(at) for at in book.times()] == [document(0), document(1), document(2), document(99)]
    assert [opened(tmp_path).read(at) for at in book.times()] == [document(0), document(1), document(2), document(99)]


def cut(path: Path) -> None:
    os.truncate(path, path.stat().st_size - 3)


def add_half(path: Path) -> None:
    path.write_bytes(path.read_bytes() + path.read_bytes()[:30])


def spoil(path: Path) -> None:
    data = bytearray(path.read_bytes())
    data[-2] ^= 0xFF
    path.write_bytes(bytes(data))


@pytest.mark.parametrize(("harm", "left"), [(cut, 9), (add_half, 10), (spoil, 9)])
def test_a_torn_end_costs_the_torn_document_alone(tmp_path: Path, harm: Callable[[Path], None], left: int) -> None:
    filled(tmp_path, 10)
    harm(tmp_path / "history" / "pictures-20261123.log")
    book = opened(tmp_path)
    assert [book.read(at) for at in book.times()] == [document(minute) for minute in range(left)]
    book.add(AT + 3600, document(77))
    assert opened(tmp_path).read(AT + DAY) == document(77)


def test_damage_in_the_middle_of_an_old_day_is_said_where_it_lies_and_costs_nothing_after_it(tmp_path: Path) -> None:
    book = filled(tmp_path, 5)
    book.add(AT + DAY, document(50))
    log = tmp_path / "history" / "pictures-20261123.log"
    data = bytearray(log.read_bytes())
    data[-2] ^= 0xFF
    log.write_bytes(bytes(data))
    again = opened(tmp_path)
    assert log.stat().st_size == len(data), "nothing of an old day is cut off"
    assert [again.read(at) for at in again.times()[:4]] == [document(minute) for minute in range(4)]
    assert again.read(AT + DAY) == document(50)
    with pytest.raises(StoreError, match=r"pictures-20261123\.log is damaged at byte"):
        again.read(AT + 240)


def test_days_beyond_the_bounds_go_the_oldest_first(tmp_path: Path) -> None:
    book = opened(tmp_path, keep_days=3)
    for day in range(5):
        book.add(AT + day * DAY, document(day))
    assert [path.name for path in sorted((tmp_path / "history").iterdir())] == [
        "pictures-20261125.log", "pictures-20261126.log", "pictures-20261127.log",
    ]  # fmt: skip
    assert book.read(AT + DAY) is None
    assert book.read(AT + 2 * DAY) == document(2)
    small = opened(tmp_path / "small", keep_bytes=300)
    for day in range(5):
        small.add(AT + day * DAY, document(day))
    assert len(list((tmp_path / "small" / "history").iterdir())) < 5
    assert small.read(AT + 5 * DAY) == document(4), "the present day stays"


def test_a_clock_that_was_set_back_loses_nothing(tmp_path: Path) -> None:
    book = opened(tmp_path)
    for at in (AT, AT + 3600, AT + 3300, AT + 3700):
        book.add(at, document(int(at)))
    assert book.times() == [AT, AT + 3600, AT + 3600, AT + 3700]
    assert book.read(AT + 3600) == document(int(AT + 3300))


@pytest.mark.parametrize("ahead_s", [3_600.0, 40 * DAY])
def test_a_clock_that_was_once_far_ahead_does_not_stop_the_book(tmp_path: Path, ahead_s: float) -> None:
    book = filled(tmp_path, 3)
    book.add(AT + ahead_s, document(50))
    for minute in (4, 5):
        book.add(AT + 60 * minute, document(minute))
    assert book.times() == [AT, AT + 60, AT + 120, AT + 240, AT + 300]
    cut_short = tmp_path / "history" / "pictures-20261123.log"
    cut_short.write_bytes(cut_short.read_bytes() + b"GD")  # a kill in the middle of a write
    again = opened(tmp_path)
    assert [again.read(at + 5) for at in (AT, AT + 240, AT + 300)] == [document(minute) for minute in (0, 4, 5)]
    again.add(AT + 360, document(6))
    again.add(AT + DAY, document(7))
    last = opened(tmp_path)
    assert [last.read(at + 5) for at in (AT + 300, AT + 360, AT + DAY)] == [document(minute) for minute in (5, 6, 7)]


def test_a_clock_that_starts_far_in_the_past_costs_nothing_of_what_was_kept(tmp_path: Path) -> None:
    filled(tmp_path, 3)
    book = opened(tmp_path, keep_days=3)
    book.add(60.0, document(9))  # a host without a battery begins at 1970
    assert book.read(120.0) == document(9)
    again = opened(tmp_path)
    assert again.times() == [60.0, AT, AT + 60, AT + 120]
    assert again.read(AT + 60) == document(1)


def test_a_day_that_grows_over_the_bound_lets_the_oldest_go_at_once(tmp_path: Path) -> None:
    book = filled(tmp_path, 3)
    book.add(AT + DAY, document(0))
    book = opened(tmp_path, keep_bytes=book.size_bytes() + 100)
    for minute in range(1, 4):
        book.add(AT + DAY + 60 * minute, document(minute))
    assert [path.name for path in (tmp_path / "history").iterdir()] == ["pictures-20261124.log"]
    assert book.times()[0] == AT + DAY


def test_a_disk_that_takes_nothing_is_said_and_what_is_there_can_be_read(tmp_path: Path) -> None:
    book = filled(tmp_path, 3)
    log = tmp_path / "history" / "pictures-20261123.log"
    log.rename(log.with_suffix(".aside"))
    log.mkdir()
    with pytest.raises(StoreError, match="the history could not be written"):
        book.add(AT + 180, document(3))
    log.rmdir()
    log.with_suffix(".aside").rename(log)
    book.add(AT + 240, document(4))
    assert book.times() == [AT, AT + 60, AT + 120, AT + 240]
    assert [opened(tmp_path).read(at) for at in book.times()] == [document(n) for n in (0, 1, 2, 4)]


def test_documents_that_resemble_each_other_are_small_and_damaged_ones_are_refused() -> None:
    deltas = Deltas(3)
    made = [deltas.add(document(n)) for n in range(7)]
    assert [delta.whole for delta in made] == [True, False, False, True, False, False, True]
    assert [restored(made[n], made[n - n % 3]) for n in range(7)] == [document(n) for n in range(7)]
    assert len(made[1].data) < 60
    with pytest.raises(StoreError, match="damaged"):
        restored(type(made[0])(False, made[1].data[:-2]), made[0])
