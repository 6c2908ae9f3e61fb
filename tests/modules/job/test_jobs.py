"""Jobs over the API: whose they are, who sees them, how far they are, what administrators may do."""

import asyncio
import json
from typing import Any

import httpx
import pytest
from sqlalchemy import select, update

from tests.kernel.jobs import sample
from tests.kernel.jobs.sample import job_row, until_ended, working
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.jobs.models import JobRow
from xumi.modules.account.models import User


@pytest.fixture(autouse=True)
def signals() -> None:
    sample.began, sample.go_on = asyncio.Event(), asyncio.Event()


async def enqueued_by(app: Application, username: str, **arguments: Any) -> str:
    """A queued job of a user."""
    with app.resources.context("test"):
        async with unit_of_work() as work:
            job_id = await sample.tell.enqueue(**arguments)
            user_id = await work.session.scalar(select(User.id).where(User.username == username))
            await work.session.execute(update(JobRow).where(JobRow.id == job_id).values(created_by=user_id))
    return job_id


async def test_a_job_is_seen_by_who_enqueued_it_and_by_administrators(
    app: Application, client: httpx.AsyncClient, user: httpx.AsyncClient, admin: httpx.AsyncClient
) -> None:
    own, others = await enqueued_by(app, "somebody"), await enqueued_by(app, "admin")
    seen = (await user.get(f"/api/v1/jobs/{own}")).json()["data"]
    assert (seen["name"], seen["state"], seen["attempt"]) == ("sample.tell", "queued", 0)
    for path in (f"/api/v1/jobs/{others}", f"/api/v1/jobs/{others}/events", "/api/v1/jobs/nothing"):
        assert (await user.get(path)).json()["code"] == 40400
    assert (await admin.get(f"/api/v1/jobs/{own}")).status_code == 200
    assert (await client.get(f"/api/v1/jobs/{own}")).status_code == 401
    assert (await user.get("/api/v1/jobs")).status_code == 403
    assert (await user.post(f"/api/v1/jobs/{own}/cancel")).status_code == 403


async def test_the_list_is_filtered(app: Application, admin: httpx.AsyncClient) -> None:
    job_id = await enqueued_by(app, "admin")
    await enqueued_by(app, "admin")
    assert (await admin.post(f"/api/v1/jobs/{job_id}/cancel")).status_code == 204
    page = (await admin.get("/api/v1/jobs", params={"state": "cancelled"})).json()["data"]
    assert [item["id"] for item in page["items"]] == [job_id]
    page = (await admin.get("/api/v1/jobs", params={"name": "sample.tell", "sort": "id"})).json()["data"]
    assert page["total"] == 2
    assert (await admin.get("/api/v1/jobs", params={"state": "odd"})).status_code == 422


async def test_an_administrator_cancels_and_retries(app: Application, admin: httpx.AsyncClient) -> None:
    job_id = await enqueued_by(app, "admin")
    assert (await admin.post(f"/api/v1/jobs/{job_id}/retry")).status_code == 409
    assert (await admin.post(f"/api/v1/jobs/{job_id}/cancel")).status_code == 204
    assert (await admin.post(f"/api/v1/jobs/{job_id}/cancel")).status_code == 409
    assert (await admin.post(f"/api/v1/jobs/{job_id}/retry")).status_code == 204
    assert (await admin.get(f"/api/v1/jobs/{job_id}")).json()["data"]["state"] == "queued"
    assert (await admin.post("/api/v1/jobs/nothing/retry")).status_code == 404


async def test_events_tell_state_and_progress_until_the_end(
    app: Application, user: httpx.AsyncClient
) -> None:
    job_id = await enqueued_by(app, "somebody")
    watching = asyncio.create_task(user.get(f"/api/v1/jobs/{job_id}/events"))
    await asyncio.sleep(0.3)
    with app.resources.context("test"):
        async with working(app.resources):
            async with asyncio.timeout(10):
                while (await job_row(job_id)).progress_done is None:
                    await asyncio.sleep(0.05)
            await asyncio.sleep(0.7)
            sample.go_on.set()
            await until_ended()
    response = await watching
    assert response.headers["content-type"].startswith("text/event-stream")
    events = [json.loads(line[6:]) for line in response.text.splitlines() if line.startswith("data: ")]
    assert [event["state"] for event in (events[0], events[-1])] == ["queued", "done"]
    assert {(e["progress_done"], e["progress_total"], e["progress_message"]) for e in events[1:-1]} >= {
        (3, 10, "three")
    }


async def test_a_stream_ends_when_the_server_stops(app: Application, user: httpx.AsyncClient) -> None:
    job_id = await enqueued_by(app, "somebody")
    app.resources.draining = True
    response = await user.get(f"/api/v1/jobs/{job_id}/events")
    assert (response.status_code, response.text) == (200, "")


async def test_an_error_shows_no_traceback(app: Application, admin: httpx.AsyncClient) -> None:
    with app.resources.context("test"):
        async with unit_of_work():
            job_id = await sample.slow.enqueue()
        async with working(app.resources):
            await until_ended()
    seen = (await admin.get(f"/api/v1/jobs/{job_id}")).json()["data"]
    assert seen["state"] == "failed"
    assert seen["error"] == {"type": "TimedOut", "message": "It took longer than 0.05 s."}
