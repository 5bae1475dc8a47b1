"""The queue in Redis keeps every promise of a queue."""

from collections.abc import AsyncIterator

import pytest

from tests.contracts.queue_contract import QueueContract
from tests.queues.redis_setting import RedisSetting
from tests.queues.valkey_server import ValkeyServer


class TestRedisQueue(QueueContract):
    @pytest.fixture
    async def setting(self, valkey: ValkeyServer) -> AsyncIterator[RedisSetting]:
        setting = RedisSetting(valkey)
        yield setting
        await setting.end()
