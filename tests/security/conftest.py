"""The world that the attacks on all routes begin in."""

import httpx
import pytest

from tests.conftest import make_settings
from tests.modules.account.conftest import SIGNING_KEY
from tests.modules.account.conftest import cheap_passwords as cheap_passwords
from tests.security.calls import Routes
from tests.security.world import World, make_world
from xumi.api import Application
from xumi.kernel.config import Settings
from xumi.kernel.resources import Resources


def pytest_addoption(parser: pytest.Parser) -> None:
    """Only known where tests/security is named on the command line."""
    parser.addoption(
        "--write-matrix", action="store_true", help="write tests/security/access_matrix.txt anew"
    )


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Access does not depend on the database: one kind is enough, where a test does not ask for both."""
    return sqlite_url


@pytest.fixture
def settings(database_url: str, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Many requests come from one address, and nothing happens but by them."""
    monkeypatch.setattr(Resources, "background", lambda *_: None)
    return make_settings(
        database_url, rate_limit_enabled=False, jwt_secret_key=f"k1:{SIGNING_KEY}", log_level="CRITICAL"
    )


@pytest.fixture
async def world(app: Application, client: httpx.AsyncClient) -> World:
    """People who have signed in."""
    return await make_world(app, client)


@pytest.fixture
async def routes(world: World) -> Routes:
    """All routes, with an object of the owner's for each id that they take."""
    found = Routes(world)
    await found.make_objects()
    world.keep()
    return found
