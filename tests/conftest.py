"""Fixtures that every test may use: a database of its own, the application on it, clients that are signed in, a real server.

    async def test_list(admin: httpx.AsyncClient) -> None:
        response = await admin.get("/api/v1/users")

runs twice, on SQLite and on PostgreSQL, each time with a migrated database that nobody else sees. A test or a folder that
needs other settings overrides the fixture `settings`; one that shall run on MariaDB too says
`@pytest.mark.databases("sqlite", "postgresql", "mariadb")`. A module says so for all its tests by `pytestmark`, and a test's own mark
comes first.
"""

import asyncio
import shutil
from collections.abc import AsyncIterator, Iterator
from pathlib import Path

import httpx
import pytest

from xumi.api import Application, create_app, prepare
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.mariadb import MISSING, MariadbServer
from xumi.kernel.testing.postgres import PostgresServer
from xumi.kernel.testing.server import RunningServer, run_server

pytest_plugins = ["pytester", "xumi.kernel.testing.guards", "tests.time_limit"]

PASSWORD = "correct horse battery staple"
TEMPLATE = "xumi_template"


@pytest.hookimpl(tryfirst=True)
def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    """Run a test on the databases that its nearest mark names."""
    mark = metafunc.definition.get_closest_marker("databases")
    if mark is not None and "database_url" in metafunc.fixturenames:
        # Not `metafunc.parametrize`: only to such a mark do the kinds of the fixture itself give way.
        metafunc.definition.add_marker(pytest.mark.parametrize("database_url", mark.args, indirect=True))


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Tests that are coroutines run on asyncio, whose sockets the guards see."""
    return "asyncio"


def make_settings(database_url: str, **values: object) -> Settings:
    """Settings of an application under test; nothing is read from the environment or from files."""
    known = {
        "app_env": "test",
        "database_url": database_url,
        "initial_admin_password": PASSWORD,
        "worker_enabled": False,
        "captcha_after_failures": 0,
    }
    return Settings.model_validate(known | values)


def migrate(database_url: str) -> None:
    """Bring an empty database to head, with the administrator `admin`."""
    asyncio.run(prepare(create_app(make_settings(database_url))))


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A migrated SQLite database to copy."""
    path = tmp_path_factory.mktemp("template") / "xumi.db"
    migrate(f"sqlite:///{path}")
    return path


@pytest.fixture(scope="session")
def postgresql() -> Iterator[PostgresServer]:
    """A PostgreSQL that the tests of this process share."""
    with PostgresServer() as server:
        yield server


@pytest.fixture(scope="session")
def mariadb() -> Iterator[MariadbServer]:
    """A MariaDB that the tests of this process share."""
    if not MariadbServer.installed():
        pytest.skip(MISSING)
    with MariadbServer() as server:
        yield server


@pytest.fixture(scope="session")
def postgresql_template(postgresql: PostgresServer) -> str:
    """The name of a migrated PostgreSQL database to copy."""
    migrate(postgresql.create_database(TEMPLATE))
    return TEMPLATE


@pytest.fixture
def sqlite_url(sqlite_template: Path, tmp_path: Path) -> str:
    """A migrated SQLite database of this test's own."""
    path = tmp_path / "xumi.db"
    shutil.copy(sqlite_template, path)
    return f"sqlite:///{path}"


@pytest.fixture
def postgresql_url(postgresql: PostgresServer, postgresql_template: str) -> str:
    """A migrated PostgreSQL database of this test's own."""
    # Always the same name: the one before is dropped, so that a long run does not fill the disk.
    return postgresql.create_database("test", template=postgresql_template)


@pytest.fixture
def mariadb_url(mariadb: MariadbServer) -> str:
    """A migrated MariaDB database of this test's own."""
    url = mariadb.create_database("test")
    migrate(url)
    return url


@pytest.fixture(params=["sqlite", "postgresql"])
def database_url(request: pytest.FixtureRequest) -> str:
    """A migrated database of this test's own; the test runs once on each kind."""
    url: str = request.getfixturevalue(f"{request.param}_url")
    return url


@pytest.fixture
def settings(database_url: str) -> Settings:
    """The settings of the application under test."""
    return make_settings(database_url)


@pytest.fixture
async def app(settings: Settings) -> AsyncIterator[Application]:
    """The whole application, started."""
    application = create_app(settings)
    async with running(application):
        yield application


@pytest.fixture
async def client(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """Nobody: a client that is not signed in."""
    async with open_client(app) as anonymous:
        yield anonymous


@pytest.fixture
async def admin(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """The administrator `admin`, signed in."""
    async with open_client(app) as signed_in:
        await sign_in(signed_in, "admin")
        yield signed_in


@pytest.fixture
async def user(app: Application) -> AsyncIterator[httpx.AsyncClient]:
    """A user `somebody` with the role that everyone has, signed in."""
    async with open_client(app) as signed_in:
        body = {"username": "somebody", "email": "somebody@example.com", "password": PASSWORD}
        assert (await signed_in.post("/auth/register", json=body)).status_code == 201
        await sign_in(signed_in, "somebody")
        yield signed_in


async def sign_in(client: httpx.AsyncClient, username: str, password: str = PASSWORD) -> None:
    """Sign a client in; its further requests carry the access token."""
    response = await client.post("/auth/login", json={"username": username, "password": password})
    assert response.status_code == 200, response.text
    client.headers["Authorization"] = f"Bearer {response.json()['data']['access_token']}"


@pytest.fixture
def server(tmp_path: Path, sqlite_url: str) -> Iterator[RunningServer]:
    """`xumi run` as a process, on SQLite, in a directory of its own."""
    with run_server(tmp_path, environment={"DATABASE_URL": sqlite_url}) as started:
        yield started
