"""What a caller reaches: every way to read and write agrees with plain Python, and nothing is left to chance."""

import asyncio
import random
from collections.abc import Sequence
from types import SimpleNamespace
from typing import Any

import pytest
from sqlalchemy import delete, func, insert, select, update

from tests.kernel.db.scoped import (
    RESOURCES,
    ROLES,
    USERS,
    Label,
    Line,
    Memo,
    Order,
    ScopedBase,
    World,
    make_world,
)
from tests.kernel.db.scoped_paths import PATHS
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.permission import Access
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.scope import ScopeKind, ScopeRule, Scopes
from xumi.kernel.context import Context, enter
from xumi.kernel.db.bulk import upsert
from xumi.kernel.db.engine import Database
from xumi.kernel.db.read import fetch_value
from xumi.kernel.db.scope import Scope, check_scope, scoped_resources, unscoped
from xumi.kernel.db.session import DatabaseManager, UnitOfWork
from xumi.kernel.errors import APICode, APIException

pytestmark = pytest.mark.anyio

WORLDS = 3
SEED = 20260707


def principal_of(user: str, roles: Sequence[str], permissions: Sequence[str] = ()) -> Principal:
    """A caller."""
    return Principal(user, tuple(roles), "s", frozenset(permissions))


@pytest.fixture
async def scoped(resources: Any) -> Any:
    """Resources of a process whose database has the tables of scoped models."""
    async with resources.database.engine.begin() as connection:
        await connection.run_sync(ScopedBase.metadata.create_all)
    access = Access(900)
    access.replace_roles({role: set() for role in ROLES})
    return SimpleNamespace(**vars(resources), scopes=Scopes(), access=access)


async def fill(database: Database, world: World) -> None:
    """Put a world's rows in the place of those that are there."""
    rows = {Order: world.orders, Line: world.lines, Memo: world.memos, Label: world.labels}
    async with database.sessions() as session:
        for model in reversed(rows):
            await session.execute(delete(model))
        for model, found in rows.items():
            if found:
                await session.execute(insert(model), found)
        await session.commit()


async def run_path(resources: Any, name: str, principal: Principal | None, is_request: bool = True) -> Any:
    """What a path gives to a caller; whatever it writes is undone."""
    context = Context(resources, "test", is_request=is_request)
    context.principal = principal
    with enter(context):
        work = context.unit_of_work = UnitOfWork(resources.database)
        try:
            return await PATHS[name][0](work.session)
        except Exception as error:
            return error
        finally:
            await work.close()


def callers(chance: random.Random, world: World) -> list[tuple[Principal | None, bool, World]]:
    """Callers, whether they are callers of a request, and what each sees."""
    found: list[tuple[Principal | None, bool, World]] = []
    for user in chance.sample(USERS, 4):
        roles = chance.sample(ROLES, chance.randint(0, 3))
        found.append((principal_of(user, roles), True, world.seen_by(user, roles)))
    found += [
        (principal_of("u0", [], [EVERYTHING]), True, world),
        (None, True, world.seen_by(None, [])),
        (None, False, world),
    ]
    chance.shuffle(found)
    return found


async def test_every_path_gives_each_caller_what_plain_python_says(scoped: Any) -> None:
    chance = random.Random(SEED)
    wrong, checks, shown = [], 0, 0
    # MariaDB shares all but the form of a list with SQLite and PostgreSQL.
    worlds = 1 if scoped.database.dialect == "mysql" else WORLDS
    for number in range(worlds):
        world = make_world(chance)
        await fill(scoped.database, world)
        world.tell(scoped.scopes)
        for principal, is_request, seen in callers(chance, world):
            for name in chance.sample(list(PATHS), len(PATHS)):
                expected = PATHS[name][1](seen)
                found = await run_path(scoped, name, principal, is_request)
                checks += 1
                shown += bool(expected)
                if found != expected:
                    wrong.append((number, name, principal, expected, found))
    assert wrong == []
    assert checks == worlds * 7 * len(PATHS)
    assert shown > checks / 3


def as_caller(resources: Any, principal: Principal | None) -> Any:
    """A block of a request of this caller."""
    context = Context(resources, "test", is_request=True)
    context.principal = principal
    return enter(context)


@pytest.fixture
async def shop(scoped: Any) -> Any:
    """Department d1 below d0, d2 beside them; `u0` in d0; one order of each; role r0 reaches its department and below."""
    orders = [{"id": f"o{n}", "owner": f"u{n}", "department": f"d{n}", "amount": 1} for n in range(3)]
    rule = ScopeRule(ScopeKind.DEPARTMENT_TREE)
    world = World({"d0": None, "d1": "d0", "d2": None}, {"u0": {"d0"}}, {"r0": {"t-order": rule}}, orders)
    await fill(scoped.database, world)
    world.tell(scoped.scopes)
    return scoped


COUNT = select(func.count()).select_from(Order)


