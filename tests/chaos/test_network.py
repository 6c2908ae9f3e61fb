"""The network between the server and PostgreSQL stalls or breaks: callers are told in time, and nothing needs a restart."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest
from sqlalchemy import make_url

from tests.conftest import make_settings
from xumi.api import Application, create_app
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.contention import contend
from xumi.kernel.testing.fault_proxy import FaultProxy
from xumi.kernel.testing.postgres import PostgresServer

pytestmark = pytest.mark.timeout(120)

CALLERS = 12


@pytest.fixture
def proxy(postgresql: PostgresServer) -> Iterator[FaultProxy]:
    with FaultProxy(postgresql.port) as proxy:
        yield proxy


@pytest.fixture
def settings(postgresql_url: str, proxy: FaultProxy) -> Settings:
    """A small pool, so that what is not given back is missed; and callers who have little patience."""
    url = make_url(postgresql_url).set(port=proxy.port).render_as_string(hide_password=False)
    return make_settings(
        url,
        database_pool_size=4,
        rate_limit_enabled=False,
        request_deadline_seconds=4.0,
        log_level="CRITICAL",
    )


@pytest.fixture
async def client(settings: Settings) -> AsyncIterator[httpx.AsyncClient]:
    app: Application = create_app(settings)
    async with running(app), open_client(app) as client:
        yield client


async def sign_in_wrongly(client: httpx.AsyncClient) -> int:
    """A request that reads and writes; 401 when the database has answered."""
    response = await client.post("/auth/login", json={"username": "nobody", "password": "wrong"})
    return response.status_code


# Where nothing is said at all, it is the deadline of the request that ends the waiting.
@pytest.mark.parametrize(
    ("fault", "answers"), [("blackhole", {503, 504}), ("reset", {503}), ("half_close", {503})]
)
async def test_callers_are_told_and_the_pool_recovers(
    client: httpx.AsyncClient, proxy: FaultProxy, fault: str, answers: set[int]
) -> None:
    assert (await contend(2, lambda: sign_in_wrongly(client))).results == [401, 401]
    getattr(proxy, fault)()
    told = await contend(CALLERS, lambda: sign_in_wrongly(client))
    assert set(told) <= answers
    proxy.heal()
    for _ in range(2):
        assert set(await contend(4, lambda: sign_in_wrongly(client))) == {401}
