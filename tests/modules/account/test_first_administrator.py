"""The first administrator: made once, however many processes start, and never out of somebody who is there."""

import asyncio
from collections.abc import AsyncIterator

import pytest
from sqlalchemy import delete, text

from tests.conftest import PASSWORD, make_settings
from tests.modules.account.conftest import SignIn
from xumi.api import Application, create_app
from xumi.kernel.config import Settings
from xumi.kernel.context import Context
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import APICode, APIException, StartError
from xumi.modules.account.models import User
from xumi.modules.account.schemas import Register
from xumi.modules.account.service import create_administrator, ensure_first_administrator


@pytest.fixture
async def nobody(app: Application) -> Application:
    """An application without any account."""
    async with app.resources.database.engine.begin() as connection:
        await connection.execute(delete(User))
    return app


@pytest.fixture
async def inside(nobody: Application) -> AsyncIterator[Context]:
    """The context of a start."""
    with nobody.resources.context("start") as context:
        yield context


async def ensure(settings: Settings) -> tuple[str, str | None] | None:
    async with unit_of_work() as work:
        return await ensure_first_administrator(work.session, settings)


async def test_a_random_password_is_told_once(inside: Context, settings: Settings, sign_in: SignIn) -> None:
    unset = settings.model_copy(update={"initial_admin_password": None, "initial_admin_username": "Chief"})
    made = await ensure(unset)
    assert made is not None
    name, password = made
    assert name == "Chief"
    assert password is not None
    assert len(password) == 16
    chief = await sign_in("chief", password)
    profile = (await chief.client.get(f"/auth/profile/{chief.id}")).json()["data"]
    assert (profile["roles"], profile["email"]) == (["admin", "user"], None)
    assert await ensure(unset) is None


async def test_a_given_password_is_not_told(inside: Context, settings: Settings, sign_in: SignIn) -> None:
    assert await ensure(settings) == ("admin", None)
    await sign_in("admin", PASSWORD)


async def test_two_processes_that_start_at_once_make_one(nobody: Application, settings: Settings) -> None:
    async def start() -> object:
        process = create_app(settings).resources
        try:
            with process.context("start"):
                return await ensure(settings)
        finally:
            await process.database.close()

    made = await asyncio.gather(*(start() for _ in range(4)))
    assert sorted(made, key=str) == [("admin", None), None, None, None]
    async with nobody.resources.database.engine.connect() as connection:
        assert await connection.scalar(text("select count(*) from account_user")) == 1
        assert (
            await connection.scalar(text("select count(*) from account_user_role where role = 'admin'")) == 1
        )


async def test_somebody_who_has_the_name_is_not_promoted(
    inside: Context, settings: Settings, sign_up: SignIn
) -> None:
    somebody = await sign_up("Admin")
    with pytest.raises(StartError, match="INITIAL_ADMIN_USERNAME"):
        await ensure(settings)
    profile = (await somebody.client.get(f"/auth/profile/{somebody.id}")).json()["data"]
    assert profile["roles"] == ["user"]


async def test_a_name_that_nobody_can_have_refuses_to_start(inside: Context, database_url: str) -> None:
    with pytest.raises(StartError, match="INITIAL_ADMIN_USERNAME"):
        await ensure(make_settings(database_url, initial_admin_username="the boss"))


async def test_another_administrator_is_made_by_hand(inside: Context, sign_in: SignIn) -> None:
    data = Register(username="second", email="second@example.com", password=PASSWORD)
    async with unit_of_work() as work:
        await create_administrator(work.session, data)
    second = await sign_in("second")
    assert (await second.client.get("/api/v1/users")).status_code == 200
    for wrong in (data, data.model_copy(update={"username": "third", "password": "password"})):
        with pytest.raises(APIException) as caught:
            async with unit_of_work() as work:
                await create_administrator(work.session, wrong)
        assert caught.value.code in (APICode.DUPLICATE, APICode.VALIDATION_FAILED)
        assert caught.value.errors
