"""A TCP proxy that does what networks do to a client and a server: delay, stall, trickle, cut.

    with FaultProxy(postgres.port) as proxy:
        url = f"postgresql://postgres@127.0.0.1:{proxy.port}/orders"
        ...
        proxy.blackhole()                            # from now on nothing arrives, and nobody is told
        ...
        proxy.heal()                                 # what was under way arrives now

It runs on a thread of its own. Each switch holds for open connections and for new ones, until another one or `heal`.
"""

import asyncio
import socket
import struct
import threading
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass

_CHUNK = 65_536
_PIECES_PER_SECOND = 20
_PATIENCE_SECONDS = 10.0
# Close at once and with an RST: what is still unsent is thrown away.
_NO_LINGER = struct.pack("ii", 1, 0)


@dataclass(frozen=True)
class _Mode:
    latency_seconds: float = 0.0
    bytes_per_second: float | None = None
    stalls: bool = False
    resets: bool = False
    half_closes: bool = False


@dataclass(eq=False)
class _Link:
    """One client's connection and ours to the server."""

    client: asyncio.StreamWriter
    server: asyncio.StreamWriter
    half_closed: bool = False

    def takes(self, sink: asyncio.StreamWriter) -> bool:
        """Whether something can still be sent there."""
        return not sink.transport.is_closing() and not (self.half_closed and sink is self.client)


class FaultProxy:
    """Listens on a free loopback port and passes on what it gets to another port of this machine.

    Args:
        target_port: where the server listens.

    Attributes:
        port: where clients shall connect.
    """

    def __init__(self, target_port: int) -> None:
        self.port = 0
        self._target_port = target_port
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="fault-proxy", daemon=True)
        self._mode = _Mode()
        self._switched = asyncio.Event()
        self._links: set[_Link] = set()
        self._server: asyncio.Server | None = None

    def heal(self) -> None:
        """Pass on everything as it comes."""
        self._switch(_Mode())

    def latency(self, seconds: float) -> None:
        """Pass on each piece this much later, in both directions."""
        self._switch(_Mode(latency_seconds=seconds))

    def slow(self, bytes_per_second: float) -> None:
        """Pass on so many bytes in a second, in each direction of each connection."""
        self._switch(_Mode(bytes_per_second=bytes_per_second))

    def blackhole(self) -> None:
        """Accept connections and take what is sent, but pass nothing on before the next switch."""
        self._switch(_Mode(stalls=True))

    def reset(self) -> None:
        """Cut open connections with an RST, and new ones as soon as they are accepted."""
        self._switch(_Mode(resets=True))

    def half_close(self) -> None:
        """Tell clients that the server has ended its side (FIN); what they send still arrives."""
        self._switch(_Mode(half_closes=True))

    @property
    def connections(self) -> int:
        """How many clients are connected through it now."""
        return len(self._links)

    def __enter__(self) -> "FaultProxy":
        self._thread.start()
        asyncio.run_coroutine_threadsafe(self._start(), self._loop).result(_PATIENCE_SECONDS)
        return self

    def __exit__(self, *_: object) -> None:
        asyncio.run_coroutine_threadsafe(self._stop(), self._loop).result(_PATIENCE_SECONDS)
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join(_PATIENCE_SECONDS)
        self._loop.close()

    async def _start(self) -> None:
        self._server = await asyncio.start_server(self._connect, "127.0.0.1", 0)
        self.port = self._server.sockets[0].getsockname()[1]

    async def _stop(self) -> None:
        assert self._server is not None
        self._server.close()
        for link in list(self._links):
            _cut(link)
        others = asyncio.all_tasks() - {asyncio.current_task()}
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        # The closed sockets are let go in the loop's next turn.
        await asyncio.sleep(0)

    def _switch(self, mode: _Mode) -> None:
        """In force when this returns."""

        async def switch() -> None:
            self._mode = mode
            self._switched.set()
            self._switched = asyncio.Event()
            for link in list(self._links):
                _apply(mode, link)

        asyncio.run_coroutine_threadsafe(switch(), self._loop).result(_PATIENCE_SECONDS)

    async def _connect(self, from_client: asyncio.StreamReader, client: asyncio.StreamWriter) -> None:
        try:
            from_server, server = await asyncio.open_connection("127.0.0.1", self._target_port)
        except OSError:
            client.transport.abort()
            return
        link = _Link(client, server)
        self._links.add(link)
        _apply(self._mode, link)
        try:
            async with asyncio.TaskGroup() as pumps:
                pumps.create_task(self._pump(link, from_client, server))
                pumps.create_task(self._pump(link, from_server, client))
        finally:
            self._links.discard(link)
            _cut(link, reset=False)

    async def _pump(self, link: _Link, source: asyncio.StreamReader, sink: asyncio.StreamWriter) -> None:
        with suppress(OSError):
            while data := await source.read(_CHUNK):
                await self._pass_on(data, link, sink)
            await self._wait_while(lambda mode: mode.stalls)
            if link.takes(sink):
                sink.write_eof()

    async def _pass_on(self, data: bytes, link: _Link, sink: asyncio.StreamWriter) -> None:
        await asyncio.sleep(self._mode.latency_seconds)
        while data:
            await self._wait_while(lambda mode: mode.stalls)
            rate = self._mode.bytes_per_second
            size = len(data) if rate is None else max(1, int(rate / _PIECES_PER_SECOND))
            piece, data = data[:size], data[size:]
            if rate is not None:
                await asyncio.sleep(len(piece) / rate)
            if link.takes(sink):
                sink.write(piece)
                await sink.drain()

    async def _wait_while(self, holds: Callable[[_Mode], bool]) -> None:
        while holds(self._mode):
            await self._switched.wait()


def _apply(mode: _Mode, link: _Link) -> None:
    if mode.resets:
        _cut(link)
    elif mode.half_closes and link.takes(link.client):
        link.half_closed = True
        link.client.write_eof()


def _cut(link: _Link, *, reset: bool = True) -> None:
    for writer in (link.client, link.server):
        if reset and not writer.transport.is_closing():
            writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
            writer.transport.abort()
        else:
            writer.close()
