"""Tell a payload that another engine of the fleet acknowledged, too: whoever is first to bring it has its job.

Sources change hands when an engine dies, stands still or is cut off, and the last bytes then come twice: once by the engine that
had not yet noted that it took them, and once by its successor.
"""

import asyncio
import hashlib
from pathlib import Path
from typing import TYPE_CHECKING

from gexdesk.engine.columns import drop_columns
from gexdesk.engine.flight import Flight, Flights
from gexdesk.engine.ledger import Ledger
from gexdesk.stores.spool import Spool

if TYPE_CHECKING:
    from gexdesk.fleet.board import Board


class Came:
    """Ask the board who was first."""

    def __init__(self, board: "Board", spool: Spool, flights: Flights, ledger: Ledger) -> None:
        self._board = board
        self._spool = spool
        self._flights = flights
        self._ledger = ledger

    def first(self, flight: Flight) -> "asyncio.Future[str | None] | None":
        """Ask who was the first to bring these bytes; decoding goes on meanwhile. What a request brought is never a repeat."""
        payload = flight.payload
        if payload.asked is not None:
            return None
        words = f"{payload.source}\n{payload.sha256}\n{payload.time_shift_s:.2f}"
        return self._board.first(hashlib.sha256(words.encode()).hexdigest()[:32], payload.payload_id)

    async def before(self, flight: Flight, first: "asyncio.Future[str | None]") -> bool:
        """Say whether these bytes are another engine's job; they are let go then, and counted as a repeat.

        While the board is away nothing is one: the rows are told apart by their bytes.
        """
        payload = flight.payload
        if await first in (None, payload.payload_id):
            return False
        self._ledger.adopt(payload.source).repeats += 1
        self._flights.end(payload.payload_id)
        self._spool.forget(payload.payload_id)
        if flight.columns_path is not None:
            drop_columns(Path(flight.columns_path))
        return True
