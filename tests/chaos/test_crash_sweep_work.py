"""What is sent twice happens once, and a job with its event is done once, whenever the server dies."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import Engine, text

from tests.conftest import PASSWORD
from tests.siege.record import record
from tests.siege.scale import EVERY, is_full, on_databases
from xumi.kernel.testing.crash import crash_sweep

pytestmark = [pytest.mark.siege, pytest.mark.slow, pytest.mark.timeout(300), on_databases("postgresql")]

PATIENCE_SECONDS = 20.0
PROJECT = {
    "__init__": """
from xumi.kernel import Module
MODULE = Module(name="work", title_en="Work", title_zh="工作")
""",
    "models": """
from sqlalchemy.orm import Mapped
from xumi.kernel import ModelBase
class Done(ModelBase):
    __tablename__ = "work_done"
    number: Mapped[int]
class Noted(ModelBase):
    __tablename__ = "work_noted"
    number: Mapped[int]
""",
    "events": """
from xumi.kernel import Event
class WorkDone(Event):
    name = "work.done"
    aggregate = "number"
    number: int
""",
    "service": """
from sqlalchemy.ext.asyncio import AsyncSession
from xumi.kernel import job, publish
from modules.work.events import WorkDone
from modules.work.models import Done
@job()
async def do_work(session: AsyncSession, number: int) -> None:
    session.add(Done(number=number))
    publish(WorkDone(number=number))
""",
    "consumers": """
from sqlalchemy.ext.asyncio import AsyncSession
from xumi.kernel import consumer
from modules.work.events import WorkDone
from modules.work.models import Noted
@consumer(WorkDone)
async def note_work(session: AsyncSession, event: WorkDone) -> None:
    session.add(Noted(number=event.number))
""",
    "api": """
from xumi.kernel import Session, get_router
from modules.work import service
router = get_router()
@router.post("/{number}", permission="work:order", status_code=202, idempotent=True)
async def order_work(session: Session, number: int) -> str:
    return await service.do_work.enqueue(number=number)
""",
}
TASKS = ("chore jobs", "job work.do_work", "chore events", "consumer work.note_work")


@pytest.fixture
def environment(database_url: str) -> dict[str, str]:
    """What lasts from one start to the next; a dead worker's job is taken up soon."""
    return {
        "DATABASE_URL": database_url,
        "JWT_SECRET_KEY": "k1:a secret of the tests that is long enough",
        "RATE_LIMIT_ENABLED": "false",
        "JOB_LEASE_SECONDS": "2",
    }


class AdministratorsWork:
    """What the flows share.

    Args:
        engine: the database.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    def count(self, sql: str, **values: object) -> int:
        """The number that a query gives."""
        with self._engine.connect() as connection:
            return int(connection.execute(text(sql), values).scalar_one())

    def prepare(self, client: httpx.Client, run: int) -> dict[str, Any]:
        """A key that no other run uses, and a token."""
        response = client.post("/auth/login", json={"username": "admin", "password": PASSWORD})
        assert response.status_code == 200, response.text
        return {"number": run, "token": response.json()["data"]["access_token"]}

    def post(
        self, client: httpx.Client, path: str, state: dict[str, Any], body: object = None
    ) -> httpx.Response:
        """Send it under the run's key."""
        headers = {"Authorization": f"Bearer {state['token']}", "Idempotency-Key": f"run-{state['number']}"}
        return client.post(path, json=body, headers=headers)


class IdempotentWrite(AdministratorsWork):
    """Put up a poster."""

    def act(self, client: httpx.Client, state: dict[str, Any]) -> None:
        body = {"title": f"poster {state['number']}", "content": "x"}
        response = self.post(client, "/poster/add", state, body)
        assert response.status_code == 201, response.text

    def check(self, state: dict[str, Any], acknowledged: bool) -> None:
        title = f"poster {state['number']}"
        posters = self.count("SELECT count(*) FROM poster_poster WHERE title = :title", title=title)
        assert posters in ((1,) if acknowledged else (0, 1))
        assert self.count("SELECT count(*) FROM kernel_idempotency_key WHERE status = 0") == 0
        answers = self.count("SELECT count(*) FROM kernel_idempotency_key")
        assert answers == self.count("SELECT count(*) FROM poster_poster")


class JobWithEvent(AdministratorsWork):
    """Order a job that writes a row and publishes an event, whose consumer writes another."""

    def act(self, client: httpx.Client, state: dict[str, Any]) -> None:
        response = self.post(client, f"/api/v1/work/{state['number']}", state)
        assert response.status_code == 202, response.text
        end = time.monotonic() + PATIENCE_SECONDS
        while not self._rows("work_noted", state):
            if time.monotonic() > end:
                raise TimeoutError(f"work {state['number']} was not done")
            # A server that was killed does not answer this, which ends the waiting.
            client.get("/health").raise_for_status()
            time.sleep(0.02)

    def _rows(self, table: str, state: dict[str, Any]) -> int:
        return self.count(f"SELECT count(*) FROM {table} WHERE number = :number", number=state["number"])

    def check(self, state: dict[str, Any], acknowledged: bool) -> None:
        done, noted = self._rows("work_done", state), self._rows("work_noted", state)
        assert noted <= done <= 1
        assert not acknowledged or noted == 1


def test_an_idempotent_write_happens_once(
    tmp_path: Path, engine: Engine, environment: dict[str, str]
) -> None:
    killed = crash_sweep(IdempotentWrite(engine), tmp_path, environment, every=EVERY)
    record(f"crash-sweep-idempotent-write-{engine.dialect.name}", {"kills": len(killed), "points": killed})
    if is_full():
        assert "after COMMIT" in killed
        # PostgreSQL gets the key in the statement of the effect.
        first = "poster_poster" if engine.dialect.name == "postgresql" else "kernel_idempotency_key"
        assert any(first in point for point in killed)
    else:
        assert len(killed) >= 2


def test_a_job_and_its_event_are_done_once(
    tmp_path: Path, engine: Engine, environment: dict[str, str]
) -> None:
    folder = tmp_path / "modules" / "work"
    folder.mkdir(parents=True)
    (tmp_path / "modules" / "__init__.py").touch()
    for name, source in PROJECT.items():
        (folder / f"{name}.py").write_text(source, encoding="utf-8")
    with engine.begin() as connection:
        for table in ("work_done", "work_noted"):
            connection.execute(text(f"CREATE TABLE {table} (id VARCHAR(26) PRIMARY KEY, number BIGINT)"))
    killed = crash_sweep(JobWithEvent(engine), tmp_path, environment, tasks=TASKS, every=EVERY)
    record(f"crash-sweep-job-with-event-{engine.dialect.name}", {"kills": len(killed), "points": killed})
    if is_full():
        assert any("event_delivery" in point for point in killed), killed
        assert any("UPDATE job" in point for point in killed), killed
        assert len(killed) > 10
    else:
        assert len(killed) >= 2
