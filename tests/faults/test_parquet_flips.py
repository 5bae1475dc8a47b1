"""A few hundred flipped Parquet files through the real pool."""

from tests.faults.parquet_flips import FLIPS, run


def test_flipped_parquet_harms_nobody_but_itself() -> None:
    outcome = run(full=False)
    assert outcome.sound, outcome
    assert outcome.refused + outcome.taken + outcome.died == FLIPS
    assert outcome.refused > FLIPS // 2, "the flips hardly break anything: are they made at all?"
