"""Which way a connection to PostgreSQL is asked for first."""

import asyncio
import struct

import pytest
from sqlalchemy import make_url

from xumi.kernel.db.errors import DatabaseUnavailable
from xumi.kernel.db.postgresql import Connector, is_this_machine

pytestmark = pytest.mark.anyio

# PostgreSQL's protocol, "Message Formats": the second number of SSLRequest and of StartupMessage.
TLS, PLAIN = 80877103, 196608


async def first_wish(host: str, query: str = "") -> int:
    """What the first connection begins with, to a server that hangs up."""
    wishes: list[int] = []

    async def hang_up(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        wishes.append(struct.unpack("!II", await reader.readexactly(8))[1])
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        with pytest.raises(DatabaseUnavailable):
            await Connector(make_url(f"postgresql://user@{host}:{port}/name{query}"), 5.0)()
    return wishes[0]


@pytest.mark.parametrize("host", ["127.0.0.1", "localhost"])
async def test_this_machine_is_not_asked_for_tls(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("PGSSLMODE", raising=False)
    assert await first_wish(host) == PLAIN


async def test_who_wants_tls_gets_it(monkeypatch: pytest.MonkeyPatch) -> None:
    assert await first_wish("127.0.0.1", "?sslmode=require") == TLS
    monkeypatch.setenv("PGSSLMODE", "prefer")
    assert await first_wish("127.0.0.1") == TLS


@pytest.mark.parametrize("host", ["10.0.0.1", "db.example.com", "localhost.example.com", "::", "", None])
def test_every_other_host_is_another_machine(host: str | None) -> None:
    assert not is_this_machine(host)
