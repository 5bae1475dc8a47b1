"""One server for a test process; every queue takes a prefix of its own there."""

from collections.abc import AsyncIterator, Iterator

import pytest

from gexdesk.queues.redis import RedisQueue
from tests.queues.redis_setting import RedisSetting
from tests.queues.valkey_server import ValkeyServer


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()


@pytest.fixture
async def setting(valkey: ValkeyServer) -> AsyncIterator[RedisSetting]:
    setting = RedisSetting(valkey)
    yield setting
    await setting.end()


@pytest.fixture
async def queue(setting: RedisSetting) -> AsyncIterator[RedisQueue]:
    queue = await setting.open()
    yield queue
    await queue.close()
