"""A byte that is no UTF-8 in a file of the state folder is damage like any other: named where the desk may not guess."""

from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import pytest

from gexdesk.api.client import Client
from gexdesk.api.keys import KEYS_NAME, KeyBook, Scope
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.incidents.shelf import Shelf
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Pause, Standing
from gexdesk.model.decision import Override
from gexdesk.model.errors import EngineAway, StoreError
from gexdesk.model.level import Level
from gexdesk.model.lever import Verb
from tests.cli.program import started
from tests.engine.desk_setting import engine_on, folder_source, pull, settings_of
from tests.until import until

KEY = b'{"keys": [{"id": "7", "name": "jm", "scopes": ["read"], "digest": "ab", "created_at": 1.0, "revoked_at": 2.0}]}'


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("shift.json", b'{"operator": "j\xff"}', lambda path: Shift(path).open()),
        ("mutes.json", b'{"mutes": [{"target_kind": "\xff"}]}', lambda path: Mutes(path).open()),
        ("7.json", b'{"number": 7, "owner": "\xff"}', lambda path: Shelf(path.parent).read(7)),
        ("standing.json", b'{"skipped": {"\xff": 1.0}}', lambda path: Standing(path).open()),
        (KEYS_NAME, b'{"keys": [{"id": "\xff"}]}', lambda path: KeyBook(path.parent).all()),
        (KEYS_NAME, KEY.replace(b"revoked", b"revokee"), lambda path: KeyBook(path.parent).all()),
        ("standing.json", b'{"pausesx": {}}', lambda path: Standing(path).open()),
    ],
)
def test_a_damaged_byte_in_a_text_is_named(tmp_path: Path, name: str, text: bytes, read: Callable[[Path], object]) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(StoreError, match=rf"{name}.*cannot be read"):
        read(tmp_path / name)


def test_no_flipped_bit_of_a_key_or_of_what_stands_is_believed(tmp_path: Path) -> None:
    def keys(folder: Path) -> object:
        return KeyBook(folder).all()

    def stands(folder: Path) -> object:
        standing = Standing(folder / "standing.json")
        standing.open()
        return standing.overrides(0.0), standing.pauses(), standing.stopped

    KeyBook(tmp_path).create("jm", [Scope.READ], now=1000.0, for_s=60.0)
    standing = Standing(tmp_path / "standing.json")
    standing.set_override("SPX", Override(Level.CRITICAL, "jm", "event", 5.0, 900.0))
    standing.set_pause("spx-chain", Pause("jm", "vendor", 7.0))
    for name, read in ((KEYS_NAME, keys), ("standing.json", stands)):
        text, said = (tmp_path / name).read_bytes(), read(tmp_path)
        folder = tmp_path / f"flipped-{name}"
        folder.mkdir()
        for bit in range(len(text) * 8):
            flipped = bytearray(text)
            flipped[bit // 8] ^= 1 << bit % 8
            (folder / name).write_bytes(flipped)
            with suppress(StoreError):
                assert read(folder) == said, f"{name}: bit {bit} is believed"


async def test_what_an_engine_can_do_without_is_told_where_it_is_damaged(tmp_path: Path) -> None:
    settings = settings_of(tmp_path / "state", folder_source("s", tmp_path / "in"))
    async with engine_on(settings) as engine:
        for _ in range(2):
            await pull(engine, Verb.PROMOTE, "s", level=Level.HIGH)
            await pull(engine, Verb.CLEAR, "s")
    for name in ("live.msgpack", "quarantine.msgpack", "audit.jsonl"):
        whole = (tmp_path / "state" / name).read_bytes()
        (tmp_path / "state" / name).write_bytes(whole[:1] + bytes([whole[1] ^ 1]) + whole[2:])
    async with engine_on(settings) as engine:

        async def told() -> bool:
            grave = [line.text for line in (await engine.view()).log if line.grave]
            names = ("live.msgpack", "quarantine.msgpack", "audit.jsonl does not")
            return all(any(name in text for text in grave) for name in names)

        await until(told)


async def test_keys_that_cannot_be_read_are_told_at_the_start(tmp_path: Path) -> None:
    state = tmp_path / "state"
    state.mkdir(mode=0o700)
    (state / KEYS_NAME).write_bytes(b'[{"id": "\xff"}]')
    engine = started(tmp_path, "run", "--state", state)
    try:
        client = Client(state)

        async def told() -> bool:
            try:
                view = await client.view()
            except EngineAway:
                return False
            return any("keys.json cannot be read" in line.text and line.grave for line in view.log)

        await until(told, limit_s=60)
    finally:
        engine.terminate()
        engine.communicate(timeout=30)
