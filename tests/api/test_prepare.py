"""What `xumi run` does to the database before it serves with the same application."""

import asyncio

from tests.conftest import make_settings
from xumi.api import create_app, prepare
from xumi.kernel.db.runner import Query

PID = Query("SELECT pg_backend_pid()", ())


def test_an_application_that_was_prepared_keeps_its_connections_for_reads(postgresql_url: str) -> None:
    app = create_app(make_settings(postgresql_url))
    asyncio.run(prepare(app))

    async def read() -> set[int]:
        runner = app.resources.database.read.runner
        try:
            return {(await runner.fetch(PID))[0][0] for _ in range(3)}
        finally:
            await app.resources.database.close()

    assert len(asyncio.run(read())) == 1
