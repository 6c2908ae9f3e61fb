"""Counts the statements that PostgreSQL is told to run, on the wire, whoever sends them."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, suppress

_EXECUTE, _SIMPLE_QUERY = b"E", b"Q"
_TLS = (80877103).to_bytes(4, "big")


class StatementCounter:
    """Passes connections on to a PostgreSQL on this machine, and reads along.

    Attributes:
        port: where clients shall connect.
        count: how many statements went through so far.
    """

    def __init__(self, target_port: int) -> None:
        self.port, self.count = 0, 0
        self._target_port = target_port
        self._tasks: set[asyncio.Task[None]] = set()

    async def _pass_on(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        source, sink = await asyncio.open_connection("127.0.0.1", self._target_port)
        back = asyncio.create_task(_copy(source, writer))
        self._tasks |= {back, asyncio.current_task()}  # type: ignore[arg-type]
        with suppress(asyncio.IncompleteReadError, ConnectionError):
            # The first messages have no letter: a client asks for TLS, gets a no, and names itself.
            asks_for_tls = True
            while asks_for_tls:
                size = await reader.readexactly(4)
                message = await reader.readexactly(int.from_bytes(size, "big") - 4)
                asks_for_tls = message == _TLS
                sink.write(size + message)
            # Each further one has a letter and its length.
            while True:
                head = await reader.readexactly(5)
                self.count += head[:1] in (_EXECUTE, _SIMPLE_QUERY)
                sink.write(head + await reader.readexactly(int.from_bytes(head[1:], "big") - 4))
        sink.close()

    async def close(self) -> None:
        """End all connections."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)


async def _copy(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
    with suppress(ConnectionError):
        while data := await reader.read(65_536):
            writer.write(data)
    writer.close()


@asynccontextmanager
async def count_statements(target_port: int) -> AsyncIterator[StatementCounter]:
    """A counter that listens until the end of the block."""
    counter = StatementCounter(target_port)
    server = await asyncio.start_server(counter._pass_on, "127.0.0.1", 0)
    counter.port = server.sockets[0].getsockname()[1]
    try:
        yield counter
    finally:
        server.close()
        await counter.close()
