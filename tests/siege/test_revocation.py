"""Access that one worker ends, while four workers serve 200 requests a second: how long the others still let it in.

Every connection stays with one worker, so that each worker is asked all the time by everybody whose access ends.
"""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import httpx
import pytest

from tests.conftest import PASSWORD
from tests.siege.record import record
from tests.siege.scale import is_full, on_databases, scaled
from xumi.kernel.testing.server import RunningServer, run_server
from xumi.kernel.testing.tokens import decode

pytestmark = [pytest.mark.anyio, pytest.mark.siege, pytest.mark.timeout(600)]

WORKERS, PER_SECOND, CONNECTIONS_EACH = (4 if is_full() else 2), 200, 4
ROUNDS = 10
WATCHED_SECONDS = 2.0 if is_full() else 1.2

ENDINGS = {
    "logout": ("own", "POST", "/auth/logout", None),
    "password": (
        "own",
        "POST",
        "/auth/password",
        {"old_password": PASSWORD, "new_password": "another battery"},
    ),
    "disable": ("admin", "POST", "/api/v1/users/{id}/disable", None),
    "roles": ("admin", "PATCH", "/api/v1/users/{id}", {"roles": ["admin", "user"]}),
    "delete": ("admin", "DELETE", "/api/v1/users/{id}", None),
}


@dataclass
class Victim:
    """Somebody whose access will end.

    Attributes:
        ended_at: when the answer that ends his access had arrived.
        allowed_seconds: how long after that the last request was sent that was let in.
        late: how many that were sent more than a second after it were let in.
        statuses: what came after it.
    """

    id: str
    headers: dict[str, str]
    ended_at: float = float("inf")
    allowed_seconds: float = 0.0
    late: int = 0
    statuses: Counter[int] = field(default_factory=Counter)


async def sign_in(client: httpx.AsyncClient, username: str) -> Victim:
    answer = await client.post("/auth/login", json={"username": username, "password": PASSWORD})
    assert answer.status_code == 200, answer.text
    token = answer.json()["data"]["access_token"]
    return Victim(decode(token.split(".")[1])["sub"], {"Authorization": f"Bearer {token}"})


async def connect(server: RunningServer) -> list[httpx.AsyncClient]:
    """Connections that each stay with their worker, as many to each."""
    found: dict[int, list[httpx.AsyncClient]] = {}
    limits = httpx.Limits(max_connections=1, keepalive_expiry=600)
    for _ in range(1000):
        client = httpx.AsyncClient(base_url=server.url, limits=limits, timeout=30)
        process = (await client.get("/monitoring/metrics")).json()["data"]["process"]["pid"]
        if len(found.setdefault(process, [])) < CONNECTIONS_EACH:
            found[process].append(client)
        else:
            await client.aclose()
        if [len(clients) for clients in found.values()] == [CONNECTIONS_EACH] * WORKERS:
            return [client for clients in found.values() for client in clients]
    raise RuntimeError(f"not all workers answer: {found}")


async def keep_asking(client: httpx.AsyncClient, victims: list[Victim], until: asyncio.Event) -> int:
    """Ask for everybody in turn on one connection, at its share of the rate; returns how often."""
    pause, count, begun = WORKERS * CONNECTIONS_EACH / PER_SECOND, 0, time.monotonic()
    while not until.is_set():
        victim = victims[count % len(victims)]
        sent_at = time.monotonic()
        status = (await client.get(f"/auth/profile/{victim.id}", headers=victim.headers)).status_code
        after = sent_at - victim.ended_at
        if after > 0:
            victim.statuses[status] += 1
            if status != 401:
                victim.allowed_seconds = max(victim.allowed_seconds, after)
                victim.late += after > 1.0
        else:
            assert status == 200 or victim.ended_at < float("inf"), status
        count += 1
        await asyncio.sleep(max(0.0, begun + count * pause - time.monotonic()))
    return count


async def end_access(client: httpx.AsyncClient, victim: Victim, admin: Victim, ending: str) -> None:
    who, method, path, body = ENDINGS[ending]
    headers = victim.headers if who == "own" else admin.headers
    answer = await client.request(method, path.format(id=victim.id), headers=headers, json=body)
    victim.ended_at = time.monotonic()
    assert answer.status_code == 204, answer.text


async def run_round(
    server: RunningServer, clients: list[httpx.AsyncClient], number: int
) -> tuple[dict[str, Victim], float]:
    """Five people whose access ends, each in another way; and the requests per second meanwhile."""
    async with httpx.AsyncClient(base_url=server.url, timeout=30) as client:
        victims = {}
        for ending in ENDINGS:
            name = f"{ending}-{number}"
            body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
            assert (await client.post("/auth/register", json=body)).status_code == 201
            victims[ending] = await sign_in(client, name)
        admin = await sign_in(client, "admin")
        until, begun = asyncio.Event(), time.monotonic()
        asking = [asyncio.create_task(keep_asking(one, list(victims.values()), until)) for one in clients]
        await asyncio.sleep(0.5)
        for ending, victim in victims.items():
            await end_access(client, victim, admin, ending)
        await asyncio.sleep(WATCHED_SECONDS)
        until.set()
        asked = sum(await asyncio.gather(*asking))
        return victims, asked / (time.monotonic() - begun)


@on_databases("sqlite")
async def test_access_that_ends_in_one_worker_ends_in_all(tmp_path: Path, database_url: str) -> None:
    environment = {"DATABASE_URL": database_url, "RATE_LIMIT_ENABLED": "false"}
    with run_server(tmp_path, "--workers", str(WORKERS), environment=environment) as server:
        clients = await connect(server)
        rounds = [await run_round(server, clients, number) for number in range(scaled(ROUNDS))]
        for client in clients:
            await client.aclose()
    victims = [(ending, victim) for found, _ in rounds for ending, victim in found.items()]
    longest = {
        ending: max(victim.allowed_seconds for kind, victim in victims if kind == ending)
        for ending in ENDINGS
    }
    late = sum(victim.late for _, victim in victims)
    record(
        f"revocation-{database_url.partition(':')[0]}",
        {
            "workers": WORKERS,
            "requests_per_second": round(sum(rate for _, rate in rounds) / len(rounds), 1),
            "ended": len(victims),
            "requests_after_the_end": sum(victim.statuses.total() for _, victim in victims),
            "allowed_later_than_1_s": late,
            "longest_allowed_ms": {ending: round(seconds * 1000) for ending, seconds in longest.items()},
        },
    )
    for ending, victim in victims:
        assert victim.statuses[401] > 0, ending
        assert set(victim.statuses) <= {200, 401, 404}, (ending, victim.statuses)
    if is_full():
        assert late == 0
