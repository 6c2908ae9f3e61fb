"""Knowing a caller and what he may do asks the database nothing, counted on the wire to PostgreSQL."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import make_url

from tests.security.calls import Routes
from tests.security.statements import StatementCounter, count_statements
from tests.security.world import World
from xumi.kernel.testing.postgres import PostgresServer

pytestmark = pytest.mark.anyio

TIMES = 20


@pytest.fixture
async def counter(postgresql: PostgresServer) -> AsyncIterator[StatementCounter]:
    async with count_statements(postgresql.port) as counter:
        yield counter


@pytest.fixture
def database_url(postgresql_url: str, counter: StatementCounter) -> str:
    """The application reaches its database through the counter."""
    return make_url(postgresql_url).set(port=counter.port).render_as_string(hide_password=False)


async def test_whoever_is_refused_costs_no_statement(world: World, counter: StatementCounter) -> None:
    routes = Routes(world)
    await routes.make_objects()
    guarded = [route for route in routes.all if not route.policy.public]
    before, statuses = counter.count, []
    for route in guarded:
        statuses.append((await world.send(routes.build(route))).status_code)
        if route.policy.permission not in world.app.resources.access._roles["user"]:
            statuses.append((await world.send(routes.build(route), "owner")).status_code)
    world.app.resources.access.revoke_session(world.people["other"].session_id)
    world.app.resources.access.raise_epoch(world.people["clerk"].id, 1)
    statuses += [(await world.send(routes.build(guarded[0]), who)).status_code for who in ("other", "clerk")]
    assert set(statuses) == {401, 403}
    assert len(statuses) > len(guarded)
    assert counter.count == before


async def test_whoever_is_let_in_costs_what_the_handler_asks(world: World, counter: StatementCounter) -> None:
    owner = world.people["owner"]
    headers = {"Authorization": f"Bearer {owner.access_token}"}
    path = f"/auth/profile/{owner.id}"
    # The first may prepare the statement.
    assert (await world.client.get(path, headers=headers)).status_code == 200
    before = counter.count
    for _ in range(TIMES):
        assert (await world.client.get(path, headers=headers)).status_code == 200
    assert counter.count - before == TIMES
