"""What the attacks on all routes must be told about each: here a new route gets its lines.

`OBJECTS`: whose object an id names. A path is looked up by itself up to the parameter, `/api/v1/jobs/{job_id}`, which then holds
for all routes below it, or as a whole; a field of a query or a body as `METHOD /path field`.

    "/api/v1/notes/{note_id}": Object(make_note),                            # other people's notes do not exist
    "/api/v1/menus/{menu_id}": Object(make_menu, shared=True),               # who holds the permission may name any

The maker is `async def make_note(world: World) -> str`; it makes one that belongs to `world.people["owner"]` and returns its id.

`INPUT`: what a route takes, where an example made from its schema would not do, by `METHOD /path`: `body` and `query` name fields
(the others are made up), `headers` are added.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from typing import Any

from tests.conftest import PASSWORD
from tests.security.world import World
from xumi.kernel import clock
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs.models import JobRow, JobState


@dataclass(frozen=True)
class Object:
    """Whose object a parameter names.

    Attributes:
        make: makes one of the owner's and returns its id; None for what names nobody's and is left out of good requests.
        shared: whoever holds the route's permission may name anybody's.
    """

    make: Callable[[World], Awaitable[str]] | None
    shared: bool = False


@dataclass(frozen=True)
class Input:
    """What a route takes."""

    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)


async def find_account(world: World) -> str:
    """The owner's account."""
    return world.people["owner"].id


async def find_session(world: World) -> str:
    """The owner's session."""
    return world.people["owner"].session_id


async def find_asset(_: World) -> str:
    """A file of the documentation."""
    return "favicon.png"


async def _make_job(world: World, state: JobState) -> str:
    job_id, now = generate_key(), clock.now()
    with world.app.resources.context("test"):
        async with unit_of_work() as work:
            work.session.add(
                JobRow(
                    id=job_id,
                    name="test.job",
                    state=state,
                    priority=0,
                    due_at=now,
                    arguments={},
                    attempt=0,
                    cancel_requested=False,
                    created_at=now,
                    created_by=world.people["owner"].id,
                )
            )
    return job_id


async def make_failed_job(world: World) -> str:
    """A job of the owner's that has failed."""
    return await _make_job(world, JobState.FAILED)


async def make_queued_job(world: World) -> str:
    """A job of the owner's that waits."""
    return await _make_job(world, JobState.QUEUED)


OBJECTS: dict[str, Object] = {
    "/auth/profile/{user_id}": Object(find_account),
    "/auth/sessions/{session_id}": Object(find_session),
    "/api/v1/users/{user_id}": Object(find_account, shared=True),
    "DELETE /api/v1/users ids": Object(find_account, shared=True),
    "/api/v1/jobs/{job_id}": Object(make_failed_job),
    "/api/v1/jobs/{job_id}/retry": Object(make_failed_job, shared=True),
    "/api/v1/jobs/{job_id}/cancel": Object(make_queued_job, shared=True),
    "GET /api/v1/jobs created_by": Object(find_account, shared=True),
    "/docs/assets/{name}": Object(find_asset, shared=True),
}


def find_input(world: World, label: str) -> Input:
    """What a route takes, beyond what its schema says."""
    owner = world.people["owner"]
    known = {
        "POST /auth/login": Input(body={"username": owner.username, "password": PASSWORD}),
        "POST /auth/refresh": Input(body={"refresh_token": owner.refresh_token}),
        "GET /auth/refresh": Input(headers={"Authorization": f"Bearer {owner.refresh_token}"}),
    }
    return known.get(label, Input())
