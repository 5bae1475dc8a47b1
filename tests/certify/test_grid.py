from collections import Counter
from pathlib import Path

import pytest

from gexdesk.assemble.offline import check_labelled, rules_of
from gexdesk.certify.grid import label, write


@pytest.mark.parametrize(
    ("volume", "open_interest", "change", "age_s", "level"),
    [
        (50_001, 0, 0.11, 1, "CRITICAL"),
        (0, 100_001, 0.11, 4.9, "CRITICAL"),
        (50_000, 100_000, 0.11, 1, "HIGH"),
        (50_001, 0, 0.10, 1, "HIGH"),
        (50_001, 0, None, 1, "HIGH"),
        (50_001, 0, 0.5, 5, "HIGH"),
        (10_000, 0, 0.11, 299, "HIGH"),
        (10_000, 0, 0.10, 299, "MEDIUM"),
        (0, 25_000, 0.0, 1, "MEDIUM"),
        (9_999, 24_999, 0.11, 1, "MEDIUM"),
        (9_999, 24_999, 0.11, 5, "LOW"),
        (None, None, 0.01, 1, "LOW"),
        (2_000_000, 0, 0.5, 300, "LOW"),
        (50_001, 0, 0.11, -2.5, "HIGH"),
    ],
)
def test_labels_are_those_of_the_firms_table(
    volume: float | None, open_interest: float | None, change: float | None, age_s: float, level: str
) -> None:
    assert label(volume, open_interest, change, age_s) == level


def test_the_shipped_set_decides_the_grid_as_labelled(tmp_path: Path) -> None:
    rows = write(tmp_path / "grid.csv")
    report = check_labelled(tmp_path / "grid.csv", rules_of(None))
    assert (report.rows, report.correct) == (rows, rows)


def test_another_set_does_not(tmp_path: Path) -> None:
    """The grid must tell a threshold that is off by one contract, and a freshness off by a second."""
    write(tmp_path / "grid.csv")
    default = (Path(__file__).parents[2] / "gexdesk/guidelines/default.toml").read_text()
    for good, wrong in (("volume_over = 50_000", "volume_over = 49_999"), ("under = 300", "under = 301")):
        assert good in default
        (tmp_path / "other.toml").write_text(default.replace(good, wrong))
        assert check_labelled(tmp_path / "grid.csv", rules_of(tmp_path / "other.toml")).wrong


def test_every_level_and_type_is_in_the_grid(tmp_path: Path) -> None:
    write(tmp_path / "grid.csv")
    rows = [line.split(",") for line in (tmp_path / "grid.csv").read_text().splitlines()[1:]]
    assert min(Counter(row[-1] for row in rows).values()) > 100
    assert min(Counter(row[1] for row in rows).values()) > 3_000
