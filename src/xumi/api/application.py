"""Puts the application together; `xumi run` calls this."""

import threading
import weakref
from collections.abc import Sequence

import msgspec
from fastapi import FastAPI

from xumi import __version__
from xumi.kernel import log
from xumi.kernel.config import Settings, check_sections, load, use
from xumi.kernel.db.revisions import heads_reached
from xumi.kernel.db.runner import ConnectionRunner
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.http import health
from xumi.kernel.http.openapi import build_document, documentation_router
from xumi.kernel.http.pipeline import Pipeline
from xumi.kernel.http.router import Route, Router, RouteTable
from xumi.kernel.modules import Feature, discover
from xumi.kernel.resources import Resources
from xumi.modules.access.service import synchronise
from xumi.modules.account.service import ensure_first_administrator
from xumi.modules.menu.service import seed as seed_menus


class Application(Pipeline):
    """The ASGI application of one process, with the features it was made of."""

    fastapi: FastAPI

    def __init__(self, settings: Settings, features: Sequence[Feature]) -> None:
        fastapi = FastAPI(title="Xumi", version=__version__, openapi_url=None, docs_url=None, redoc_url=None)
        routes = [route for feature in features for route in feature.routes]
        routes += _own_routes(health.router)
        self._document = b""
        self._documenting = threading.Lock()
        # FastAPI's caches keep every handler that they have seen: none of them may hold the application.
        myself = weakref.ref(self)

        def build() -> bytes:
            application = myself()
            assert application is not None
            return application._build_document()

        if settings.docs_enabled:
            routes += _own_routes(documentation_router(build))
        fastapi.router.routes[:] = routes
        super().__init__(Resources(settings, features), RouteTable(routes), fastapi)

    def _build_document(self) -> bytes:
        with self._documenting:
            if not self._document:
                made = build_document(self.fastapi, self.table, self.resources.envelope)
                self._document = msgspec.json.encode(made)
        return self._document


def _own_routes(router: Router) -> list[Route]:
    routes = router.routes
    for route in routes:
        route.feature = "kernel"
    return routes


def create_app(settings: Settings | None = None) -> Application:
    """The application by this configuration, or by that of the environment and the working directory.

    Raises:
        StartError: the configuration, a feature or a route forbids a start; the message says what to do.
    """
    if settings is None:
        settings = load().settings
        use(settings)
    log.configure(settings.log_level, settings.log_format)
    features = discover(settings.modules)
    check_sections(settings)
    return Application(settings, features)


async def prepare(app: Application) -> tuple[str, str | None] | None:
    """Bring the database to head, tell it the permissions and menus, and see to it that there is an administrator.

    Returns:
        The first administrator's name and, where it was made up just now, his password; None where there was one already.
    """
    resources = app.resources
    engine = resources.database.engine
    try:
        async with engine.connect() as connection:
            at_head = await heads_reached(ConnectionRunner(connection))
        if not at_head:
            # Alembic takes a tenth of a second to import: only a database that lacks something pays for it.
            from xumi.kernel.db import migrate

            await migrate.upgrade(resources.settings.database_url)
        await resources.database.start()
        with resources.context("prepare"):
            await synchronise(resources.features)
            async with unit_of_work() as work:
                await seed_menus(work.session, resources.features)
                return await ensure_first_administrator(work.session, resources.settings)
    finally:
        # Only sessions were used. The readers stay as they are: this process is going to serve with them.
        await engine.dispose()
