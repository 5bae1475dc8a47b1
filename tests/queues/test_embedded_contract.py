"""The embedded queue keeps every promise of a queue."""

from pathlib import Path

import pytest

from tests.contracts.queue_contract import QueueContract
from tests.queues.embedded_setting import EmbeddedSetting


class TestEmbeddedQueue(QueueContract):
    @pytest.fixture
    def setting(self, tmp_path: Path) -> EmbeddedSetting:
        return EmbeddedSetting(tmp_path)
