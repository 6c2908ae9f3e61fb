"""The ledger: pieces move between available, reserved and sold, and each movement is written down with the change.

All changes of one call lock their SKUs in the order of their ids, so that two calls never wait for each other in a circle.
"""

from collections.abc import Mapping
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.context import find_current
from xumi.kernel.db.bulk import insert_many
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.events.outbox import publish
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.errors import OutOfStock
from xumi.modules.shop.stock.events import StockLow
from xumi.modules.shop.stock.models import Movement, Stock

_table: Any = Stock.__table__
_LOCKED = (
    select(Stock.id, Stock.available, Stock.reserved, Stock.sold, Stock.low_at)
    .where(Stock.id.in_(bindparam("sku_ids", expanding=True)))
    .order_by(Stock.id)
    .with_for_update()
)
_CHANGE = (
    update(_table)
    .where(_table.c.id == bindparam("sku_id"))
    .values(
        available=_table.c.available + bindparam("d_available"),
        reserved=_table.c.reserved + bindparam("d_reserved"),
        sold=_table.c.sold + bindparam("d_sold"),
    )
)

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
    found = (await session.execute(_LOCKED, {"sku_ids": [sku_id]})).one_or_none()
    if found is None:
        raise APIException(APICode.NOT_FOUND)
    if found.available + change < 0:
        reason = f"only {found.available} pieces are available"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("change", reason)])
    await _write(session, MovementKind.ADJUSTED, [(found, (change, 0, 0))], None, reason)
    return int(found.available + change)


async def _move(
    session: AsyncSession, kind: MovementKind, quantities: Mapping[str, int], reference: str
) -> None:
    if not quantities:
        return
    rows = (await session.execute(_LOCKED, {"sku_ids": sorted(quantities)})).all()
    each = _CHANGES[kind]
    changes = [(row, tuple(step * quantities[row.id] for step in each)) for row in rows]
    short = {row.id: row.available for row, change in changes if row.available + change[0] < 0}
    short.update(dict.fromkeys(quantities.keys() - {row.id for row in rows}, 0))
    if short:
        raise OutOfStock(short)
    await _write(session, kind, changes, reference, None)


async def _write(
    session: AsyncSession, kind: MovementKind, changes: Any, reference: str | None, reason: str | None
) -> None:
    """Change locked rows; the table's CHECKs refuse what would leave less than nothing."""
    names = ("available", "reserved", "sold")
    await session.execute(
        _CHANGE,
        [
            {"sku_id": row.id, **{f"d_{name}": part for name, part in zip(names, change, strict=True)}}
            for row, change in changes
        ],
    )
    context = find_current()
    principal = context.principal if context is not None else None
    shared = {
        "kind": kind,
        "reference": reference,
        "reason": reason,
        "actor_id": principal.user_id if principal is not None else None,
    }
    await insert_many(
        session,
        Movement,
        [{"sku_id": row.id, **dict(zip(names, change, strict=True)), **shared} for row, change in changes],
    )
    for row, change in changes:
        left = row.available + change[0]
        if left <= row.low_at < row.available:
            publish(StockLow(sku_id=row.id, available=left, low_at=row.low_at))
