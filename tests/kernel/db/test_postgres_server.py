"""The PostgreSQL of the tests itself."""

from pathlib import Path

import asyncpg
import psutil
import pytest

from xumi.kernel.testing.postgres import PostgresServer, free_port


async def value(url: str, sql: str) -> object:
    """The first value that a query gives on a connection of its own."""
    connection = await asyncpg.connect(url)
    try:
        return await connection.fetchval(sql)
    finally:
        await connection.close()


async def test_data_outlives_a_kill_and_a_restart_but_not_a_stop() -> None:
    server = PostgresServer()
    server.start()
    server.start()
    url = server.create_database("kept")
    assert url == f"postgresql://postgres@127.0.0.1:{server.port}/kept"
    await value(url, "CREATE TABLE t (x INT)")
    await value(url, "INSERT INTO t VALUES (7)")
    server.kill()
    with pytest.raises(OSError, match=r"Connect|refused"):
        await value(url, "SELECT 1")
    server.start()
    assert await value(url, "SELECT x FROM t") == 7
    server.restart()
    assert await value(url, "SELECT x FROM t") == 7
    directory = Path(str(await value(url, "SHOW data_directory"))).parent
    server.stop()
    server.stop()
    assert not directory.exists()
    assert not [
        process
        for process in psutil.process_iter(["cmdline"])
        if str(directory) in str(process.info["cmdline"])
    ]


def test_a_port_that_was_taken_meanwhile_is_left_to_its_owner(
    postgresql: PostgresServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = iter([postgresql.port, free_port()])
    monkeypatch.setattr("xumi.kernel.testing.postgres.free_port", lambda: next(ports))
    with PostgresServer() as server:
        assert server.port != postgresql.port
        server.create_database("own")


async def test_databases_are_copied_replaced_and_dropped(postgresql: PostgresServer) -> None:
    url = postgresql.create_database("original")
    await value(url, "CREATE TABLE t AS SELECT 1 AS x")
    copy = postgresql.create_database("a_copy", template="original")
    assert await value(copy, "SELECT x FROM t") == 1
    open_connection = await asyncpg.connect(copy)
    assert await value(postgresql.create_database("a_copy"), "SELECT to_regclass('t')") is None
    open_connection.terminate()
    postgresql.drop_database("a_copy")
    with pytest.raises(asyncpg.InvalidCatalogNameError):
        await value(copy, "SELECT 1")


def test_a_failing_program_shows_its_message(postgresql: PostgresServer) -> None:
    with pytest.raises(RuntimeError, match=r"createdb failed: .*no_such"):
        postgresql.create_database("x", template="no_such")


async def test_it_listens_on_loopback_alone(postgresql: PostgresServer) -> None:
    assert await value(postgresql.url, "SHOW listen_addresses") == "127.0.0.1"
    assert await value(postgresql.url, "SHOW unix_socket_directories") == ""
