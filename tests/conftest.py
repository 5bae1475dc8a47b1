"""Put this folder on the path, so that every test may import what they share, e.g. ``virtual_clock``.

The desk of whoever runs the tests is none of theirs: nothing in the environment names its configuration, its state or its key.
"""

import os

import pytest

for _name in [name for name in os.environ if name.startswith("GEXDESK_") and not name.startswith("GEXDESK_TEST_")]:
    del os.environ[_name]


def pytest_xdist_auto_num_workers(config: pytest.Config) -> int:
    """Run one worker more than there are processors: a third of the time here is spent waiting for disks, terminals and clocks."""
    return (os.cpu_count() or 1) + 1
