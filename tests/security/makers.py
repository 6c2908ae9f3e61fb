"""Makes the objects that ids name, by the API where it has a way, each the owner's where somebody can own it."""

from datetime import timedelta
from itertools import count

from sqlalchemy import select

from tests.security.world import World
from xumi.kernel import clock
from xumi.kernel.auth.apikey import make_key
from xumi.kernel.auth.refresh import digest
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs.models import JobRow, JobState
from xumi.modules.account.models import Identity, Invitation
from xumi.modules.apikey.models import ApiKey
from xumi.modules.menu.models import MenuItem

_number = count()


async def add(world: World, row: ModelBase) -> str:
    """Store a row; returns its id."""
    with world.app.resources.context("test"):
        async with unit_of_work() as work:
            work.session.add(row)
            await work.session.flush()
            return row.id


async def find_account(world: World) -> str:
    """The owner's account."""
    return world.people["owner"].id


async def find_session(world: World) -> str:
    """The owner's session."""
    return world.people["owner"].session_id


async def find_asset(_: World) -> str:
    """A file of the documentation."""
    return "favicon.png"


async def find_provider(_: World) -> str:
    """An OpenID provider of the settings."""
    return "acme"


async def _make_job(world: World, state: JobState) -> str:
    now = clock.now()
    return await add(
        world,
        JobRow(
            id=generate_key(),
            name="test.job",
            state=state,
            priority=0,
            due_at=now,
            arguments={},
            attempt=0,
            cancel_requested=False,
            created_at=now,
            created_by=world.people["owner"].id,
        ),
    )


async def make_failed_job(world: World) -> str:
    """A job of the owner's that has failed."""
    return await _make_job(world, JobState.FAILED)


async def make_queued_job(world: World) -> str:
    """A job of the owner's that waits."""
    return await _make_job(world, JobState.QUEUED)


async def make_api_key(world: World) -> str:
    """A key of the owner's."""
    now = clock.now()
    return await add(
        world,
        ApiKey(
            user_id=world.people["owner"].id,
            name="nightly report",
            prefix="xumi_",
            digest=digest(make_key()),
            permissions=["poster:list"],
            networks=[],
            created_at=now,
            expires_at=now + timedelta(days=1),
            changed_at=now,
        ),
    )


async def make_identity(world: World) -> str:
    """A mobile number of the owner's."""
    number = f"+86138{next(_number):08}"
    return await add(
        world,
        Identity(
            user_id=world.people["owner"].id, kind="mobile", key=number, label=number, created_at=clock.now()
        ),
    )


async def make_invitation(world: World) -> str:
    """An invitation that nobody has accepted."""
    address = f"invited{next(_number)}@example.com"
    return await add(
        world,
        Invitation(
            email=address,
            email_key=address,
            roles=["user"],
            invited_by=world.people["admin"].id,
            expires_at=clock.now() + timedelta(days=1),
        ),
    )


async def make_department(world: World) -> str:
    """A department without members."""
    body = {"code": f"made-{next(_number)}", "name": "Made"}
    made: str = await world.make("/api/v1/departments", body)
    return made


async def make_role(world: World) -> str:
    """A role that nobody holds."""
    body = {"code": f"made-{next(_number)}", "title_en": "Made", "title_zh": "新建"}
    made: str = await world.make("/api/v1/roles", body)
    return made


async def make_menu(world: World) -> str:
    """A directory of the menu with a page in it; the page."""
    name = f"made-{next(_number)}"
    page = {"kind": "page", "code": f"{name}.page", "title_en": "Made", "title_zh": "新建"}
    page |= {"path": f"/{name}/page", "component": "made/index"}
    directory = {"kind": "directory", "code": name, "title_en": "Made", "title_zh": "新建"}
    await world.make("/api/v1/menus", directory | {"path": f"/{name}", "children": [page]})
    return await _find_menu(world, MenuItem.code == page["code"])


async def make_directory(world: World) -> str:
    """A directory of the menu with a page in it; the directory."""
    return await _find_parent(world, await make_menu(world))


async def find_directory(world: World) -> str:
    """The directory of the pages that are reordered."""
    return await _find_parent(world, world.ids["POST /api/v1/menus/reorder ids"])


async def _find_parent(world: World, menu_id: str) -> str:
    parent = select(MenuItem.parent_id).where(MenuItem.id == menu_id).scalar_subquery()
    return await _find_menu(world, MenuItem.id == parent)


async def _find_menu(world: World, condition: object) -> str:
    with world.app.resources.context("test"):
        async with unit_of_work() as work:
            found = await work.session.scalar(select(MenuItem.id).where(condition))  # type: ignore[arg-type]
    assert found is not None
    return found


async def find_sales(world: World) -> str:
    """The department whose deals clerks reach."""
    return world.ids["sales"]


async def make_deal(world: World) -> str:
    """A deal of the owner's, in the department whose deals clerks reach."""
    body = {"department_id": world.ids["sales"], "amount": 1}
    made: str = await world.make("/api/v1/deals", body, "owner")
    return made
