"""The process that `crash_sweep` kills: `python -m xumi.kernel.testing.crash_points run …` is `xumi run …` that counts where it is.

Points are before each statement that changes something, after each that leaves no transaction open (COMMIT above all), and before
and after each piece of a response. (Statements that only read or open something are passed over: a death before one of them leaves
behind what a death before the next point does.) Only what is done for a request with the header `FLOW_HEADER`, or by a task that
`TASKS` names, is counted. The server kills itself at point 1; when it is told to go on it starts anew, and kills itself at point 2.

Nothing of this is in a process that is started in another way: it replaces methods of the drivers here, before the application is
imported, and refuses to where APP_ENV is not `test`.
"""

import contextvars
import functools
import importlib
import importlib.util
import itertools
import json
import os
import re
import runpy
import signal
import sqlite3
import sys
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

TASKS = "XUMI_TEST_CRASH_TASKS"
"""Environment variable: names of commands, jobs or chores, joined by commas, whose points count too after the first flow's request."""
EVERY = "XUMI_TEST_CRASH_EVERY"
"""Environment variable: the server kills itself at point 1, and then at every so manieth; by default at each."""
FLOW_HEADER = "x-xumi-test-flow"
COUNT_PATH = "/xumi-test-points"
"""Answers with the number of points that were passed, when no request of the flow is in progress."""
ANNOUNCEMENT = "killed at point"
GO_ON = signal.SIGUSR1

_PASSED_OVER = re.compile(
    r"\s*(?:SELECT|BEGIN|START|SAVEPOINT|RELEASE|ROLLBACK|PRAGMA|SHOW|SET|LISTEN|UNLISTEN)\b", re.I
)
_LONGEST_NAME = 80
_QUIET_SECONDS = 0.2

_in_flow: contextvars.ContextVar[bool] = contextvars.ContextVar("xumi_test_flow", default=False)


class Points:
    """Counts points, and ends the process at one of them.

    Args:
        crash_at: its number, from 1.
        tasks: names of background work that counts.
    """

    def __init__(self, crash_at: int, tasks: frozenset[str]) -> None:
        self.passed = 0
        self.armed = False
        self._crash_at = crash_at
        self.tasks = tasks

    def reach(self, name: str) -> None:
        """We are at a point; does not return from the one where the process ends."""
        if not (_in_flow.get() or self._is_of_task()):
            return
        self.passed += 1
        if self.passed == self._crash_at:
            os.write(2, f"\n{ANNOUNCEMENT} {self.passed}: {name}\n".encode())
            os.kill(os.getpid(), signal.SIGKILL)

    def _is_of_task(self) -> bool:
        if not (self.armed and self.tasks):
            return False
        from xumi.kernel.context import find_current

        context = find_current()
        return context is not None and context.route in self.tasks

    def before(self, sql: str) -> None:
        """A statement is about to be sent."""
        if not _PASSED_OVER.match(sql):
            self.reach(f"before {_shorten(sql)}")

    def after(self, sql: str, in_transaction: bool) -> None:
        """A statement has been answered."""
        if not in_transaction and not _PASSED_OVER.match(sql):
            self.reach(f"after {_shorten(sql)}")


def _shorten(sql: str) -> str:
    return " ".join(sql.split()).rstrip(";")[:_LONGEST_NAME]


def watch_sqlite(points: Points) -> None:
    """Have every connection of `sqlite3` tell its statements, also where the work is handed to a thread."""

    class Cursor(sqlite3.Cursor):
        def _tell(self, run: Callable[..., Any], sql: str, *arguments: Any) -> Any:
            points.before(sql)
            result = run(sql, *arguments)
            points.after(sql, self.connection.in_transaction)
            return result

        def execute(self, sql: str, *arguments: Any) -> Any:
            return self._tell(super().execute, sql, *arguments)

        def executemany(self, sql: str, *arguments: Any) -> Any:
            return self._tell(super().executemany, sql, *arguments)

    class Connection(sqlite3.Connection):
        def cursor(self, factory: Any = Cursor) -> Any:
            return super().cursor(factory)

        # The standard library's own does not go by way of `cursor`.
        def execute(self, sql: str, *arguments: Any) -> Any:
            return self.cursor().execute(sql, *arguments)

        def executemany(self, sql: str, *arguments: Any) -> Any:
            return self.cursor().executemany(sql, *arguments)

        def commit(self) -> None:
            if self.in_transaction:
                points.before("COMMIT")
                super().commit()
                points.after("COMMIT", False)

    sqlite3.connect = functools.partial(sqlite3.connect, factory=Connection)  # type: ignore[assignment]
    _take_context_along()


