"""The ledger: pieces move between available, reserved and sold, and each movement is written down with the change.

All changes of one call lock their SKUs in the order of their ids, so that two calls never wait for each other in a circle.
"""

from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple, cast

from sqlalchemy import CursorResult, bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import find_actor_id
from xumi.kernel.db.direct import execute
from xumi.kernel.db.session import insert_last
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.events.outbox import publish
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.errors import OutOfStock
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

Change = tuple[int, int, int]
"""By how much `available`, `reserved` and `sold` change for each piece."""

_CHANGES: dict[MovementKind, Change] = {
    MovementKind.RESERVED: (-1, 1, 0),
    MovementKind.RELEASED: (1, -1, 0),
    MovementKind.SOLD: (0, -1, 1),
    MovementKind.RETURNED: (1, 0, -1),
}


async def reserve(session: AsyncSession, quantities: Mapping[str, int], reference: str) -> None:
    """Keep pieces for an order that is not paid yet.

    Args:
        session: the caller's.
        quantities: SKU → pieces.
        reference: id of the order.

    Raises:
        OutOfStock: of some SKUs fewer pieces are left; nothing was reserved.
    """
    await _move(session, MovementKind.RESERVED, quantities, reference)


async def release(session: AsyncSession, quantities: Mapping[str, int], reference: str) -> None:
    """What was reserved can be sold to others again; see `reserve`."""
    await _move(session, MovementKind.RELEASED, quantities, reference)


async def sell(session: AsyncSession, quantities: Mapping[str, int], reference: str) -> None:
    """What was reserved is sold; see `reserve`."""
    await _move(session, MovementKind.SOLD, quantities, reference)


async def give_back(session: AsyncSession, quantities: Mapping[str, int], reference: str) -> None:
    """What was sold can be sold again; see `reserve`."""
    await _move(session, MovementKind.RETURNED, quantities, reference)


async def adjust(session: AsyncSession, sku_id: str, change: int, reason: str) -> int:
    """Goods came in, were counted or were lost; returns how many are available now.

    Raises:
        APIException: NOT_FOUND; VALIDATION_FAILED, more would be taken away than are available.
    """
    step = (change, 0, 0)
    found = await _lock(session, [sku_id])
    if not found:
        raise APIException(APICode.NOT_FOUND)
    level = await _change(session, sku_id, step)
    if level is None:
        reason = f"only {found[0].available} pieces are available"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("change", reason)])
    _write(MovementKind.ADJUSTED, level, step, None, reason)
    return level.available


class _Level(NamedTuple):
    sku_id: str
    available: int
    low_at: int


async def _lock(session: AsyncSession, sku_ids: Iterable[str]) -> list[_Level]:
    return [_Level(*row) for row in await execute(session, _LOCKED, {"sku_ids": sorted(sku_ids)})]


async def _change(session: AsyncSession, sku_id: str, change: Change) -> _Level | None:
    """Change a row, which stays locked, and return what there is then; None if there is no such row, or too little available."""
    available, reserved, sold = change
    values = {"sku_id": sku_id, "d_available": available, "d_reserved": reserved, "d_sold": sold}
    if session.get_bind().dialect.update_returning:
        rows = await execute(session, _CHANGE_AND_TELL, values)
        return _Level(*rows[0]) if rows else None
    done = cast(CursorResult[Any], await session.execute(_CHANGE, values))
    return (await _lock(session, [sku_id]))[0] if done.rowcount else None


async def _move(
    session: AsyncSession, kind: MovementKind, quantities: Mapping[str, int], reference: str
) -> None:
    steps = _CHANGES[kind]
    waiting = dict(sorted(quantities.items()))
    for sku_id, pieces in list(waiting.items()):
        available, reserved, sold = steps
        change = (available * pieces, reserved * pieces, sold * pieces)
        level = await _change(session, sku_id, change)
        if level is None:
            # Locked: others may have given some back meanwhile.
            left = {each.sku_id: each.available for each in await _lock(session, waiting)}
            short = {each: left.get(each, 0) for each in waiting if left.get(each, 0) < waiting[each]}
            if short:
                raise OutOfStock(short)
            level = await _change(session, sku_id, change)
            assert level is not None, "what is locked stays as it is"
        del waiting[sku_id]
        _write(kind, level, change, reference, None)


def _write(
    kind: MovementKind, level: _Level, change: Change, reference: str | None, reason: str | None
) -> None:
    """Write down how a row came to be as it is."""
    available, reserved, sold = change
    insert_last(
        Movement,
        sku_id=level.sku_id,
        kind=kind,
        available=available,
        reserved=reserved,
        sold=sold,
        reference=reference,
        reason=reason,
        actor_id=find_actor_id(),
    )
    if level.available <= level.low_at < level.available - available:
        publish(StockLow(sku_id=level.sku_id, available=level.available, low_at=level.low_at))