async def test_a_service_that_says_so_looks_beyond(shop: Any) -> None:
    with as_caller(shop, principal_of("u0", ["r0"])):
        assert await fetch_value(COUNT) == 2
        with unscoped():
            assert await fetch_value(COUNT) == 3
        assert await fetch_value(COUNT) == 2


async def test_looking_beyond_is_a_tasks_own(shop: Any) -> None:
    async def look() -> int:
        with unscoped():
            await asyncio.sleep(0)
            return int(await fetch_value(COUNT))

    with as_caller(shop, principal_of("u0", ["r0"])):
        assert await asyncio.gather(look(), fetch_value(COUNT), look()) == [3, 2, 3]


async def test_a_change_of_the_rules_counts_for_statements_that_are_known_already(shop: Any) -> None:
    with as_caller(shop, principal_of("u0", ["r0"])):
        assert await fetch_value(COUNT) == 2
        shop.scopes.set_members({"u0": ["d2"]})
        assert await fetch_value(COUNT) == 1
        shop.scopes.replace_departments({"d0": "d2", "d1": "d0", "d2": None})
        assert await fetch_value(COUNT) == 3
        shop.scopes.replace_rules({"r0": {"t-order": ScopeRule(ScopeKind.OWN)}})
        assert await fetch_value(COUNT) == 1
        shop.scopes.replace_rules({})
        assert await fetch_value(COUNT) == 0


@pytest.mark.parametrize(
    ("owner", "department", "may"),
    [("u0", "d0", True), ("u9", "d1", True), ("u0", "d2", False), ("u0", None, False)],
)
async def test_a_new_row_must_be_one_that_its_maker_reaches(
    shop: Any, owner: str, department: str | None, may: bool
) -> None:
    order = Order(owner=owner, department=department, amount=1)
    with as_caller(shop, principal_of("u0", ["r0"])):
        if may:
            check_scope(order)
        else:
            with pytest.raises(APIException) as caught:
                check_scope(order)
            assert caught.value.code is APICode.FORBIDDEN


async def test_an_upsert_is_refused_to_who_does_not_reach_all(shop: Any) -> None:
    rows = [{"id": "o2", "owner": "u0", "department": "d0", "amount": 9}]
    for principal in (principal_of("u9", [], [EVERYTHING]), principal_of("u0", ["r0"])):
        with as_caller(shop, principal):
            async with shop.database.sessions() as session:
                if EVERYTHING in principal.permissions:
                    assert await upsert(session, Order, rows, key=[Order.id]) == 1
                else:
                    with pytest.raises(TypeError, match="with unscoped"):
                        await upsert(session, Order, rows, key=[Order.id])


async def test_a_full_join_is_refused(shop: Any) -> None:
    statement = select(Order.id).select_from(Order.__table__.join(Line.__table__, full=True))
    with as_caller(shop, principal_of("u0", ["r0"])), pytest.raises(TypeError, match="cannot be narrowed"):
        await fetch_value(statement)


async def test_an_update_of_an_outer_join_is_refused(shop: Any) -> None:
    joined = Label.__table__.outerjoin(Order.__table__, Order.id == Label.order_id)
    statement = update(joined).values({Label.__table__.c.order_id: "x"})
    with as_caller(shop, principal_of("u0", ["r0"])):
        async with shop.database.sessions() as session:
            with pytest.raises(TypeError, match="use a subquery"):
                await session.execute(statement)


async def test_a_write_of_what_was_found_beyond_the_scope_reaches_its_row(shop: Any) -> None:
    with as_caller(shop, principal_of("u0", ["r0"])):
        async with shop.database.sessions() as session:
            with unscoped():
                order = await session.get_one(Order, "o2")
            order.amount = 7
            await session.commit()
        with unscoped():
            assert await fetch_value(select(Order.amount).where(Order.id == "o2")) == 7


async def test_the_database_manager_keeps_to_the_scope(shop: Any) -> None:
    def read() -> list[str]:
        with DatabaseManager() as session:
            return sorted(session.scalars(select(Order.id)))

    with as_caller(shop, principal_of("u0", ["r0"])):
        assert await asyncio.to_thread(read) == ["o0", "o1"]


def test_a_declaration_that_names_no_column_of_its_table_is_refused() -> None:
    with pytest.raises(TypeError, match="names 'chef'"):

        class Dish(ScopedBase):
            __tablename__ = "t_dish"
            __scope__ = Scope("t-dish", owner="chef")


def test_a_declaration_without_columns_is_refused() -> None:
    with pytest.raises(TypeError, match="must name an owner, a department, or both"):

        class Meal(ScopedBase):
            __tablename__ = "t_meal"
            __scope__ = Scope("t-meal")


def test_the_resources_that_rules_can_be_about_are_known() -> None:
    assert scoped_resources() >= set(RESOURCES)


def test_what_has_no_scope_cannot_be_checked() -> None:
    with pytest.raises(TypeError, match="Label has no __scope__"):
        check_scope(Label(order_id="o"))