def _take_context_along() -> None:
    """A thread does not know for which request it works unless it is told."""
    import aiosqlite

    from xumi.kernel.db import sqlite

    connection: Any = aiosqlite.Connection
    job: Any = sqlite._Job
    execute, make_job = connection._execute, job.__init__

    @functools.wraps(execute)
    async def execute_in_context(self: Any, fn: Any, *arguments: Any, **options: Any) -> Any:
        return await execute(
            self, functools.partial(contextvars.copy_context().run, fn), *arguments, **options
        )

    @functools.wraps(make_job)
    def make_job_in_context(self: Any, work: Any) -> None:
        make_job(self, functools.partial(contextvars.copy_context().run, work))

    connection._execute = execute_in_context
    job.__init__ = make_job_in_context


def watch_postgresql(points: Points) -> None:
    """Have asyncpg's protocol tell what it sends."""
    from asyncpg.protocol.protocol import Protocol

    def tell(name: str) -> None:
        send = getattr(Protocol, name)

        @functools.wraps(send)
        async def send_told(self: Any, *arguments: Any, **options: Any) -> Any:
            # The text itself, or a prepared statement that has it.
            statement = arguments[0] if arguments else options["state"]
            sql = getattr(statement, "query", statement)
            points.before(sql)
            result = await send(self, *arguments, **options)
            points.after(sql, self.is_in_transaction())
            return result

        setattr(Protocol, name, send_told)

    for name in ("query", "bind_execute", "bind_execute_many"):
        tell(name)


Message = MutableMapping[str, Any]
Send = Callable[[Message], Awaitable[None]]


def watch_http(points: Points) -> None:
    """Have the pipeline tell what it answers to requests of the flow, and let it say how many points there were."""
    import asyncio

    from xumi.kernel.http.pipeline import Pipeline

    serve = Pipeline.__call__
    in_progress = 0

    async def answer_count(send: Send) -> None:
        seen = -1
        while in_progress or (points.tasks and seen != points.passed):
            # Nobody tells when background work has ended: no point within this time is taken for its end.
            seen = points.passed
            await asyncio.sleep(_QUIET_SECONDS if points.tasks else 0.001)
        body = json.dumps(points.passed).encode()
        await send(
            {
                "type": "http.response.start",
                "status": 200,
                "headers": [(b"content-length", b"%d" % len(body))],
            }
        )
        await send({"type": "http.response.body", "body": body})

    async def serve_flow(self: Pipeline, scope: Message, receive: Any, send: Send) -> None:
        async def tell(message: Message) -> None:
            name = message["type"].removeprefix("http.")
            points.reach(f"before {name}")
            await send(message)
            points.reach(f"after {name}")

        nonlocal in_progress
        in_progress += 1
        points.armed = True
        token = _in_flow.set(True)
        try:
            await serve(self, scope, receive, tell)
        finally:
            _in_flow.reset(token)
            in_progress -= 1

    @functools.wraps(serve)
    async def choose(self: Pipeline, scope: Message, receive: Any, send: Send) -> None:
        if scope["type"] != "http":
            await serve(self, scope, receive, send)
        elif scope["path"] == COUNT_PATH:
            await answer_count(send)
        elif any(name == FLOW_HEADER.encode() for name, _ in scope["headers"]):
            await serve_flow(self, scope, receive, send)
        else:
            await serve(self, scope, receive, send)

    Pipeline.__call__ = choose  # type: ignore[method-assign]


def count(crash_at: int) -> None:
    """Begin to count in this process, before the application exists."""
    points = Points(crash_at, frozenset(filter(None, os.environ.get(TASKS, "").split(","))))
    watch_sqlite(points)
    if importlib.util.find_spec("asyncpg") is not None:
        watch_postgresql(points)
    watch_http(points)


def main() -> None:
    """Run the command `xumi` with this process's arguments in a child, and after a kill and the signal `GO_ON` again, with the next point."""
    if os.environ.get("APP_ENV") != "test":
        sys.exit("crash points are for tests: set APP_ENV=test")
    # What takes longest at a start is done once. Nothing has been opened and no thread started: a child is as good as a new process.
    for module in ("xumi.cli", "xumi.api", "xumi.kernel.http.server"):
        importlib.import_module(module)
    signal.pthread_sigmask(signal.SIG_BLOCK, {GO_ON})
    for crash_at in itertools.count(1, int(os.environ.get(EVERY, "1"))):
        child = os.fork()
        if child == 0:
            count(crash_at)
            runpy.run_module("xumi.cli", run_name="__main__", alter_sys=True)
            return
        _, status = os.waitpid(child, 0)
        if os.waitstatus_to_exitcode(status) != -signal.SIGKILL:
            sys.exit(f"the server ended by itself, with {os.waitstatus_to_exitcode(status)}")
        signal.sigwait({GO_ON})


if __name__ == "__main__":
    main()
