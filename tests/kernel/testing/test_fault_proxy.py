"""Each fault of the proxy is one that a client sees, and passes when it is healed."""

import asyncio
from collections.abc import AsyncIterator, Iterator
from contextlib import suppress

import httpx
import pytest

from xumi.kernel.testing.fault_proxy import FaultProxy
from xumi.kernel.testing.server import RunningServer

Streams = tuple[asyncio.StreamReader, asyncio.StreamWriter]


@pytest.fixture
async def received() -> list[bytes]:
    """What has come to the server that answers with what it gets."""
    return []


@pytest.fixture
async def proxy(received: list[bytes]) -> AsyncIterator[FaultProxy]:
    async def echo(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with suppress(ConnectionResetError):
            while data := await reader.read(65_536):
                received.append(data)
                writer.write(data)
        writer.close()

    server = await asyncio.start_server(echo, "127.0.0.1", 0)
    with FaultProxy(server.sockets[0].getsockname()[1]) as proxy:
        yield proxy
    server.close()


@pytest.fixture
async def streams(proxy: FaultProxy) -> AsyncIterator[Streams]:
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    yield reader, writer
    writer.close()


async def ask(streams: Streams, data: bytes) -> bytes:
    streams[1].write(data)
    return await streams[0].readexactly(len(data))


async def assert_silent(streams: Streams) -> None:
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(streams[0].read(1), 0.1)


async def test_without_a_fault_everything_passes(proxy: FaultProxy, streams: Streams) -> None:
    large = bytes(range(256)) * 4096
    assert await ask(streams, large) == large
    assert proxy.connections == 1
    streams[1].write_eof()
    assert await streams[0].read() == b""
    while proxy.connections:
        await asyncio.sleep(0.01)


async def test_latency_holds_each_piece_back(proxy: FaultProxy, streams: Streams) -> None:
    proxy.latency(0.3)
    streams[1].write(b"late")
    await assert_silent(streams)
    assert await streams[0].readexactly(4) == b"late"
    proxy.heal()
    assert await ask(streams, b"at once") == b"at once"


async def test_a_slow_line_trickles(proxy: FaultProxy, streams: Streams) -> None:
    proxy.slow(2000)
    streams[1].write(b"x" * 1000)
    first = await streams[0].read(1000)
    assert 0 < len(first) < 1000
    proxy.heal()
    assert len(await streams[0].readexactly(1000 - len(first))) == 1000 - len(first)


async def test_a_black_hole_says_nothing_and_gives_back(
    proxy: FaultProxy, streams: Streams, received: list[bytes]
) -> None:
    proxy.blackhole()
    streams[1].write(b"swallowed")
    other = await asyncio.open_connection("127.0.0.1", proxy.port)
    other[1].write(b"too")
    await assert_silent(streams)
    await assert_silent(other)
    assert received == []
    proxy.heal()
    assert await streams[0].readexactly(9) == b"swallowed"
    assert await other[0].readexactly(3) == b"too"
    other[1].close()


async def connect_and_read(proxy: FaultProxy) -> None:
    """Depending on who is faster, already the connecting fails."""
    reader, writer = await asyncio.open_connection("127.0.0.1", proxy.port)
    try:
        await reader.read(1)
    finally:
        writer.close()


async def test_a_reset_cuts_what_is_open_and_what_comes(proxy: FaultProxy, streams: Streams) -> None:
    assert await ask(streams, b"before") == b"before"
    proxy.reset()
    with pytest.raises(ConnectionResetError):
        await streams[0].read(1)
    with pytest.raises(ConnectionResetError):
        await connect_and_read(proxy)
    proxy.heal()
    again = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await ask(again, b"after") == b"after"
    again[1].close()


async def test_a_half_closed_line_takes_but_does_not_give(
    proxy: FaultProxy, streams: Streams, received: list[bytes]
) -> None:
    assert await ask(streams, b"before") == b"before"
    proxy.half_close()
    assert await streams[0].read() == b""
    streams[1].write(b"still arrives")
    while b"still arrives" not in received:
        await asyncio.sleep(0.01)
    proxy.heal()
    again = await asyncio.open_connection("127.0.0.1", proxy.port)
    assert await ask(again, b"after") == b"after"
    again[1].close()


@pytest.fixture
def to_server(server: RunningServer) -> Iterator[FaultProxy]:
    with FaultProxy(int(server.url.rpartition(":")[2])) as proxy:
        yield proxy


def test_http_clients_see_what_networks_do(to_server: FaultProxy) -> None:
    with httpx.Client(base_url=f"http://127.0.0.1:{to_server.port}", timeout=0.3) as client:
        assert client.get("/health").status_code == 200
        to_server.blackhole()
        with pytest.raises(httpx.ReadTimeout):
            client.get("/health")
        to_server.half_close()
        with pytest.raises(httpx.RemoteProtocolError):
            client.get("/health")
        to_server.reset()
        # httpcore goes on to read when its sending failed, and then finds the end of the stream instead of the reset.
        with pytest.raises((httpx.NetworkError, httpx.RemoteProtocolError)):
            client.get("/health")
        to_server.heal()
        assert client.get("/health", timeout=5).status_code == 200
