"""Tell a payload that brings nothing new: byte for byte the one its source sent before."""

import asyncio
import hashlib

from gexdesk.model.payload import Arrival, Payload

_INLINE_BYTES = 64 * 1024
_SHIFT_TOLERANCE_S = 0.001  # a replay computes its shift anew for each event


class Repeats:
    """Hold the last kept payload of each source.

    What it stood for is done or under way, so a repeat needs no job: the stores would find its rows there already. A dead letter's
    repeat is one too, for the same bytes would fail again; it can be tried again from the dead letters.
    """

    def __init__(self) -> None:
        self._last: dict[str, Payload] = {}
        self._last_asked: dict[tuple[str, str | None], Payload] = {}
        self._left: dict[tuple[str, str, int], Payload] = {}

    def leave(self, payload: Payload) -> None:
        """Take a payload that an earlier engine kept just before its end: its source may not know, and bring it again."""
        if payload.asked is None:
            self._left[payload.source, payload.name, payload.size_bytes] = payload

    async def was_left(self, arrival: Arrival) -> bool:
        """Say whether an arrival is what ``leave`` was told of, under the same name; each is known once."""
        if not self._left or arrival.asked is not None:
            return False
        left = self._left.pop((arrival.source, arrival.name, len(arrival.body)), None)
        return left is not None and _alike(left, arrival) and await _digest_of(arrival) == left.sha256

    def remember(self, payload: Payload) -> None:
        """Take a payload that is kept as its source's last one; what a request brought is not the source's own doing."""
        if payload.asked is None:
            self._last[payload.source] = payload
        else:
            self._last_asked[payload.source, payload.asked.data_type] = payload

    async def of(self, arrival: Arrival) -> Payload | None:
        """Return the payload an arrival repeats, None where it brings something else; large bodies are hashed on a thread.

        What a request brought may repeat its source's last one, and what another request for that kind of data brought.
        """
        before = [self._last.get(arrival.source)]
        if arrival.asked is not None:
            before.append(self._last_asked.get((arrival.source, arrival.asked.data_type)))
        # Only a body of the same length can be the same, so hardly any other is hashed here.
        alike = [last for last in before if last is not None and _alike(last, arrival)]
        if not alike:
            return None
        digest = await _digest_of(arrival)
        return next((last for last in alike if digest == last.sha256), None)


def repeats(arrival: Arrival, before: Arrival) -> bool:
    """Say whether an arrival is, byte for byte, the one of its source just before."""
    return arrival.body == before.body and abs(arrival.time_shift_s - before.time_shift_s) <= _SHIFT_TOLERANCE_S


def _alike(last: Payload, arrival: Arrival) -> bool:
    return last.size_bytes == len(arrival.body) and abs(last.time_shift_s - arrival.time_shift_s) <= _SHIFT_TOLERANCE_S


async def _digest_of(arrival: Arrival) -> str:
    large = len(arrival.body) > _INLINE_BYTES
    return await asyncio.to_thread(_digest, arrival.body) if large else _digest(arrival.body)


def _digest(body: bytes) -> str:
    return hashlib.sha256(body).hexdigest()
