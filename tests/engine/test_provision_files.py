"""What provision wrote down and somebody damaged: named where it must be looked at, left where the store has it anyway."""

from pathlib import Path

import msgspec
import pytest

from gexdesk.engine.ledger import Ledger
from gexdesk.engine.quarantine import Quarantine
from gexdesk.engine.serving import Serving
from gexdesk.engine.symbols import Symbols
from gexdesk.model.errors import StoreError
from gexdesk.stores.cache import EmbeddedCache
from tests.virtual_clock import VirtualClock

CASES = msgspec.msgpack.encode({"count": 1, "cases": [{"symbol": "SP"}]})


@pytest.mark.parametrize("damage", [b"\xff\xff", CASES.replace(b"SP", b"S\xff")])
def test_a_damaged_file_of_cases_keeps_no_engine_from_starting(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "quarantine.msgpack"
    path.write_bytes(damage)
    quarantine = Quarantine(EmbeddedCache(), VirtualClock(), path, lambda symbol: ())
    quarantine.open()
    assert not quarantine._held


def test_a_damaged_file_of_who_serves_is_named(tmp_path: Path) -> None:
    path = tmp_path / "serving.json"
    path.write_bytes(b'{"S\xffX": {}}')
    serving = Serving(EmbeddedCache(), Symbols([], Ledger([])), VirtualClock(), path)
    with pytest.raises(StoreError, match="holds who serves which symbol and cannot be read"):
        serving.open()
