"""`xumi doctor`: what keeps this installation from running well, and how to mend it."""

import asyncio
import http.client
import shutil
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal, NamedTuple

import typer

if TYPE_CHECKING:
    from xumi.kernel.config import Settings
    from xumi.kernel.db.engine import Database

_LEAST_FREE_BYTES = 200 * 1024**2
_ENOUGH_FREE_BYTES = 1024**3


class Finding(NamedTuple):
    """The result of one check; `mend` says what to do where it is not `ok`."""

    state: Literal["ok", "warning", "failure"]
    check: str
    text: str
    mend: str = ""


def doctor() -> None:
    """Check configuration, features, secrets, database, migrations, port and disk; exit code 1 if one of them fails."""
    failed = False
    for finding in examine():
        mark = {"ok": "ok      ", "warning": "warning ", "failure": "FAILURE "}[finding.state]
        lines = finding.text.split("\n")
        print(f"{mark}{finding.check}: {lines[0]}", *lines[1:], sep="\n")
        if finding.mend:
            print(f"        → {finding.mend}")
        failed = failed or finding.state == "failure"
    if failed:
        raise typer.Exit(1)


def examine() -> Iterator[Finding]:
    """All findings, one after the other; without a configuration there is nothing else to check."""
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.errors import StartError

    try:
        settings = settings_in_force()
    except StartError as error:
        yield Finding("failure", "configuration", str(error), "correct the settings named above")
        return
    yield Finding("ok", "configuration", f"{settings.app_env}, {', '.join(_files()) or 'no files'}")
    yield from check_secrets(settings)
    yield check_features(settings)
    yield from asyncio.run(check_database(settings))
    yield check_port(settings)
    yield check_disk(Path.cwd())


def _files() -> list[str]:
    from xumi.kernel.config.sources import ENV_FILES, YAML_FILE

    return [name for name in (*ENV_FILES, YAML_FILE) if Path(name).is_file()]


def check_secrets(settings: "Settings") -> Iterator[Finding]:
    """Weak secrets: production has refused them before; elsewhere they are a warning."""
    from xumi.kernel.config import key_ring, secret_weakness

    for name in ("SECRET_KEY", "JWT_SECRET_KEY"):
        value = getattr(settings, name.lower())
        weak = [reason for key in key_ring(value) if (reason := secret_weakness(key.secret))]
        if weak:
            mend = f"fine for development; before production set {name} to 32 or more random characters"
            yield Finding("warning", "secrets", f"{name} {weak[0]}", mend)
        else:
            yield Finding("ok", "secrets", f"{name} is strong")


def check_features(settings: "Settings") -> Finding:
    """Whether the application can be put together, and every route be answered as it is declared."""
    from xumi.api import create_app
    from xumi.kernel.errors import StartError

    try:
        app = create_app(settings)
        app.check()
    except StartError as error:
        return Finding("failure", "features", str(error), "correct what is named above")
    routes = app.table.routes
    features = {route.feature for route in routes}
    return Finding("ok", "features", f"{', '.join(sorted(features))}: {len(routes)} routes")


async def check_database(settings: "Settings") -> list[Finding]:
    """Whether the database answers and has all migrations."""
    from xumi.kernel.db.engine import Database
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.errors import StartError

    try:
        database = Database(settings.database_url, read_url=settings.database_read_url)
    except (StartError, OSError) as error:
        named = "DATABASE_READ_URL" if "DATABASE_READ_URL" in str(error) else "DATABASE_URL"
        return [Finding("failure", "database", str(error), f"correct {named}")]
    try:
        if not await database.ping():
            mend = "start it, or correct DATABASE_URL; `xumi config show` tells where that comes from"
            return [Finding("failure", "database", f"{database.url} does not answer", mend)]
        at_head = await heads_reached(database.read.runner)
        migrations = (
            Finding("ok", "migrations", "at head")
            if at_head
            else Finding("failure", "migrations", "some have not been applied", "run `xumi db upgrade`")
        )
        return [
            Finding("ok", "database", f"{database.url} answers"),
            migrations,
            *await _check_replica(database),
        ]
    finally:
        await database.close()


async def _check_replica(database: "Database") -> list[Finding]:
    if database.replica is None:
        return []
    if await database.ping_replica():
        return [Finding("ok", "replica", "DATABASE_READ_URL answers")]
    mend = "start it, or correct DATABASE_READ_URL; without it all reads go to DATABASE_URL"
    return [Finding("failure", "replica", "DATABASE_READ_URL does not answer", mend)]


def check_port(settings: "Settings") -> Finding:
    """Whether the server could listen."""
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    where = f"{settings.host}:{settings.port}"
    try:
        with socket.create_server((settings.host, settings.port), family=family):
            return Finding("ok", "port", f"{where} is free")
    except OSError as error:
        if _serves_here(settings):
            return Finding("ok", "port", f"{where} is served already")
        mend = "stop what uses it, or choose another with PORT or --port"
        return Finding("failure", "port", f"{where} cannot be listened on: {error.strerror}", mend)


def _serves_here(settings: "Settings") -> bool:
    """Whether it is a Xumi that listens there."""
    host = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(settings.host, settings.host)
    connection = http.client.HTTPConnection(host, settings.port, timeout=2)
    try:
        connection.request("GET", "/health")
        response = connection.getresponse()
        return response.status == 200 and response.getheader("X-Request-ID") is not None
    except (OSError, http.client.HTTPException):
        return False
    finally:
        connection.close()


def check_disk(directory: Path) -> Finding:
    """Whether there is room for the data."""
    free = shutil.disk_usage(directory).free
    text = f"{free / 1024**3:.1f} GiB free in {directory}"
    if free >= _ENOUGH_FREE_BYTES:
        return Finding("ok", "disk", text)
    state: Literal["warning", "failure"] = "warning" if free >= _LEAST_FREE_BYTES else "failure"
    return Finding(state, "disk", text, "make room: databases stop and may be damaged on a full disk")
