"""The world that the attacks on all routes begin in."""

from collections.abc import AsyncIterator, Iterator

import httpx
import pytest

from tests.conftest import make_settings
from tests.modules.account.conftest import SIGNING_KEY
from tests.modules.account.conftest import cheap_passwords as cheap_passwords
from tests.modules.oidc.conftest import configured
from tests.modules.oidc.provider import SimulatedProvider, run_provider
from tests.modules.organization.deal import DealBase, make_app
from tests.security.calls import Routes
from tests.security.world import World, make_world
from xumi.api import Application
from xumi.kernel.config import Settings
from xumi.kernel.resources import Resources
from xumi.kernel.testing.client import running
from xumi.modules.oidc.settings import OidcSettings


def pytest_addoption(parser: pytest.Parser) -> None:
    """Only known where tests/security is named on the command line."""
    parser.addoption(
        "--write-matrix", action="store_true", help="write tests/security/access_matrix.txt anew"
    )


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """Access does not depend on the database: one kind is enough, where a test does not ask for both."""
    return sqlite_url


@pytest.fixture(scope="session")
def running_provider() -> Iterator[SimulatedProvider]:
    """Keys take long to make."""
    with run_provider() as started:
        yield started


@pytest.fixture
def provider(running_provider: SimulatedProvider) -> SimulatedProvider:
    """The OpenID provider `acme`."""
    running_provider.forget()
    return running_provider


@pytest.fixture
def settings(database_url: str, provider: SimulatedProvider, monkeypatch: pytest.MonkeyPatch) -> Settings:
    """Many requests come from one address, and nothing happens but by them: letters are written and not sent."""
    monkeypatch.setattr(Resources, "background", lambda *_: None)
    settings = make_settings(
        database_url,
        rate_limit_enabled=False,
        jwt_secret_key=f"k1:{SIGNING_KEY}",
        log_level="CRITICAL",
        mail_url="smtp://127.0.0.1:9?tls=none",
        public_url="http://test",
    )
    settings._sections[OidcSettings] = OidcSettings(providers={"acme": configured(provider)})
    return settings


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Application]:
    """The application with a feature whose rows are under a data scope: no feature of its own is."""
    application = make_app(settings)
    async with running(application):
        async with application.resources.database.engine.begin() as connection:
            await connection.run_sync(DealBase.metadata.create_all)
        yield application


@pytest.fixture
async def world(
    app: Application, client: httpx.AsyncClient, provider: SimulatedProvider
) -> AsyncIterator[World]:
    """People who have signed in."""
    made = await make_world(app, client, provider)
    yield made
    made.close()


@pytest.fixture
async def routes(world: World) -> Routes:
    """All routes, with an object of the owner's for each id that they take."""
    found = Routes(world)
    await found.make_objects()
    world.keep()
    return found
