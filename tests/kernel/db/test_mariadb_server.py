"""The MariaDB of the tests itself."""

import asyncio
from pathlib import Path

import pytest

from xumi.kernel.db.engine import Database
from xumi.kernel.db.runner import Query
from xumi.kernel.testing.mariadb import MISSING, MariadbServer


async def test_data_outlives_a_kill_but_not_a_stop() -> None:
    if not MariadbServer.installed():
        pytest.skip(MISSING)
    server = MariadbServer()
    server.start()
    server.start()
    url = server.create_database("kept")
    assert url == f"mysql://root@127.0.0.1:{server.port}/kept"
    database = Database(url)
    await database.read.runner.fetch(Query("CREATE TABLE t (x INT)", ()))
    [[folder]] = await database.read.runner.fetch(Query("SELECT @@datadir", ()))
    server.kill()
    assert not await database.ping()
    server.start()
    assert list(await database.read.runner.fetch(Query("SELECT x FROM t", ()))) == []
    server.create_database("kept")
    with pytest.raises(Exception, match="doesn't exist"):
        await database.read.runner.fetch(Query("SELECT x FROM t", ()))
    await database.close()
    directory = Path(str(folder)).parent
    assert await asyncio.to_thread(directory.exists)
    server.stop()
    server.stop()
    assert not await asyncio.to_thread(directory.exists)
