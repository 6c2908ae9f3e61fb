"""Reads give what SQLAlchemy's own session gives, in value and in type, on every database."""

import random
from collections import Counter
from collections.abc import Sequence
from typing import Any

import pytest
from pydantic import BaseModel, create_model
from sqlalchemy import Select, delete, func, insert, select, true

from tests.kernel.db.differential import (
    MARK,
    METADATA,
    ORDERED,
    SPECIMEN,
    VALUES,
    Case,
    Statements,
    marks,
    specimens,
)
from xumi.kernel.context import Context
from xumi.kernel.db.engine import Database
from xumi.kernel.db.filters import FilterTypeEnum
from xumi.kernel.db.query import PaginateRequest, fetch_all, fetch_one, fetch_value, paginate_query
from xumi.kernel.db.session import unit_of_work

STATEMENTS = 300
WALKS = 24
SEED = 20260101


@pytest.fixture
async def filled(database: Database, work: Context) -> Database:
    """The database with the specimens, in a piece of work that runs."""
    chance = random.Random(SEED)
    async with database.engine.begin() as connection:
        await connection.run_sync(METADATA.create_all)
        await connection.execute(delete(MARK))
        await connection.execute(delete(SPECIMEN))
        for row in specimens(chance):
            await connection.execute(insert(SPECIMEN).values(row))
        await connection.execute(insert(MARK), marks(chance))
    return database


def anything(names: Sequence[str]) -> type[BaseModel]:
    """A schema that takes every value as it is."""
    return create_model("Anything", **dict.fromkeys(names, (Any, ...)))  # type: ignore[call-overload,no-any-return]


def exact(value: Any) -> Any:
    """A value with its type, and the types inside it."""
    if isinstance(value, dict):
        return ("dict", {key: exact(item) for key, item in value.items()})
    if isinstance(value, list | tuple):
        return (type(value).__name__, [exact(item) for item in value])
    return (type(value).__name__, getattr(value, "tzinfo", None) and "aware", value)


def table(rows: Sequence[Any], names: Sequence[str], ordered: bool) -> list[Any]:
    """Rows as lists that can be compared; those in no certain order are sorted."""
    lists = [[exact(getattr(row, name)) for name in names] for row in rows]
    return lists if ordered else sorted(lists, key=repr)


async def difference(case: Case, session: Any, ran: Counter[str]) -> str | None:
    """None if all readers agree with the session on a statement, else what they say."""
    rows = (await session.execute(case.statement)).all()
    ran[case.kind] += 1
    ran["with rows"] += bool(rows)
    names = [str(column.key) for column in case.statement.selected_columns]
    schema = anything(names)
    expected = table(rows, names, case.ordered)
    if (found := table(await fetch_all(case.statement, schema), names, case.ordered)) != expected:
        return f"{case.kind}: {case.statement}\nfetch_all {found}\nsession   {expected}"
    if not case.ordered:
        return None
    first = await fetch_one(case.statement, schema)
    if (found := table([first] if first is not None else [], names, True)) != expected[:1]:
        return f"{case.kind}: {case.statement}\nfetch_one {found}\nsession   {expected[:1]}"
    value = exact(await fetch_value(case.statement))
    if value != (expected[0][0] if expected else exact(None)):
        return f"{case.kind}: {case.statement}\nfetch_value {value}\nsession     {expected[:1]}"
    return None


async def test_300_statements_give_what_a_session_gives(filled: Database, resources: Any) -> None:
    statements = Statements(SEED)
    ran: Counter[str] = Counter()
    wrong = []
    for number in range(STATEMENTS):
        case = statements.make(number)
        if number % 4 == 0:
            async with unit_of_work(resources) as unit:
                await unit.session.execute(
                    insert(SPECIMEN).values(specimens(random.Random(number), 1, 900)[0])
                )
                found = await difference(case, unit.session, ran)
                count = await fetch_value(
                    select(func.count()).select_from(SPECIMEN).where(SPECIMEN.c.id == 900)
                )
                await unit.rollback()
            assert count == 1
            ran["in a transaction"] += 1
        else:
            async with filled.sessions() as session:
                found = await difference(case, session, ran)
        if found is not None:
            wrong.append(f"{number}: {found}")
    print(ran)
    assert not wrong, f"{len(wrong)} differ:\n" + "\n".join(wrong[:5])
    assert ran.pop("in a transaction") == 75
    assert ran.pop("with rows") > 200
    assert sum(ran.values()) == STATEMENTS
    assert len(ran) == 7
    assert statements.filters == set(FilterTypeEnum)


def in_order(statement: Select[Any], sort: str) -> Select[Any]:
    """A statement in the order that a list promises: NULL is the largest value, the key comes last."""
    terms: list[Any] = []
    down = False
    for word in sort.split(","):
        down, column = word.startswith("-"), SPECIMEN.c[word.removeprefix("-")]
        terms += [term.desc() if down else term.asc() for term in (column.is_(None), column)]
    terms.append(SPECIMEN.c.id.desc() if down else SPECIMEN.c.id.asc())
    return statement.order_by(*terms)


async def walk(statement: Select[Any], schema: type[BaseModel], size: int, sort: str) -> list[Any]:
    """All items of a list, page by page behind the cursor."""
    items: list[Any] = []
    after = None
    while True:
        page = await paginate_query(
            statement,
            PaginateRequest(size=size, sort=sort, after=after),
            schema,
            sortable=[SPECIMEN.c[name] for name in ORDERED],
            keyset=True,
        )
        items += page.items
        if page.next is None:
            return items
        assert len(items) < 1000
        after = page.next


async def test_pages_hold_what_a_session_gives(filled: Database) -> None:
    statements = Statements(SEED + 1)
    chance = random.Random(SEED + 2)
    names = ["id", *VALUES]
    schema = anything(names)
    walked = 0
    for number in range(WALKS):
        chosen = [ORDERED[number % len(ORDERED)], chance.choice(ORDERED)]
        sort = ",".join(chance.choice(["", "-"]) + name for name in dict.fromkeys(chosen))
        conditions = statements.conditions() if number % 2 else []
        statement = select(SPECIMEN).where(true(), *conditions)
        size = chance.choice([3, 7, 50])
        async with filled.sessions() as session:
            rows = (await session.execute(in_order(statement, sort))).all()
        expected = table(rows, names, True)
        assert table(await walk(statement, schema, size, sort), names, True) == expected, sort
        page = await paginate_query(
            statement,
            PaginateRequest(page=2, size=size, sort=sort),
            schema,
            sortable=[SPECIMEN.c[name] for name in ORDERED],
        )
        assert table(page.items, names, True) == expected[size : 2 * size], sort
        assert page.total == len(rows)
        walked += len(rows)
    assert walked > WALKS * 5
