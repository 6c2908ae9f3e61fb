"""A plain synchronous engine for scripts, on the drivers that there are.

SQLite has a synchronous driver in the standard library. PostgreSQL and MySQL have only their asynchronous ones here: these run
on an event loop in a thread of its own, and every call of SQLAlchemy to the driver waits for that thread.
"""

import asyncio
import functools
import threading
from collections.abc import Callable
from typing import Any

from sqlalchemy import URL, Engine, create_engine
from sqlalchemy.dialects import registry
from sqlalchemy.pool import NullPool, QueuePool
from sqlalchemy.util import greenlet_spawn

from xumi.kernel.db import scope_compiler, sqlite
from xumi.kernel.db.engine import JSON_OPTIONS
from xumi.kernel.db.location import CONNECT_TIMEOUT_SECONDS, parse_url, require_driver

POOL_SIZE = 5


# Threads may ask for the first time at once.
_making = threading.Lock()
_loops: list[asyncio.AbstractEventLoop] = []
_engines: dict[URL, Engine] = {}


def _loop() -> asyncio.AbstractEventLoop:
    with _making:
        if not _loops:
            _loops.append(asyncio.new_event_loop())
            threading.Thread(target=_loops[0].run_forever, name="xumi-database", daemon=True).start()
        return _loops[0]


def _call(function: Callable[..., Any], *arguments: Any, **options: Any) -> Any:
    """Run a function of SQLAlchemy's asynchronous driver on the loop and wait for it."""
    work = greenlet_spawn(function, *arguments, **options)
    return _unwrap(asyncio.run_coroutine_threadsafe(work, _loop()).result())


class _Proxy:
    """A driver object whose methods run on the loop."""

    __slots__ = ("_target",)

    def __init__(self, target: Any) -> None:
        object.__setattr__(self, "_target", target)

    def __getattr__(self, name: str) -> Any:
        value = getattr(self._target, name)
        return functools.partial(_call, value) if callable(value) else value

    def __setattr__(self, name: str, value: Any) -> None:
        setattr(self._target, name, value)


def _unwrap(result: Any) -> Any:
    """Cursors are driver objects as well; everything else is a value."""
    return _Proxy(result) if hasattr(result, "fetchone") else result


class _Bridged:
    """Makes an asynchronous dialect synchronous."""

    is_async = False
    supports_statement_cache = True

    def connect(self, *arguments: Any, **options: Any) -> Any:
        """A new connection, behind a proxy."""
        return _Proxy(_call(super().connect, *arguments, **options))  # type: ignore[misc]

    def on_connect(self) -> Callable[[Any], None] | None:
        """What is set up on a new connection also needs the loop."""
        set_up = super().on_connect()  # type: ignore[misc]
        return None if set_up is None else lambda connection: _call(set_up, connection._target)

    @classmethod
    def get_pool_class(cls, _url: URL) -> type[QueuePool]:
        """A pool for threads."""
        return QueuePool


def __getattr__(name: str) -> Any:
    """The bridged dialects, made when SQLAlchemy asks for one, so that no driver is imported for nothing."""
    if name == "PostgresBridge":
        from sqlalchemy.dialects.postgresql.asyncpg import PGDialect_asyncpg

        return type(name, (_Bridged, PGDialect_asyncpg), {"supports_statement_cache": True})
    if name == "MySQLBridge":
        from sqlalchemy.dialects.mysql.asyncmy import MySQLDialect_asyncmy

        return type(name, (_Bridged, MySQLDialect_asyncmy), {"supports_statement_cache": True})
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")


registry.register("postgresql.bridge", __name__, "PostgresBridge")
registry.register("mysql.bridge", __name__, "MySQLBridge")


def sync_engine(url: URL) -> Engine:
    """The process's synchronous engine for a database.

    Args:
        url: as `Database.url` has it.
    """
    with _making:
        if url not in _engines:
            _engines[url] = _make_engine(url)
            scope_compiler.install(_engines[url])
        return _engines[url]


def _make_engine(url: URL) -> Engine:
    kind = parse_url(url.render_as_string(hide_password=False))[0]
    require_driver(kind)
    options: dict[str, Any] = {"hide_parameters": True, **JSON_OPTIONS}
    if kind == "sqlite":
        options |= {"connect_args": sqlite.CONNECT_ARGUMENTS, "poolclass": NullPool}
        engine = create_engine(url.set(drivername="sqlite"), **options)
        sqlite.install(engine)
        return engine
    options |= {"pool_size": POOL_SIZE, "max_overflow": 0}
    bridged = url.set(drivername=f"{kind}+bridge")
    if kind == "mysql":
        from xumi.kernel.db import mysql

        connect = mysql.Connector(url, CONNECT_TIMEOUT_SECONDS)
        options |= {"pool_pre_ping": True, "isolation_level": "READ COMMITTED"}
        return create_engine(bridged, connect_args={"async_creator_fn": lambda **_: connect()}, **options)
    from xumi.kernel.db import postgresql

    connector = postgresql.Connector(url, CONNECT_TIMEOUT_SECONDS)
    engine = create_engine(bridged, connect_args={"async_creator_fn": lambda **_: connector()}, **options)
    postgresql.install(engine)
    return engine
