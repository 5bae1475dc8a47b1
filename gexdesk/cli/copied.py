"""Lend a consistent copy of the metadata while an engine holds the original."""

import asyncio
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from gexdesk.api.client import Client
from gexdesk.cli import launch


@contextmanager
def metadata_copy(state: Path) -> Iterator[Path | None]:
    """Give the path of a copy made by the running engine, gone afterwards; None where no engine runs: the file itself can be read.

    Raises:
        EngineAway: An engine runs and does not answer.
    """
    if not launch.runs(state):
        yield None
        return
    copy = asyncio.run(Client(state).copy_metadata())
    try:
        yield copy
    finally:
        copy.unlink(missing_ok=True)
