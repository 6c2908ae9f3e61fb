"""What `GET /api/v1/menus/mine` costs with 500 items and 1,000 grants: milliseconds of CPU of this process, on both databases.

python -m benchmarks.menus        about 20 seconds

A request goes through the whole application but the socket. `cold` reads the database, as the first request after a change
does; `warm` finds the items in the process; `unchanged` is warm and answered by 304.
"""

import asyncio
import os
import statistics
import tempfile
import time
from functools import partial
from pathlib import Path

import httpx

from xumi.api import create_app, prepare
from xumi.kernel import log
from xumi.kernel.config import Settings
from xumi.kernel.testing.client import open_client, running
from xumi.kernel.testing.postgres import PostgresServer

ROUNDS, WARM = 40, 10
PASSWORD = "correct horse battery staple"
MENUS = "/api/v1/menus"


def document(number: int) -> dict[str, object]:
    """A directory with 7 pages, each with 6 buttons: 50 items."""
    titles = {"title_en": "A page of the console", "title_zh": "控制台页面"}
    code = f"area{number}"
    pages = [
        {
            "kind": "page",
            "code": f"{code}.page{page}",
            **titles,
            "path": f"/{code}/{page}",
            "component": f"{code}/index",
            "permission": "menu:mine",
            "children": [
                {
                    "kind": "element",
                    "code": f"{code}.page{page}.button{button}",
                    **titles,
                    "permission": "menu:mine",
                }
                for button in range(6)
            ],
        }
        for page in range(7)
    ]
    return {"kind": "directory", "code": code, **titles, "path": f"/{code}", "children": pages}


async def fill(client: httpx.AsyncClient) -> None:
    """500 items, each granted to two roles, and nothing else."""
    for item in (await client.get(f"{MENUS}/tree")).json()["data"]:
        await client.delete(f"{MENUS}/{item['id']}", params={"with_children": True})
    for number in range(10):
        (await client.post(MENUS, json=document(number))).raise_for_status()
    ids, waiting = [], (await client.get(f"{MENUS}/tree")).json()["data"]
    for item in waiting:
        ids.append(item["id"])
        waiting += item["children"]
    assert len(ids) == 500
    for role in ("user", "clerk"):
        (await client.put(f"/api/v1/roles/{role}/menus", json={"menu_ids": ids})).raise_for_status()


async def cost(client: httpx.AsyncClient, times: int, **headers: str) -> float:
    """Milliseconds of CPU for a request, the client's part included."""
    before = time.process_time()
    for _ in range(times):
        response = await client.get(f"{MENUS}/mine", headers=headers)
    assert response.status_code == (304 if headers else 200)
    return (time.process_time() - before) / times * 1e3


async def sign_in(client: httpx.AsyncClient, username: str) -> None:
    """Let the client's further requests be this account's."""
    response = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    client.headers["Authorization"] = f"Bearer {response.json()['data']['access_token']}"


async def run(name: str, url: str) -> None:
    """Measure and print one line."""
    values = {"app_env": "test", "database_url": url, "worker_enabled": False, "rate_limit_enabled": False}
    app = create_app(Settings.model_validate(values | {"initial_admin_password": PASSWORD}))
    log.set_output("WARNING", "json", partial(os.write, os.open(os.devnull, os.O_WRONLY)))
    await prepare(app)
    async with running(app), open_client(app) as admin, open_client(app) as user:
        await sign_in(admin, "admin")
        await fill(admin)
        body = {"username": "somebody", "email": "somebody@example.com", "password": PASSWORD}
        (await user.post("/auth/register", json=body)).raise_for_status()
        await sign_in(user, "somebody")
        first = await user.get(f"{MENUS}/mine")
        known = {"If-None-Match": first.headers["ETag"]}
        found: dict[str, list[float]] = {"cold": [], "warm": [], "unchanged": []}
        for _ in range(ROUNDS):
            await app.resources.cache.delete_tags("menus")
            found["cold"].append(await cost(user, 1))
            found["warm"].append(await cost(user, WARM))
            found["unchanged"].append(await cost(user, WARM, **known))
    figures = "  ".join(f"{way} {statistics.median(costs):.2f} ms" for way, costs in found.items())
    print(f"{name:<10}  {figures}  ({len(first.content) / 1000:.0f} kB)", flush=True)


def main() -> None:
    """Both databases, one after the other."""
    with tempfile.TemporaryDirectory(prefix="xumi-bench-") as folder:
        os.chdir(folder)
        asyncio.run(run("sqlite", f"sqlite:///{Path(folder, 'menus.db')}"))
        with PostgresServer() as server:
            asyncio.run(run("postgresql", server.create_database("menus")))


if __name__ == "__main__":
    main()
