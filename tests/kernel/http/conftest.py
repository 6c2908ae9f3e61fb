"""A small application of routes that a test declares itself, on the real pipeline."""

import functools
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
from fastapi import FastAPI

from tests.kernel.http.things import Start, answer
from xumi.kernel import log
from xumi.kernel.config import Settings
from xumi.kernel.http.pipeline import Pipeline
from xumi.kernel.http.router import Router, RouteTable
from xumi.kernel.resources import Resources

Serve = Callable[..., Any]


@pytest.fixture(autouse=True)
def all_lines() -> None:
    """Log lines as production writes them, whatever a test before has set."""
    log.configure("INFO", "json")


@pytest.fixture
def serve(tmp_path: Path) -> Serve:
    """`async with serve(router, setting=…) as client:` — the application answers while the block runs."""

    @asynccontextmanager
    async def run(
        router: Router, *, ip: str = "127.0.0.1", **settings: Any
    ) -> AsyncIterator[httpx.AsyncClient]:
        values: dict[str, Any] = {
            "app_env": "test",
            "database_url": f"sqlite:///{tmp_path}/test.db",
            "worker_enabled": False,
            **settings,
        }
        app = Pipeline(Resources(Settings(**values)), RouteTable(router.routes), FastAPI())
        await app.resources.start()
        try:
            transport = httpx.ASGITransport(app, client=(ip, 50_000))
            async with httpx.AsyncClient(transport=transport, base_url="http://test") as client:
                client.app = app  # type: ignore[attr-defined]
                yield client
        finally:
            await app.resources.close()

    return run


@pytest.fixture
def start(database_url: str) -> Start:
    """`async with start(router, setting=…) as client:` — a caller who may do things, on a migrated database."""
    return functools.partial(answer, database_url)
