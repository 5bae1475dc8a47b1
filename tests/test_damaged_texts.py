"""A byte that is no UTF-8 in a file of the state folder is damage like any other: named where the desk may not guess."""

from collections.abc import Callable
from pathlib import Path

import pytest

from gexdesk.api.keys import KEYS_NAME, KeyBook
from gexdesk.engine.incidents.mutes import Mutes
from gexdesk.engine.incidents.shelf import Shelf
from gexdesk.engine.shift import Shift
from gexdesk.engine.standing import Standing
from gexdesk.model.errors import StoreError


@pytest.mark.parametrize(
    ("name", "text", "read"),
    [
        ("shift.json", b'{"operator": "j\xff"}', lambda path: Shift(path).open()),
        ("mutes.json", b'{"mutes": [{"target_kind": "\xff"}]}', lambda path: Mutes(path).open()),
        ("7.json", b'{"number": 7, "owner": "\xff"}', lambda path: Shelf(path.parent).read(7)),
        ("standing.json", b'{"skipped": {"\xff": 1.0}}', lambda path: Standing(path).open()),
        (KEYS_NAME, b'[{"id": "\xff"}]', lambda path: KeyBook(path.parent).all()),
    ],
)
def test_a_damaged_byte_in_a_text_is_named(tmp_path: Path, name: str, text: bytes, read: Callable[[Path], object]) -> None:
    (tmp_path / name).write_bytes(text)
    with pytest.raises(StoreError, match=rf"{name}.*cannot be read"):
        read(tmp_path / name)
