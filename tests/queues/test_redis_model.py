"""The queue in Redis agrees with a naive one in whatever order things happen."""

from pathlib import Path
from typing import ClassVar

import pytest
from hypothesis import HealthCheck, settings

from tests.contracts.queue_model import QueueMachine
from tests.queues.redis_setting import RedisSetting
from tests.queues.valkey_server import ValkeyServer


@pytest.fixture(scope="module", autouse=True)
def _server(valkey: ValkeyServer) -> None:
    RedisMachine.server = valkey


class RedisMachine(QueueMachine):
    server: ClassVar[ValkeyServer]

    def setting_in(self, folder: Path) -> RedisSetting:
        return RedisSetting(self.server)

    def teardown(self) -> None:
        if hasattr(self, "setting"):
            self.do(self.queue.close())
            self.do(self.setting.end())  # type: ignore[attr-defined]
        super().teardown()


TestRedisModel = pytest.mark.timeout(600)(RedisMachine.TestCase)
TestRedisModel.settings = settings(
    max_examples=200, stateful_step_count=50, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
