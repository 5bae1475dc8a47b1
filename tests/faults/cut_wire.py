"""A TCP proxy that harms what goes through it as networks do: nobody is told, or somebody is told too much."""

import asyncio
import contextlib
import socket
import struct

DRIP_S = 0.2
LET_THROUGH = 700
"""Bytes of an answer that pass before a wire closes half or resets: past its head, before its end."""


class CutWire:
    """Forward connections to a port until it is cut or spoiled, and again once it is mended.

    Attributes:
        how: Empty while it is whole. ``hole``: what is sent is taken and goes nowhere. ``drip``: answers come a byte at a time.
            ``half``: the way back is closed in the middle of an answer, the way there stays open. ``reset``: both are reset there.
    """

    def __init__(self, to_port: int) -> None:
        self.how = ""
        self._to_port = to_port
        self._whole = asyncio.Event()
        self._whole.set()
        self._server: asyncio.Server | None = None
        self._pumps: set[asyncio.Task[None]] = set()

    async def start(self) -> int:
        """Listen; returns the port."""
        self._server = await asyncio.start_server(self._accept, "127.0.0.1", 0)
        port: int = self._server.sockets[0].getsockname()[1]
        return port

    def cut(self) -> None:
        """Let nothing through, and keep it."""
        self._whole.clear()

    def spoil(self, how: str) -> None:
        """Harm what goes through from now on, ``cut`` or as ``how`` says."""
        if how == "cut":
            self.cut()
        else:
            self.how = how

    def mend(self) -> None:
        """Let everything through that waited, and all that comes; what was spoiled stays so, as on any network."""
        self.how = ""
        self._whole.set()

    async def stop(self) -> None:
        """Close every connection."""
        if self._server is not None:
            self._server.close()
        for pump in self._pumps:
            pump.cancel()
        await asyncio.gather(*self._pumps, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await self._whole.wait()
        there_reader, there_writer = await asyncio.open_connection("127.0.0.1", self._to_port)
        for one, other, back in ((reader, there_writer, False), (there_reader, writer, True)):
            pump = asyncio.create_task(self._pump(one, other, back=back))
            self._pumps.add(pump)
            pump.add_done_callback(self._pumps.discard)

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter, *, back: bool) -> None:
        with contextlib.suppress(OSError):
            while data := await reader.read(65_536):
                await self._whole.wait()
                if self.how == "hole":
                    continue
                if not back or not self.how:
                    writer.write(data)
                    await writer.drain()
                elif not await self._spoiled(data, writer):
                    return
            writer.close()

    async def _spoiled(self, data: bytes, writer: asyncio.StreamWriter) -> bool:
        """Send some of an answer; say whether anything can follow."""
        if self.how == "drip":
            for at in range(len(data)):
                writer.write(data[at : at + 1])
                await writer.drain()
                if self.how:
                    await asyncio.sleep(DRIP_S)
            return True
        writer.write(data[: min(LET_THROUGH, len(data) - 1)])
        await writer.drain()
        if self.how == "half":
            writer.write_eof()
            return False
        connection: socket.socket = writer.get_extra_info("socket")
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        writer.transport.abort()
        return False
