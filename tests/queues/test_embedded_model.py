"""The embedded queue agrees with a naive one in whatever order things happen."""

from pathlib import Path

from hypothesis import HealthCheck, settings

from tests.contracts.queue_model import QueueMachine
from tests.queues.embedded_setting import EmbeddedSetting


class EmbeddedMachine(QueueMachine):
    def setting_in(self, folder: Path) -> EmbeddedSetting:
        return EmbeddedSetting(folder)


TestEmbeddedModel = EmbeddedMachine.TestCase
TestEmbeddedModel.settings = settings(
    max_examples=200,
    stateful_step_count=50,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow],
    database=None,
    print_blob=True,
)
