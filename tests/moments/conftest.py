"""Give each moment a scene of its own."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.moments.scene import Scene


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    with Scene(tmp_path) as made:
        yield made
