"""The ways to read and write scoped models, each with what it should give for a caller who sees a part of the world."""

from collections import Counter
from collections.abc import Awaitable, Callable
from contextlib import suppress
from typing import Any

from pydantic import BaseModel, create_model
from sqlalchemy import Select, case, delete, exists, func, insert, literal, or_, select, union_all, update
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import aliased, selectinload
from sqlalchemy.orm.exc import StaleDataError

from tests.kernel.db.scoped import Label, Line, Memo, Order, World
from xumi.kernel.context import current
from xumi.kernel.db.query import PaginateRequest, paginate_query
from xumi.kernel.db.read import fetch_all, fetch_one, fetch_value
from xumi.kernel.db.scope import unscoped

Run = Callable[[AsyncSession], Awaitable[Any]]
Expect = Callable[[World], Any]
PATHS: dict[str, tuple[Run, Expect]] = {}

other = aliased(Order)
orders, lines = Order.__table__, Line.__table__


def path(expected: Expect) -> Callable[[Run], Run]:
    """Declare a path by what it should give; it goes by its function's name."""

    def declare(run: Run) -> Run:
        PATHS[run.__name__] = run, expected
        return run

    return declare


def reads(name: str, statement: Select[Any], expected: Expect) -> None:
    """Declare a statement that is run compiled, in the session, and counted by a list; it gives rows of texts and numbers."""
    names = [str(column.key) for column in statement.selected_columns]
    schema = create_model("Row", **dict.fromkeys(names, (Any, ...)))  # type: ignore[call-overload]

    async def compiled(_: AsyncSession) -> Any:
        return sorted(_tuple(row, names) for row in await fetch_all(statement, schema))

    async def in_session(session: AsyncSession) -> Any:
        return sorted(tuple(row) for row in await session.execute(statement))

    async def total(_: AsyncSession) -> Any:
        page = await paginate_query(statement, PaginateRequest(size=1), schema)
        return page.total

    PATHS[f"{name}, compiled"] = compiled, lambda seen: sorted(expected(seen))
    PATHS[f"{name}, session"] = in_session, lambda seen: sorted(expected(seen))
    PATHS[f"{name}, total"] = total, lambda seen: len(expected(seen))


def _tuple(row: Any, names: list[str]) -> tuple[Any, ...]:
    return tuple(getattr(row, name) for name in names)


def ids(rows: list[dict[str, Any]]) -> list[tuple[str]]:
    """What a list of ids looks like as rows."""
    return [(row["id"],) for row in rows]


def joined(seen: World) -> list[tuple[str, str]]:
    """Lines with their orders, where both are seen."""
    known = {row["id"] for row in seen.orders}
    return [(row["id"], row["order_id"]) for row in seen.lines if row["order_id"] in known]


def outer(seen: World) -> list[tuple[str, str]]:
    """Orders with their lines, or none."""
    by_order: dict[str, list[str]] = {row["id"]: [] for row in seen.orders}
    for row in seen.lines:
        by_order.get(row["order_id"], []).append(row["id"])
    return [(order, line) for order, found in by_order.items() for line in found or ["-"]]


def labels_of(seen: World, orders_seen: set[str]) -> list[tuple[str]]:
    """The labels of these orders."""
    return [(row["id"],) for row in seen.labels if row["order_id"] in orders_seen]


def order_ids(seen: World) -> set[str]:
    """The ids of the orders that are seen."""
    return {row["id"] for row in seen.orders}


reads("columns", select(Order.id), lambda seen: ids(seen.orders))
reads("by value", select(Order.id).where(Order.amount > 2),
      lambda seen: ids([row for row in seen.orders if row["amount"] > 2]))  # fmt: skip
reads("either", select(Order.id).where(or_(Order.amount > 4, literal(1) == 1)), lambda seen: ids(seen.orders))
reads("department only", select(Line.id), lambda seen: ids(seen.lines))
reads("owner only", select(Memo.id), lambda seen: ids(seen.memos))
reads("core", select(orders.c.id), lambda seen: ids(seen.orders))
reads("alias", select(other.id), lambda seen: ids(seen.orders))
reads("core alias", select(orders.alias("x").c.id), lambda seen: ids(seen.orders))
reads("join", select(Line.id, Line.order_id).join(Order), joined)
reads("join to", select(Line.id, Order.id.label("order")).join(Line.order), joined)
reads("core join", select(lines.c.id, orders.c.id.label("order")).select_from(lines.join(orders)), joined)
reads("outer join",
      select(Order.id, func.coalesce(Line.id, "-").label("line")).outerjoin(Order.lines), outer)  # fmt: skip
reads("core outer join",
      select(orders.c.id, func.coalesce(lines.c.id, "-").label("line")).select_from(orders.outerjoin(lines)),
      outer)  # fmt: skip
