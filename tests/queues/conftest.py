"""One server for a test process; every queue takes a prefix of its own there."""

from collections.abc import Iterator

import pytest

from tests.queues.valkey_server import ValkeyServer


@pytest.fixture(scope="session")
def valkey() -> Iterator[ValkeyServer]:
    server = ValkeyServer()
    yield server
    server.close()
