"""What provision wrote down and somebody damaged: named where it must be looked at, left where the store has it anyway."""

import asyncio
from pathlib import Path

import msgspec
import pytest

from gexdesk.engine.ledger import Ledger
from gexdesk.engine.quarantine import Quarantine, _Held
from gexdesk.engine.serving import Serving
from gexdesk.engine.symbols import Symbols
from gexdesk.model.errors import StoreError
from gexdesk.model.level import Level
from gexdesk.model.symbol_view import Figures, QuarantineCase
from gexdesk.stores.cache import EmbeddedCache
from tests.virtual_clock import VirtualClock

CASES = msgspec.msgpack.encode({"count": 1, "cases": [{"symbol": "SP"}]})


@pytest.mark.parametrize("damage", [b"\xff\xff", CASES.replace(b"SP", b"S\xff")])
def test_a_damaged_file_of_cases_is_named_and_nothing_of_it_taken(tmp_path: Path, damage: bytes) -> None:
    path = tmp_path / "quarantine.msgpack"
    path.write_bytes(damage)
    quarantine = Quarantine(EmbeddedCache(), VirtualClock(), path, lambda symbol: ())
    with pytest.raises(StoreError, match=r"quarantine\.msgpack held the cases held back and cannot be believed"):
        quarantine.open()
    assert not quarantine._held


async def test_the_cases_are_written_as_they_were_when_that_was_asked_for(tmp_path: Path) -> None:
    path = tmp_path / "quarantine.msgpack"
    quarantine = Quarantine(EmbeddedCache(), VirtualClock(), path, lambda symbol: ())
    figures = Figures(1.0, 6_000.0, None, None, 10)
    for number in range(1, 400):
        case = QuarantineCase(
            number=number, symbol=f"S{number}", source="feed", state="held", count=1, first_at=1.0, last_at=1.0, level=Level.LOW,
            findings=(), suspect=figures, good=None, live=None, live_source="",
        )  # fmt: skip
        quarantine._held[number] = _Held(case)
    saving = asyncio.create_task(quarantine.save())
    await asyncio.sleep(0)
    while not saving.done():
        quarantine._held.pop(next(iter(quarantine._held), 0), None)  # the loop goes on with its cases meanwhile
        await asyncio.sleep(0)
    await saving
    again = Quarantine(EmbeddedCache(), VirtualClock(), path, lambda symbol: ())
    again.open()
    assert len(again._held) == 399


def test_a_damaged_file_of_who_serves_is_named(tmp_path: Path) -> None:
    path = tmp_path / "serving.json"
    path.write_bytes(b'{"S\xffX": {}}')
    serving = Serving(EmbeddedCache(), Symbols([], Ledger([])), VirtualClock(), path)
    with pytest.raises(StoreError, match="holds who serves which symbol and cannot be read"):
        serving.open()