reads("nested outer join",
      select(Label.id, func.coalesce(lines.c.id, "-").label("line"))
      .outerjoin(orders.join(lines), orders.c.id == Label.order_id),
      lambda seen: [
          (label, line)
          for (label,), order in zip(ids(seen.labels), [row["order_id"] for row in seen.labels], strict=True)
          for line in [found for found, of in joined(seen) if of == order] or ["-"]
      ])  # fmt: skip
reads("two of one", select(Order.id, other.id.label("other")).join(other, other.amount == Order.amount + 1),
      lambda seen: [(a["id"], b["id"]) for a in seen.orders for b in seen.orders if b["amount"] == a["amount"] + 1])  # fmt: skip
reads(
    "implicit",
    select(Label.id).where(Label.order_id == Order.id),
    lambda seen: labels_of(seen, order_ids(seen)),
)
reads("in", select(Label.id).where(Label.order_id.in_(select(Order.id))),
      lambda seen: labels_of(seen, order_ids(seen)))  # fmt: skip
reads("exists", select(Label.id).where(exists().where(Order.id == Label.order_id)),
      lambda seen: labels_of(seen, order_ids(seen)))  # fmt: skip
reads("not exists", select(Label.id).where(~select(Order.id).where(Order.id == Label.order_id).exists()),
      lambda seen: labels_of(seen, {row["order_id"] for row in seen.labels} - order_ids(seen)))  # fmt: skip
reads("any", select(Order.id).where(Order.lines.any(Line.quantity > 3)),
      lambda seen: [(key,) for key in order_ids(seen)
                    & {row["order_id"] for row in seen.lines if row["quantity"] > 3}])  # fmt: skip
reads("scalar",
      select(Label.id, select(func.count(Line.id)).where(Line.order_id == Label.order_id).scalar_subquery().label("n")),
      lambda seen: [(row["id"], Counter(line["order_id"] for line in seen.lines)[row["order_id"]])
                    for row in seen.labels])  # fmt: skip
reads("grouped", select(Order.amount, func.count().label("n")).group_by(Order.amount),
      lambda seen: list(Counter(row["amount"] for row in seen.orders).items()))  # fmt: skip
reads(
    "distinct",
    select(Order.amount).distinct(),
    lambda seen: [(each,) for each in {r["amount"] for r in seen.orders}],
)
reads("subquery", select(select(Order.id, Order.amount).subquery().c.id), lambda seen: ids(seen.orders))
reads("cte", select(select(Order.id).cte("c").c.id), lambda seen: ids(seen.orders))
_both = union_all(select(Order.id), select(Line.id), select(Memo.id)).subquery()
reads("union", select(_both.c.id), lambda seen: ids(seen.orders) + ids(seen.lines) + ids(seen.memos))


class Item(BaseModel):
    """An order in a list."""

    id: str
    amount: int


@path(lambda seen: sorted((row["amount"], row["id"]) for row in seen.orders))
async def pages_by_keyset(_: AsyncSession) -> Any:
    found, after = [], None
    while True:
        request = PaginateRequest(size=7, after=after, sort="amount")
        page = await paginate_query(select(Order), request, Item, sortable=[Order.amount], keyset=True)
        found += [(item.amount, item.id) for item in page.items]
        if (after := page.next) is None:
            return found


async def _remembered(count: Any) -> Any:
    page = await paginate_query(
        select(Order), PaginateRequest(size=1, count=count), Item, counts=("cached", "estimate")
    )
    return page.total


@path(lambda seen: len(seen.orders))
async def remembered_total(_: AsyncSession) -> Any:
    return await _remembered("cached")


@path(lambda seen: sorted(f"{row['id']},{row['amount']}" for row in seen.orders))
async def file(_: AsyncSession) -> Any:
    response: Any = await paginate_query(select(Order), PaginateRequest(export="csv"), Item)
    text = b"".join([chunk async for chunk in response.body_iterator]).decode("utf-8-sig")
    return sorted(text.splitlines()[1:])


@path(lambda seen: len(seen.orders))
async def value(_: AsyncSession) -> Any:
    return await fetch_value(select(func.count()).select_from(Order))


@path(lambda seen: [row["id"] for row in seen.orders if row["id"] < "o08"])
async def one_by_one(_: AsyncSession) -> Any:
    found = [await fetch_one(select(Order).where(Order.id == f"o{n:02}"), Item) for n in range(8)]
    return [item.id for item in found if item is not None]


@path(lambda seen: [row["id"] for row in seen.orders if row["id"] < "o08"])
async def gets(session: AsyncSession) -> Any:
    return [found.id for n in range(8) if (found := await session.get(Order, f"o{n:02}")) is not None]


@path(lambda seen: [row["id"] for row in seen.orders if row["id"] < "o08"])
async def gets_of_what_is_loaded(session: AsyncSession) -> Any:
    with unscoped():
        loaded = (await session.scalars(select(Order))).all()
    assert len(loaded) == 24
    return [found.id for n in range(8) if (found := await session.get(Order, f"o{n:02}")) is not None]


