"""What a running process holds: settings, database, keys, counters. Opened at start, closed in reverse order."""

from __future__ import annotations

import asyncio
import importlib
import os
from collections.abc import Callable, Coroutine, Iterator, Sequence
from contextlib import AsyncExitStack, contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from xumi.kernel.auth.apikey import ApiKeys
from xumi.kernel.auth.decision import DecisionPoint
from xumi.kernel.auth.permission import Access
from xumi.kernel.auth.scope import Scopes
from xumi.kernel.auth.token import TokenIssuer
from xumi.kernel.cache import Cache
from xumi.kernel.cache_engine import MemoryEngine
from xumi.kernel.context import Context, enter
from xumi.kernel.copies import Copies
from xumi.kernel.db.engine import Database
from xumi.kernel.db.notify import Notifier
from xumi.kernel.errors import StartError
from xumi.kernel.http.envelope import Envelope
from xumi.kernel.ids import generate_key
from xumi.kernel.log import logger
from xumi.kernel.ratelimit import RUNTIME_DIRECTORY, RateLimiter
from xumi.kernel.worker import Chore, Worker

if TYPE_CHECKING:
    from xumi.kernel.config import Settings
    from xumi.kernel.modules import Feature


class Resources:
    """One process's database, keys, permissions and counters.

    Args:
        settings: the configuration.
        features: the modules that are loaded; each may hold something of its own while the process runs (`lifespan`).
    """

    def __init__(self, settings: Settings, features: Sequence[Feature] = ()) -> None:
        self.settings = settings
        self.features = tuple(features)
        self.draining = False
        self.database = Database(
            settings.database_url,
            read_url=settings.database_read_url,
            pool_size=settings.database_pool_size,
        )
        self.notifier = Notifier(self.database)
        self.tokens = TokenIssuer(settings)
        self.access = Access(settings.access_token_seconds)
        self.decisions = DecisionPoint(settings) if settings.authz_url else None
        self.api_keys = ApiKeys(self.access)
        self.copies = Copies(hurry=self.api_keys.outdated)
        self.scopes = Scopes()
        self.envelope = _load_envelope(settings.api_envelope)
        runtime = os.environ.get(RUNTIME_DIRECTORY)
        self.limiter = RateLimiter(settings.rate_limit_storage_uri, Path(runtime) if runtime else None)
        self.cache = Cache(MemoryEngine(settings.cache_max_bytes))
        self._stack = AsyncExitStack()
        self._tasks: set[asyncio.Task[None]] = set()

    async def start(self) -> None:
        """Open everything.

        Raises:
            Exception: whatever keeps a part from opening; call `close` then.
        """
        self._stack.callback(self.limiter.close)
        await self.database.start()
        self._stack.push_async_callback(self.database.close)
        self._stack.push_async_callback(self.notifier.close)
        self._stack.push_async_callback(self._stop_tasks)
        if self.decisions is not None:
            self._stack.push_async_callback(self.decisions.close)
            await self.decisions.start()
        self.access.replace_roles(self.declared_grants())
        for feature in self.features:
            if feature.module.lifespan is not None:
                with self.context(f"start {feature.name}"):
                    await self._stack.enter_async_context(feature.module.lifespan(self))
        if len(self.copies) > 0:
            self.background(self.copies.run, "copies of the database")
        if self.settings.worker_enabled:
            worker = Worker(self, chores(self))
            self._stack.push_async_callback(worker.stop)
            worker.start()

    async def close(self) -> None:
        """Close everything, the last opened first."""
        await self._stack.aclose()

    def declared_grants(self) -> dict[str, frozenset[str]]:
        """The permissions that the features give to each role from the start."""
        roles: dict[str, set[str]] = {}
        for feature in self.features:
            for role, permissions in feature.module.grants.items():
                roles.setdefault(role, set()).update(permissions)
        return {role: frozenset(permissions) for role, permissions in roles.items()}

    @contextmanager
    def context(self, name: str) -> Iterator[Context]:
        """Run a block as a command or a job of this name."""
        with enter(Context(self, generate_key(), route=name)) as context:
            yield context

    def background(self, function: Callable[[], Coroutine[Any, Any, None]], name: str) -> None:
        """Run a coroutine function beside the requests until the process stops; should it fail, the log tells."""

        async def run() -> None:
            with self.context(name):
                try:
                    await function()
                except Exception as error:
                    logger.exception("background task failed", task=name, error=error)

        task = asyncio.create_task(run(), name=name)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    async def _stop_tasks(self) -> None:
        tasks = list(self._tasks)
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)


def chores(resources: Resources) -> list[Chore]:
    """What a worker of this process does."""
    from xumi.kernel.events.relay import Relay
    from xumi.kernel.jobs.runner import JobRunner
    from xumi.kernel.jobs.scheduler import Scheduler

    return [Relay(resources), JobRunner(resources), Scheduler(resources)]


def _load_envelope(path: str) -> Envelope:
    module_name, _, class_name = path.partition(":")
    try:
        envelope = getattr(importlib.import_module(module_name), class_name)
    except (ImportError, AttributeError, ValueError) as error:
        raise StartError(
            f"API_ENVELOPE is {path!r}, which cannot be imported ({error}): write it as package.module:ClassName."
        ) from error
    if not (isinstance(envelope, type) and issubclass(envelope, Envelope)):
        raise StartError(f"API_ENVELOPE is {path!r}: it must be a subclass of xumi.kernel.http.Envelope.")
    return envelope()
