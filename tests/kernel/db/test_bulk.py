"""Many rows at once: what is written, in which order, and that a row is neither lost nor written twice."""

import asyncio
import tracemalloc
from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import IntegrityError

from tests.kernel.db.tables import Author, Book, Color, Seat
from xumi.kernel import clock
from xumi.kernel.db.bulk import BATCH_ROWS, insert_many, upsert
from xumi.kernel.db.engine import Database
from xumi.kernel.schema import InputSchema

LONG_AGO = clock.now() - timedelta(days=1)


class NewSeat(InputSchema):
    """A seat as a client sends it."""

    row: str
    number: int


async def seats(database: Database) -> list[tuple[str, int]]:
    async with database.sessions() as session:
        found = await session.execute(select(Seat.row, Seat.number).order_by(Seat.row, Seat.number))
        return [(row, number) for row, number in found]


async def author(database: Database, name: str) -> Author:
    async with database.sessions() as session:
        return (await session.scalars(select(Author).where(Author.name == name))).one()


async def test_rows_get_the_defaults_of_the_model(database: Database) -> None:
    async with database.sessions.begin() as session:
        assert await insert_many(session, Author, [{"name": "a"}, {"name": "b"}]) == 2
    found = [await author(database, "a"), await author(database, "b")]
    assert len({each.id for each in found}) == 2
    assert all(len(each.id) == 26 and each.active and each.created_at > LONG_AGO for each in found)


async def test_attributes_may_have_other_names_than_their_columns(database: Database) -> None:
    row = {"title": "A", "color": Color.DARK_BLUE, "data": {"a": [1]}, "pages": None, "sold_at": LONG_AGO}
    async with database.sessions.begin() as session:
        await insert_many(session, Book, [row])
        book = (await session.scalars(select(Book))).one()
    assert (book.title, book.color, book.data, book.pages) == ("A", Color.DARK_BLUE, {"a": [1]}, None)
    assert (book.tags, book.public, book.sold_at) == ([], False, LONG_AGO)


async def test_schemas_are_rows(database: Database) -> None:
    async with database.sessions.begin() as session:
        assert await insert_many(session, Seat, [NewSeat(row="A", number=2), NewSeat(row="A", number=1)]) == 2
        assert await upsert(session, Seat, [NewSeat(row="A", number=1)], key=[Seat.row, Seat.number]) == 1
    assert await seats(database) == [("A", 1), ("A", 2)]


async def test_no_rows_are_no_work(database: Database) -> None:
    async with database.sessions.begin() as session:
        assert await insert_many(session, Seat, []) == 0
        assert await upsert(session, Seat, [], key=[Seat.row, Seat.number]) == 0
    assert await seats(database) == []


async def test_what_the_session_holds_back_is_written_first(database: Database) -> None:
    async with database.sessions.begin() as session:
        session.add(Author(id="held back", name="a"))
        await insert_many(session, Book, [{"title": "A", "color": Color.RED, "author_id": "held back"}])
        session.add(Author(name="b", active=True))
        await upsert(session, Author, [{"name": "b", "active": False}], key=[Author.name])
    assert not (await author(database, "b")).active


async def test_a_row_that_exists_keeps_its_id_and_what_is_not_named(database: Database) -> None:
    async with database.sessions.begin() as session:
        session.add(Author(id="first", name="a", active=False, created_at=LONG_AGO, updated_at=LONG_AGO))
    rows = [{"id": "second", "name": name, "born": LONG_AGO.date()} for name in ("a",)]
    async with database.sessions.begin() as session:
        assert await upsert(session, Author, rows, key=[Author.name]) == 1
    found = await author(database, "a")
    assert (found.id, found.active, found.born) == ("first", False, LONG_AGO.date())
    assert found.created_at == LONG_AGO < found.updated_at