@path(
    lambda seen: sorted(
        (row["id"], tuple(line for line, of in joined(seen) if of == row["id"])) for row in seen.orders
    )
)
async def collections(session: AsyncSession) -> Any:
    found = (await session.scalars(select(Order).options(selectinload(Order.lines)))).all()
    return sorted((order.id, tuple(line.id for line in order.lines)) for order in found)


@path(lambda seen: sorted((line["id"], line["order_id"] in order_ids(seen)) for line in seen.lines))
async def lazy_parents(session: AsyncSession) -> Any:
    found = (await session.scalars(select(Line))).all()
    return sorted(
        [(line.id, await session.run_sync(lambda _, one=line: one.order is not None)) for line in found]
    )  # type: ignore[misc]


async def _amounts(session: AsyncSession) -> dict[str, int]:
    with unscoped():
        return dict((await session.execute(select(orders.c.id, orders.c.amount))).all())  # type: ignore[arg-type]


async def _changed(session: AsyncSession, statement: Any) -> Any:
    """The orders that a statement changed or deleted."""
    before = await _amounts(session)
    await session.execute(statement, execution_options={"synchronize_session": False})
    after = await _amounts(session)
    return sorted(key for key in before if after.get(key) != before[key])


@path(lambda seen: sorted(order_ids(seen)))
async def updates(session: AsyncSession) -> Any:
    return await _changed(session, update(Order).values(amount=Order.amount + 10))


@path(lambda seen: sorted(row["id"] for row in seen.orders if row["amount"] > 2))
async def core_updates(session: AsyncSession) -> Any:
    return await _changed(session, update(orders).where(orders.c.amount > 2).values(amount=99))


@path(lambda seen: sorted({order for _, order in joined(seen)}))
async def updates_by_others(session: AsyncSession) -> Any:
    statement = update(Order).where(Order.id.in_(select(Line.order_id))).values(amount=50)
    return await _changed(session, statement)


@path(lambda seen: sorted({order for _, order in joined(seen)}))
async def updates_from_others(session: AsyncSession) -> Any:
    return await _changed(session, update(Order).where(Order.id == Line.order_id).values(amount=50))


@path(lambda seen: sorted(order_ids(seen)))
async def updates_that_are_told_to_the_session(session: AsyncSession) -> Any:
    before = await _amounts(session)
    statement = update(Order).where(Order.amount < 90).values(amount=70)
    await session.execute(statement, execution_options={"synchronize_session": "fetch"})
    after = await _amounts(session)
    return sorted(key for key in before if after[key] != before[key])


@path(lambda seen: sorted(key for key in order_ids(seen) if key < "o06"))
async def updates_by_key(session: AsyncSession) -> Any:
    """A bulk update by primary key, one row each; for a row that is not reached the ORM finds that none was updated."""
    before = await _amounts(session)
    for number in range(6):
        with suppress(StaleDataError):
            async with session.begin_nested():
                await session.execute(update(Order), [{"id": f"o{number:02}", "amount": 70}])
    after = await _amounts(session)
    return sorted(key for key in before if after[key] != before[key])


@path(lambda seen: sorted(row["id"] for row in seen.memos))
async def deletes(session: AsyncSession) -> Any:
    with unscoped():
        before = set(await session.scalars(select(Memo.id)))
    await session.execute(delete(Memo))
    with unscoped():
        return sorted(before - set(await session.scalars(select(Memo.id))))


@path(lambda seen: sorted(row["id"] for row in seen.memos if row["order_id"] in order_ids(seen)))
async def deletes_by_others(session: AsyncSession) -> Any:
    with unscoped():
        before = set(await session.scalars(select(Memo.id)))
    await session.execute(delete(Memo).where(Memo.order_id.in_(select(Order.id))))
    with unscoped():
        return sorted(before - set(await session.scalars(select(Memo.id))))


@path(lambda seen: sorted(order_ids(seen)))
async def copies(session: AsyncSession) -> Any:
    chosen = select(literal("c-") + Order.id, Order.id)
    await session.execute(insert(Label).from_select(["id", "order_id"], chosen))
    return sorted(await session.scalars(select(Label.order_id).where(Label.id.like("c-%"))))


@path(lambda seen: sorted(order_ids(seen)))
async def inside_a_transaction(session: AsyncSession) -> Any:
    """A compiled read of a request that has begun to write."""
    session.add(Label(id="new", order_id="-"))
    await session.flush()
    assert current().unit_of_work is not None
    return sorted(item.id for item in await fetch_all(select(Order), Item))


@path(lambda seen: sum(row["amount"] for row in seen.orders))
async def expression(session: AsyncSession) -> Any:
    total = func.coalesce(func.sum(case((Order.amount > 0, Order.amount), else_=0)), 0)
    return int(await session.scalar(select(total)) or 0)
