"""The ledger: pieces move between available, reserved and sold, and each movement is written down with the change.

At a sale everybody wants the same rows. So moves are made at the end of the transaction that asks for them, when the rest of it has
been sent; what it read before shows the rows as they were. All changes of one call lock their SKUs in the order of their ids, so that
two calls never wait for each other in a circle.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, Select, bindparam, insert, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.context import find_actor_id
from xumi.kernel.db.direct import execute
from xumi.kernel.db.session import insert_last, lock_last
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.events.outbox import publish
from xumi.kernel.ids import generate_key
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.events import StockLow
from xumi.modules.shop.stock.models import Movement, Stock

_table: Any = Stock.__table__
_LOCKED = (
    select(_table.c.id, _table.c.available, _table.c.low_at)
    .where(_table.c.id.in_(bindparam("sku_ids", expanding=True)))
    .order_by(_table.c.id)
    .with_for_update()
)
_CHANGE = (
    update(_table)
    .where(_table.c.id == bindparam("sku_id"), _table.c.available + bindparam("d_available") >= 0)
    .values(
        available=_table.c.available + bindparam("d_available"),
        reserved=_table.c.reserved + bindparam("d_reserved"),
        sold=_table.c.sold + bindparam("d_sold"),
    )
)
_CHANGE_AND_TELL = _CHANGE.returning(_table.c.id, _table.c.available, _table.c.low_at)


def _write_too() -> Select[Any]:
    """The change and its line as one statement: others have to wait for one round trip less."""
    line: Any = Movement.__table__
    changed = _CHANGE_AND_TELL.cte("changed")
    values: dict[str, Any] = {
        column.name: bindparam(column.name, type_=column.type).label(column.name) for column in line.columns
    }
    values |= {"sku_id": changed.c.id}
    values |= {name: bindparam(f"d_{name}", type_=line.c[name].type).label(name) for name in _NUMBERS}
    rows = select(*values.values()).select_from(changed)
    written = insert(line).from_select(list(values), rows, include_defaults=False)
    return select(changed.c.id, changed.c.available, changed.c.low_at).add_cte(written.cte("written"))


_NUMBERS = ("available", "reserved", "sold")
_CHANGE_AND_WRITE = _write_too()

# By how much `available`, `reserved` and `sold` change for each piece.
_CHANGES = {
    MovementKind.RESERVED: (-1, 1, 0),
    MovementKind.RELEASED: (1, -1, 0),
    MovementKind.SOLD: (0, -1, 1),
    MovementKind.RETURNED: (1, 0, -1),
}


Refuse = Callable[[Mapping[str, int]], Exception]
"""Makes the error for a transaction that wants more than there is, from what is left of each SKU of which it does."""


def reserve(quantities: Mapping[str, int], reference: str, refuse: Refuse) -> None:
    """Keep pieces for an order that is not paid yet, if there are enough when the transaction ends.

    Args:
        quantities: SKU → pieces.
        reference: id of the order.
        refuse: says what the end of the transaction raises if there are not.
    """
    _move(MovementKind.RESERVED, quantities, reference, refuse)


def release(quantities: Mapping[str, int], reference: str) -> None:
    """What was reserved can be sold to others again; see `reserve`."""
    _move(MovementKind.RELEASED, quantities, reference)


def sell(quantities: Mapping[str, int], reference: str) -> None:
    """What was reserved is sold; see `reserve`."""
    _move(MovementKind.SOLD, quantities, reference)


def give_back(quantities: Mapping[str, int], reference: str) -> None:
    """What was sold can be sold again; see `reserve`."""
    _move(MovementKind.RETURNED, quantities, reference)


async def adjust(session: AsyncSession, sku_id: str, change: int, reason: str) -> int:
    """Goods came in, were counted or were lost; returns how many are available now.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED, more would be taken away than are available.
    """
    found = await _lock(session, [sku_id])
    if not found:
        raise APIException(APICode.NOT_FOUND)
    level = await _change(session, _Step(MovementKind.ADJUSTED, sku_id, change, reason=reason))
    if level is None:
        reason = f"only {found[0].available} pieces are available"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("change", reason)])
    return level.available


class _Step(NamedTuple):
    """A line of the ledger that is to be."""

    kind: MovementKind
    sku_id: str
    available: int
    reserved: int = 0
    sold: int = 0
    reference: str | None = None
    reason: str | None = None


class _Level(NamedTuple):
    sku_id: str
    available: int
    low_at: int


async def _lock(session: AsyncSession, sku_ids: Iterable[str]) -> list[_Level]:
    return [_Level(*row) for row in await execute(session, _LOCKED, {"sku_ids": sorted(sku_ids)})]


async def _change(session: AsyncSession, step: _Step) -> _Level | None:
    """Change a row, which stays locked, write down the change, and return what there is then; None if there is no such row, or too
    little available.
    """
    change = {
        "sku_id": step.sku_id,
        "d_available": step.available,
        "d_reserved": step.reserved,
        "d_sold": step.sold,
    }
    cause = {
        "id": generate_key(),
        "kind": step.kind,
        "reference": step.reference,
        "reason": step.reason,
        "actor_id": find_actor_id(),
        "created_at": clock.now(),
    }
    dialect = session.get_bind().dialect
    if dialect.name == "postgresql":
        rows = await execute(session, _CHANGE_AND_WRITE, {**change, **cause}, takes_rows=True)
    elif dialect.update_returning:
        rows = await execute(session, _CHANGE_AND_TELL, change)
    else:
        done = cast(CursorResult[Any], await session.execute(_CHANGE, change))
        rows = await _lock(session, [step.sku_id]) if done.rowcount else []
    if not rows:
        return None
    if dialect.name != "postgresql":
        numbers = {name: getattr(step, name) for name in _NUMBERS}
        insert_last(Movement, sku_id=step.sku_id, **numbers, **cause)
    level = _Level(*rows[0])
    if level.available <= level.low_at < level.available - step.available:
        publish(StockLow(sku_id=level.sku_id, available=level.available, low_at=level.low_at))
    return level


def _move(
    kind: MovementKind, quantities: Mapping[str, int], reference: str, refuse: Refuse = LookupError
) -> None:
    available, reserved, sold = _CHANGES[kind]
    steps = [
        _Step(kind, sku_id, available * pieces, reserved * pieces, sold * pieces, reference)
        for sku_id, pieces in sorted(quantities.items())
    ]
    lock_last(partial(_change_all, steps=steps, refuse=refuse), takes_rows=True)


async def _change_all(session: AsyncSession, *, steps: Sequence[_Step], refuse: Refuse) -> None:
    for number, step in enumerate(steps):
        if await _change(session, step) is not None:
            continue
        # Locked: others may have given some back meanwhile.
        waiting = steps[number:]
        left = {
            each.sku_id: each.available for each in await _lock(session, [each.sku_id for each in waiting])
        }
        short = {each.sku_id: left.get(each.sku_id, 0) for each in waiting if not _is_possible(each, left)}
        if short:
            raise refuse(short)
        level = await _change(session, step)
        assert level is not None, "what is locked stays as it is"


def _is_possible(step: _Step, left: Mapping[str, int]) -> bool:
    return step.sku_id in left and left[step.sku_id] + step.available >= 0
