"""`crash_sweep` finds work that can be left half done and work that is acknowledged too early, and passes what is whole."""

import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.testing.crash import crash_sweep
from xumi.kernel.testing.server import clean_environment

pytestmark = pytest.mark.timeout(180)

MODULE = """
from xumi.kernel.modules import Module
MODULE = Module(name="ledger", title_en="Ledger", title_zh="L")
"""
API = """
from sqlalchemy import text
from sqlalchemy.ext.asyncio import AsyncSession
from xumi.kernel.context import current
from xumi.kernel.db.session import Session, unit_of_work
from xumi.kernel.http.router import get_router

router = get_router(prefix="/ledger")


async def write(session: AsyncSession, key: str, side: str) -> None:
    statement = "INSERT INTO entry (key, side) VALUES (:key, :side) ON CONFLICT DO NOTHING"
    await session.execute(text(statement), {"key": key, "side": side})


@router.put("/whole/{key}", public=True)
async def book_whole(session: Session, key: str) -> None:
    await write(session, key, "debit")
    await write(session, key, "credit")


@router.put("/halves/{key}", public=True)
async def book_halves(key: str) -> None:
    for side in ("debit", "credit"):
        async with unit_of_work() as work:
            await write(work.session, key, side)


@router.put("/later/{key}", public=True)
async def book_later(key: str) -> None:
    resources = current().resources

    async def book() -> None:
        async with unit_of_work(resources) as work:
            await write(work.session, key, "debit")
            await write(work.session, key, "credit")

    resources.background(book, "book later")
"""


class Booking:
    """Book by one of the endpoints."""

    def __init__(self, url: str, way: str) -> None:
        self.engine = sync_engine(parse_url(url)[1])
        self.way = way
        with self.engine.begin() as connection:
            connection.execute(
                text("CREATE TABLE entry (key VARCHAR(20), side VARCHAR(20), PRIMARY KEY (key, side))")
            )

    def prepare(self, _client: httpx.Client, run: int) -> str:
        return f"booking-{run}"

    def act(self, client: httpx.Client, key: str) -> None:
        assert client.put(f"/ledger/{self.way}/{key}").status_code == 200

    def check(self, key: str, acknowledged: bool) -> None:
        with self.engine.connect() as connection:
            statement = text("SELECT side FROM entry WHERE key = :key ORDER BY side")
            sides = list(connection.scalars(statement, {"key": key}))
        assert sides in (["credit", "debit"], *([] if acknowledged else [[]]))


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    folder = tmp_path / "modules" / "ledger"
    folder.mkdir(parents=True)
    (folder / "__init__.py").write_text(MODULE)
    (folder / "api.py").write_text(API)
    return tmp_path


Make = Callable[[str], tuple[Booking, Path, dict[str, str]]]


@pytest.fixture
def make(directory: Path, database_url: str) -> Any:
    bookings: list[Booking] = []

    def make(way: str) -> tuple[Booking, Path, dict[str, str]]:
        bookings.append(Booking(database_url, way))
        return bookings[0], directory, {"DATABASE_URL": database_url}

    yield make
    bookings[0].engine.dispose()


def say(point: str) -> str:
    """A point without what follows the table's name."""
    return point.partition(" (key")[0]


RESPONSE = ["before response.start", "after response.start", "before response.body", "after response.body"]
INSERTS = ["before INSERT INTO entry"] * 2


def test_one_transaction_is_whole(make: Make) -> None:
    killed = crash_sweep(*make("whole"))
    assert list(map(say, killed)) == [*INSERTS, "before COMMIT", "after COMMIT", *RESPONSE]


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_part_of_the_points_can_be_chosen(make: Make) -> None:
    killed = crash_sweep(*make("whole"), every=3)
    assert list(map(say, killed)) == ["before INSERT INTO entry", "after COMMIT", "before response.body"]


def test_two_transactions_are_found_between_them(make: Make) -> None:
    with pytest.raises(AssertionError) as found:
        crash_sweep(*make("halves"))
    assert found.value.__notes__ == ["after a kill at point 3, after COMMIT"]


def test_an_acknowledgement_before_the_commit_is_found(make: Make) -> None:
    with pytest.raises(AssertionError) as found:
        crash_sweep(*make("later"))
    # The client looks at once: it may see before any kill that nothing is there.
    assert len(found.value.__notes__) == 1


class PatientBooking(Booking):
    """The client of work that is done in the background waits until it is done."""

    def act(self, client: httpx.Client, key: str) -> None:
        super().act(client, key)
        for _ in range(300):
            with suppress(AssertionError):
                return self.check(key, True)
            assert client.get("/health").status_code == 200
            time.sleep(0.01)
        raise AssertionError("it is never done")


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_points_of_background_work_count_where_it_is_named(database_url: str, directory: Path) -> None:
    booking = PatientBooking(database_url, "later")
    killed = crash_sweep(booking, directory, {"DATABASE_URL": database_url}, tasks=["book later"])
    # The work and the responses overlap: which of them comes at a number differs from start to start.
    of_work = {*INSERTS, "before COMMIT", "after COMMIT"}
    assert len(killed) >= len(of_work) + len(RESPONSE)
    assert of_work & set(map(say, killed))
    assert set(map(say, killed)) <= {*of_work, *RESPONSE}


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
def test_a_sweep_has_an_end(make: Make) -> None:
    with pytest.raises(AssertionError, match="more than 1 points"):
        crash_sweep(*make("whole"), max_points=1)


def test_only_tests_can_be_killed(tmp_path: Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "xumi.kernel.testing.crash_points", "run"],
        cwd=tmp_path,
        env=clean_environment(APP_ENV="development"),
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 1
    assert "set APP_ENV=test" in done.stderr
