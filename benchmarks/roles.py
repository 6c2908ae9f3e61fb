"""How long reading all roles takes, and a permission check, on both databases.

python -m benchmarks.roles          5,000 permissions and 200 roles, with 20,000 and 50,000 grants, half a minute
"""

from __future__ import annotations

import asyncio
import random
import tempfile
import time
from pathlib import Path
from typing import Any

from sqlalchemy import delete, insert

from xumi.api import create_app, prepare
from xumi.kernel.auth.permission import Access
from xumi.kernel.auth.token import Claims
from xumi.kernel.config import Settings
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.kernel.resources import Resources
from xumi.kernel.testing.postgres import PostgresServer
from xumi.modules.access.models import AccessPermission, Role, RoleInclude, RolePermission
from xumi.modules.access.service import read_roles

PERMISSIONS, ROLES = 5_000, 200
GRANTS_OF_A_ROLE = (100, 250)
ROUNDS = 5
CHECKS = 1_000_000
_CHUNK = 5_000


def permission(number: int) -> str:
    return f"feature-{number // 20}:action-{number % 20}"


async def add(model: Any, rows: list[dict[str, Any]]) -> None:
    async with unit_of_work() as work:
        for start in range(0, len(rows), _CHUNK):
            await work.session.execute(insert(model), rows[start : start + _CHUNK])


async def fill(grants: int) -> None:
    """Give each role this many permissions, and have it include another one."""
    dice = random.Random(1)
    async with unit_of_work() as work:
        await work.session.execute(delete(RolePermission))
    for number in range(ROLES):
        chosen = dice.sample(range(PERMISSIONS), grants)
        rows = [{"id": generate_key(), "role": f"role-{number}", "permission": permission(n)} for n in chosen]
        await add(RolePermission, rows)


async def measure(resources: Resources) -> None:
    titles = {"title_en": "x", "title_zh": "x"}
    with resources.context("benchmark"):
        await add(
            AccessPermission,
            [
                {"id": generate_key(), "code": permission(n), "feature": "x", "vanished_at": None, **titles}
                for n in range(PERMISSIONS)
            ],
        )
        await add(Role, [{"code": f"role-{n}", "enabled": True, **titles} for n in range(ROLES)])
        includes = [{"role": f"role-{n}", "included": f"role-{n - 1}"} for n in range(1, ROLES) if n % 4]
        await add(RoleInclude, includes)
        for grants in GRANTS_OF_A_ROLE:
            await fill(grants)
            seconds = []
            for _ in range(ROUNDS):
                start = time.perf_counter()
                roles = await read_roles()
                resources.access.replace_roles(roles.granted, roles.included, roles.second_factor)
                seconds.append(time.perf_counter() - start)
            milliseconds = sorted(each * 1000 for each in seconds)[ROUNDS // 2]
            print(f"  {ROLES * grants:>9,} grants: {milliseconds:.0f} ms to read all roles")


def check_time() -> float:
    """Microseconds of one check of a permission that the caller does not hold, which looks twice."""
    access = Access(900)
    access.replace_roles({"clerk": {permission(n) for n in range(PERMISSIONS)}})
    caller = access.check(Claims("access", "U", "S", ("clerk",), 0, 0, 0))
    start = time.perf_counter()
    for _ in range(CHECKS):
        access.allows(caller, "thing:do")
    return (time.perf_counter() - start) / CHECKS * 1e6


def run(name: str, url: str) -> None:
    settings = Settings(app_env="test", database_url=url, initial_admin_password="correct horse battery")  # type: ignore[arg-type]
    app = create_app(settings)
    asyncio.run(prepare(app))
    print(name)

    async def go() -> None:
        try:
            await measure(app.resources)
        finally:
            await app.resources.database.close()

    asyncio.run(go())


def main() -> None:
    """Print the figures."""
    with tempfile.TemporaryDirectory() as directory:
        run("SQLite", f"sqlite:///{Path(directory)}/roles.db")
        with PostgresServer() as server:
            run("PostgreSQL", server.create_database("roles"))
    print(f"permission check: {check_time():.2f} µs")


if __name__ == "__main__":
    main()
