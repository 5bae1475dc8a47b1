import pytest

from tests.faults import soak


@pytest.mark.timeout(180)
def test_two_brief_days_with_faults_lose_nothing() -> None:
    found = soak.run(full=False)
    assert found.sound, found
    assert found.engine_lives == 3  # killed on the first day, stopped over night
    assert found.changes_held == found.guideline_changes >= 6
