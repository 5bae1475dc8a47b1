"""The queue in Redis agrees with a naive one in whatever order things happen."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.contracts.queue_model import QueueMachine
from tests.queues.redis_setting import RedisSetting
from tests.queues.valkey_server import ValkeyServer

_SERVER: list[ValkeyServer] = []


@pytest.fixture(scope="module", autouse=True)
def _server(valkey: ValkeyServer) -> Iterator[None]:
    _SERVER.append(valkey)
    yield
    _SERVER.clear()


class RedisMachine(QueueMachine):
    def setting_in(self, folder: Path) -> RedisSetting:
        return RedisSetting(_SERVER[0])

    def teardown(self) -> None:
        if hasattr(self, "setting"):
            self.do(self.queue.close())
            self.do(self.setting.end())  # type: ignore[attr-defined]
        super().teardown()


TestRedisModel = RedisMachine.TestCase
TestRedisModel.settings = settings(
    max_examples=20, stateful_step_count=40, deadline=None, suppress_health_check=[HealthCheck.too_slow], database=None
)