async def test_only_what_update_names_is_updated(database: Database) -> None:
    row = {"name": "a", "active": True, "born": LONG_AGO.date()}
    async with database.sessions.begin() as session:
        await insert_many(session, Author, [row])
        changed = [row | {"active": False, "born": None}]
        await upsert(session, Author, changed, key=[Author.name], update=[Author.born])
    found = await author(database, "a")
    assert (found.active, found.born) == (True, None)


async def test_rows_of_several_batches_are_inserted_or_updated(database: Database) -> None:
    count = 2 * BATCH_ROWS + 1
    async with database.sessions.begin() as session:
        await insert_many(session, Author, [{"name": f"{n:05}"} for n in range(0, count, 2)])
        rows = [{"name": f"{n:05}", "active": False} for n in reversed(range(count))]
        assert await upsert(session, Author, rows, key=[Author.name]) == count
        idle = select(func.count()).select_from(Author).where(Author.active.is_(False))
        assert await session.scalar(idle) == count


async def test_a_row_that_breaks_a_constraint_takes_all_with_it(database: Database) -> None:
    rows = [{"row": "A", "number": n} for n in range(BATCH_ROWS + 5)]
    with pytest.raises(IntegrityError):
        async with database.sessions.begin() as session:
            await insert_many(session, Seat, [*rows, rows[0]])
    assert await seats(database) == []


async def test_a_rollback_undoes_it(database: Database) -> None:
    async with database.sessions() as session:
        await insert_many(session, Seat, [{"row": "A", "number": 1}])
        await upsert(session, Seat, [{"row": "A", "number": 2}], key=[Seat.row, Seat.number])
        await session.rollback()
    assert await seats(database) == []


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([{"name": "a", "colour": 1}], "Author has no column 'colour'"),
        ([{"name": "a"}, {"name": "b", "active": True}], "row 2 and row 1 differ in active"),
        ([{"name": "a", "active": True}, {"name": "b"}], "row 2 and row 1 differ in active"),
        ([{"name": "a"}, {"name": "b"}, {"name": "a"}], r"the key \('a',\) comes twice"),
        ([{"name": None}], "has a None"),
        ([{"active": True}], "leave out name of the key"),
    ],
)
async def test_rows_that_cannot_be_meant(database: Database, rows: list[Any], message: str) -> None:
    async with database.sessions() as session:
        with pytest.raises(ValueError, match=message):
            await upsert(session, Author, rows, key=[Author.name])


async def test_update_must_be_among_what_the_rows_name(database: Database) -> None:
    async with database.sessions() as session:
        with pytest.raises(ValueError, match="update names active"):
            await upsert(session, Author, [{"name": "a"}], key=[Author.name], update=[Author.active])


async def test_two_that_write_the_same_keys_do_not_lock_each_other(database: Database) -> None:
    names = [f"{n:05}" for n in range(600)]

    async def write(order: list[str], active: bool) -> None:
        async with database.sessions.begin() as session:
            await upsert(session, Author, [{"name": n, "active": active} for n in order], key=[Author.name])

    for _ in range(5):
        await asyncio.gather(write(names, True), write(names[::-1], False))
    async with database.sessions() as session:
        found = (await session.execute(select(Author.active, func.count()).group_by(Author.active))).all()
    assert [count for _, count in found] == [600], "one of them was last, for all rows"


async def test_many_rows_need_the_memory_of_few(database: Database) -> None:
    count, batches = 50_000, []

    def rows() -> Iterator[dict[str, Any]]:
        for number in range(count):
            yield {"id": f"{number:026}", "row": "A", "number": number}

    def see(_c: Any, _cursor: Any, _s: str, parameters: Any, _x: Any, _many: bool) -> None:
        batches.append(len(parameters))

    event.listen(database.engine.sync_engine, "before_cursor_execute", see)
    tracemalloc.start()
    try:
        async with database.sessions.begin() as session:
            assert await insert_many(session, Seat, rows()) == count
        peak = tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()
        event.remove(database.engine.sync_engine, "before_cursor_execute", see)
    assert sum(batches) == count
    assert max(batches) == BATCH_ROWS
    assert peak < 8 * 1024 * 1024
