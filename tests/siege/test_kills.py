"""Nobody who was told that he has an account is without one, however often the server is killed."""

import random
import signal
import threading
import time
from pathlib import Path

import httpx
import pytest
from sqlalchemy import text

from tests.conftest import PASSWORD
from tests.siege.record import record
from tests.siege.scale import on_databases, scaled
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.testing.server import run_server

pytestmark = [pytest.mark.siege, pytest.mark.timeout(600)]

CLIENTS = 4
KILLS = 20


class Clients:
    """Threads that make accounts until the server dies under them.

    Attributes:
        sent: the names that were asked for.
        acknowledged: those that were answered with 201.
    """

    def __init__(self) -> None:
        self.sent: list[str] = []
        self.acknowledged: list[str] = []

    def start(self, url: str, prefix: str) -> list[threading.Thread]:
        """Begin; the threads end by themselves."""
        threads = [
            threading.Thread(target=self._run, args=(url, f"{prefix}-{number}")) for number in range(CLIENTS)
        ]
        for thread in threads:
            thread.start()
        return threads

    def _run(self, url: str, prefix: str) -> None:
        with httpx.Client(base_url=url, timeout=10) as client:
            for count in range(1_000_000):
                name = f"{prefix}-{count}"
                body = {"username": name, "email": f"{name}@example.com", "password": PASSWORD}
                self.sent.append(name)
                try:
                    status = client.post("/auth/register", json=body).status_code
                except httpx.TransportError:
                    return
                assert status == 201
                self.acknowledged.append(name)


@on_databases("postgresql")
def test_no_account_is_lost_or_half_made(tmp_path: Path, database_url: str) -> None:
    clients, kills = Clients(), scaled(KILLS)
    for kill in range(kills):
        environment = {"DATABASE_URL": database_url, "RATE_LIMIT_ENABLED": "false"}
        with run_server(tmp_path, environment=environment) as server:
            threads = clients.start(server.url, f"run{kill}")
            known = len(clients.acknowledged)
            while len(clients.acknowledged) < known + CLIENTS:
                time.sleep(0.01)
            time.sleep(random.uniform(0.0, 0.3))
            server.process.send_signal(signal.SIGKILL)
            for thread in threads:
                thread.join()
    engine = sync_engine(parse_url(database_url)[1])
    with engine.connect() as connection:
        rows = connection.execute(
            text(
                "SELECT u.username, count(r.id) FROM account_user u LEFT JOIN account_user_role r ON r.user_id = u.id"
                " WHERE u.username LIKE 'run%' GROUP BY u.id, u.username"
            )
        ).all()
    engine.dispose()
    stored = [name for name, _ in rows]
    lost = set(clients.acknowledged) - set(stored)
    half_made = [name for name, roles in rows if roles != 1]
    dialect = database_url.partition(":")[0]
    record(
        f"kills-{dialect}",
        {
            "kills": kills,
            "asked_for": len(clients.sent),
            "acknowledged": len(clients.acknowledged),
            "stored": len(stored),
            "lost": len(lost),
            "half_made": len(half_made),
        },
    )
    assert (lost, half_made) == (set(), [])
    assert len(stored) == len(set(stored))
    assert set(stored) <= set(clients.sent)
    assert len(clients.acknowledged) >= kills * CLIENTS
