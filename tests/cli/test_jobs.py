"""`xumi jobs` and `xumi schedule`."""

import asyncio
import json

from tests.cli.conftest import Xumi
from tests.conftest import make_settings
from tests.kernel.jobs import sample
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.jobs.scheduler import synchronise
from xumi.kernel.jobs.timetable import Scheduled, Timing
from xumi.kernel.resources import Resources

TIMING = Timing("0 3 * * *", "UTC", None, "run_once")


async def fill(url: str) -> str:
    """A delayed job and an entry of the schedule; returns the job's id."""
    resources = Resources(make_settings(url))
    with resources.context("test"):
        async with unit_of_work():
            job_id = await sample.put_up.enqueue(title="later", delay_seconds=3600)
        await synchronise({"sample.nothing": Scheduled(sample.nothing, TIMING)})
    await resources.database.close()
    return job_id


def test_a_database_that_is_not_up_to_date_is_refused(xumi: Xumi) -> None:
    result = xumi("jobs", "list")
    assert (result.code, "xumi db upgrade" in result.err) == (2, True)


def test_jobs_are_listed_shown_cancelled_and_tried_again(xumi: Xumi, sqlite_url: str) -> None:
    job_id = asyncio.run(fill(sqlite_url))

    def run(*arguments: str, code: int = 0) -> str:
        result = xumi("jobs", *arguments, DATABASE_URL=sqlite_url)
        assert result.code == code, result.err
        return result.err if code else result.out

    line = run("list", "--state", "queued").splitlines()[1].split()
    assert line[:4] == [job_id, "sample.put_up", "queued", "0"]
    assert len(run("list", "--state", "failed").splitlines()) == 1
    assert len(run("list", "--name", "sample.other").splitlines()) == 1
    assert "no state 'odd'" in run("list", "--state", "odd", code=2)
    assert run("run-now", job_id) == f"Job {job_id} is due now.\n"
    assert "is cancelled" in run("cancel", job_id)
    assert "has ended" in run("cancel", job_id, code=1)
    assert "queued again" in run("retry", job_id)
    assert "neither failed nor cancelled" in run("retry", job_id, code=1)
    shown = json.loads(run("show", job_id))
    assert (shown["arguments"], shown["state"]) == ({"title": "later"}, "queued")
    assert "no job nothing" in run("show", "nothing", code=1)


def test_entries_are_listed_paused_and_resumed(xumi: Xumi, sqlite_url: str) -> None:
    asyncio.run(fill(sqlite_url))

    def run(*arguments: str, code: int = 0) -> str:
        result = xumi("schedule", *arguments, DATABASE_URL=sqlite_url)
        assert result.code == code, result.err
        return result.err if code else result.out

    assert "cron 0 3 * * * UTC, missed: run_once  active" in run("list").splitlines()[1]
    assert run("pause", "sample.nothing") == "sample.nothing is paused.\n"
    assert "paused" in run("list")
    assert run("resume", "sample.nothing") == "sample.nothing is active.\n"
    assert "active" in run("list")
    assert "no entry 'nothing'" in run("pause", "nothing", code=1)
