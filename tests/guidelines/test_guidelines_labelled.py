"""Labelled rows: all right on a grid over every boundary and on random rows; bad rows named by line."""

import csv
import random
from itertools import product

import pytest

from gexdesk.guidelines.labelled import COLUMNS, check, read_labelled
from gexdesk.guidelines.rules import load_default
from gexdesk.model.errors import GuidelineError
from gexdesk.model.level import LEVELS

RULES = load_default()
HEADER = ",".join(COLUMNS)
GOOD = "SPX,real_time,60000,120000,0.2,1,CRITICAL"


def by_the_book(volume, open_interest, change, age_s):
    """Read the firm's two tables aloud on the texts of a row; an empty text is not known."""
    contracts = float(volume or 0)
    interest = float(open_interest or 0)
    big = contracts > 50_000 or interest > 100_000
    some = big or contracts >= 10_000 or interest >= 25_000
    moved = change != "" and float(change) > 0.10
    age = float(age_s)
    live = -2 <= age < 5
    if age >= 300:
        return "LOW"
    if big and moved and live:
        return "CRITICAL"
    if (big and live) or (some and moved):
        return "HIGH"
    return "MEDIUM" if some or (moved and live) else "LOW"


def report_of(path, rows):
    with path.open("w", newline="", encoding="utf-8") as file:
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        for number, row in enumerate(rows):
            data_type = ("real_time", "snapshot", "historical")[number % 3]
            writer.writerow(("SPX", data_type, *row, by_the_book(*row)))
    return check(read_labelled(path), RULES)


def test_every_row_of_the_grid_over_all_boundaries_is_right(tmp_path):
    volumes = ["", "0", "9999", "10000", "10001", "49999", "50000", "50001"]
    interests = ["", "0", "24999", "25000", "25001", "99999", "100000", "100001"]
    changes = ["", "0", "0.0499", "0.05", "0.0501", "0.0999", "0.1", "0.10", "0.1001", "7"]
    ages = ["-2.01", "-2", "0", "4.999", "5", "5.001", "299.999", "300", "300.001", "86400"]
    report = report_of(tmp_path / "grid.csv", product(volumes, interests, changes, ages))
    assert report.rows == 6_400
    assert report.wrong == ()
    assert report.accuracy == 1.0
    assert all(report.confusion[level][level] > 50 for level in LEVELS)


def test_ten_thousand_random_rows_are_right(tmp_path):
    random_ = random.Random(20261123)

    def number(high, *edges):
        return random_.choice(["", f"{random_.uniform(0, high):.4f}", f"{random_.randrange(int(high) + 1)}", *edges])

    rows = [
        (
            number(120_000, "50000", "10000"),
            number(250_000, "100000", "25000"),
            random_.choice(["", f"{random_.uniform(0, 0.3):.6f}", "0.1", "0.05"]),
            random_.choice([f"{random_.uniform(-3, 10):.3f}", f"{random_.uniform(0, 900):.3f}", "5", "300"]),
        )
        for _ in range(10_000)
    ]
    report = report_of(tmp_path / "random.csv", rows)
    assert (report.rows, report.correct, report.wrong) == (10_000, 10_000, ())
    assert all(report.confusion[level][level] > 80 for level in LEVELS)


def test_wrong_rows_are_counted_and_named(tmp_path):
    path = tmp_path / "labelled.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n\nNDX,snapshot,,,,1,HIGH\n_rut,snapshot,60000,,,1,HIGH\n", encoding="utf-8")
    report = check(read_labelled(path), RULES)
    assert (report.rows, report.correct, report.accuracy) == (3, 2, pytest.approx(2 / 3))
    assert report.confusion["HIGH"] == {"CRITICAL": 0, "HIGH": 1, "MEDIUM": 0, "LOW": 1}
    wrong = report.wrong[0]
    assert (wrong.line, wrong.symbol, wrong.expected, wrong.decided, wrong.winner) == (4, "NDX", "HIGH", "LOW", "unmatched")
    assert "impact not known" in wrong.reason


def test_columns_may_stand_in_any_order_beside_others_and_after_a_byte_order_mark(tmp_path):
    path = tmp_path / "labelled.csv"
    names = [*reversed(COLUMNS), "note"]
    cells = [*reversed(GOOD.split(",")), '"seen, by jm"']
    path.write_bytes(b"\xef\xbb\xbf" + f"{','.join(names)}\r\n{','.join(cells)}\r\n".encode())
    assert check(read_labelled(path), RULES).correct == 1


@pytest.mark.parametrize(
    ("line", "words"),
    [
        (GOOD.replace("0.2", "-0.2"), "gamma_change is '-0.2'"),
        (GOOD.replace("0.2", "nan"), "gamma_change is 'nan'"),
        (GOOD.replace("60000", "60_000"), "volume is '60_000'"),
        (GOOD.replace("60000", "1e999"), "volume is '1e999'"),
        (GOOD.replace("60000", "-1"), "volume is '-1'"),
        (GOOD.replace("120000", "inf"), "open_interest is 'inf'"),
        (GOOD.replace(",1,", ",,"), "data_age_s is empty"),
        (GOOD.replace(",1,", ",soon,"), "data_age_s is 'soon'"),
        (GOOD.replace("CRITICAL", "critical"), "did you mean CRITICAL?"),
        (GOOD.replace("real_time", "realtime"), "did you mean real_time?"),
        (GOOD.replace("SPX", "../etc"), "symbol is '../etc'"),
        (GOOD + ",1", "it has 8 cells"),
        ("SPX,real_time", "it has 2 cells"),
        (GOOD + '\n"', "this is not CSV"),
    ],
)
def test_a_bad_row_is_named_by_its_line(tmp_path, line, words):
    path = tmp_path / "labelled.csv"
    path.write_text(f"{HEADER}\n{GOOD}\n{line}\n", encoding="utf-8")
    with pytest.raises(GuidelineError) as caught:
        read_labelled(path)
    assert words in caught.value.message
    assert caught.value.details["line"] in (3, 4)
    assert caught.value.message.startswith(f"{path}, line {caught.value.details['line']}")


def test_all_bad_lines_are_listed(tmp_path):
    path = tmp_path / "labelled.csv"
    path.write_text(f"{HEADER}\n{GOOD}\nbad\n{GOOD}\nworse\n", encoding="utf-8")
    with pytest.raises(GuidelineError, match="and 1 more lines are at fault") as caught:
        read_labelled(path)
    assert caught.value.details["lines"] == [3, 5]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "the column symbol is not there"),
        (HEADER.replace("gamma_change", "gamma_chg").encode(), "gamma_change is not there (there is gamma_chg)"),
        (f"{HEADER},symbol\n".encode(), "the column symbol is twice"),
        (HEADER.encode(), "it has no rows"),
        (b"\xff\xfe\x00", "not text in UTF-8"),
        (None, "cannot be read"),
    ],
)
def test_a_file_without_sense_is_refused(tmp_path, content, words):
    path = tmp_path / "labelled.csv"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(GuidelineError) as caught:
        read_labelled(path)
    assert words in caught.value.message
