"""Parcels: what of an order is on its way, and the end of an order whose goods have arrived."""

from collections.abc import Mapping
from datetime import timedelta

from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.config import section
from xumi.kernel.db.bulk import insert_many
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.events.outbox import publish
from xumi.kernel.ids import generate_key
from xumi.kernel.jobs import job, schedule
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.events import OrderShipped
from xumi.modules.shop.order.models import Order, OrderLine, Shipment, ShipmentLine
from xumi.modules.shop.order.service import machine
from xumi.modules.shop.order.service.pieces import read_lines
from xumi.modules.shop.order.settings import OrderSettings

_SWEEP = 500


async def ship(
    session: AsyncSession,
    order: Order,
    carrier: str,
    tracking_number: str,
    quantities: Mapping[str, int] | None = None,
) -> str:
    """Send a parcel of a locked order; with the last piece the order is shipped. Returns the parcel's id.

    Args:
        session: the caller's.
        order: locked, and paid.
        carrier: who brings it.
        tracking_number: unique for the carrier.
        quantities: SKU → pieces in this parcel; None for all that are not on their way yet.

    Raises:
        APIException: WRONG_STATE; VALIDATION_FAILED (`lines.<n>.sku_id` or `.quantity`); DUPLICATE, the carrier has a parcel of
            this number.
    """
    machine.check_move(order, OrderState.SHIPPED)
    lines = await read_lines(session, order)
    if quantities is None:
        quantities = {
            line.sku_id: line.quantity - line.shipped for line in lines if line.shipped < line.quantity
        }
    _check(lines, quantities)
    packed = [line for line in lines if line.sku_id in quantities]
    shipment = Shipment(
        id=generate_key(), order_id=order.id, carrier=carrier, tracking_number=tracking_number
    )
    session.add(shipment)
    for line in packed:
        line.shipped += quantities[line.sku_id]
    rows = [
        {"shipment_id": shipment.id, "order_line_id": line.id, "quantity": quantities[line.sku_id]}
        for line in packed
    ]
    await insert_many(session, ShipmentLine, rows)
    is_last = all(line.shipped == line.quantity for line in lines)
    if is_last:
        machine.move(order, OrderState.SHIPPED)
    publish(
        OrderShipped(
            order_id=order.id,
            number=order.number,
            user_id=order.user_id,
            carrier=carrier,
            tracking_number=tracking_number,
            complete=is_last,
            at=clock.now(),
        )
    )
    return shipment.id


def _check(lines: list[OrderLine], quantities: Mapping[str, int]) -> None:
    waiting = {line.sku_id: line.quantity - line.shipped for line in lines}
    errors = []
    for n, (sku_id, quantity) in enumerate(quantities.items()):
        if sku_id not in waiting:
            errors.append(FieldError(f"lines.{n}.sku_id", "is not in this order"))
        elif quantity > waiting[sku_id]:
            errors.append(FieldError(f"lines.{n}.quantity", f"{waiting[sku_id]} pieces wait to be sent"))
    if errors:
        raise APIException(APICode.VALIDATION_FAILED, errors=errors)


def complete(order: Order, reason: str) -> None:
    """The goods of a locked order have arrived.

    Raises:
        APIException: WRONG_STATE.
    """
    machine.move(order, OrderState.COMPLETED, reason)


@job("order.complete", retries=10)
async def complete_order(session: AsyncSession, order_id: str) -> bool:
    """Complete an order that nobody has confirmed; False where somebody has, or it was shipped too short a time ago."""
    order = await machine.lock_by_id(session, order_id)
    days = section(OrderSettings).complete_after_days
    if order is None or order.state is not OrderState.SHIPPED or order.shipped_at is None:
        return False
    if order.shipped_at > clock.now() - timedelta(days=days):
        return False
    complete(order, f"{days} days after it was shipped")
    return True


@schedule(every_seconds=3600)
@job("order.complete_shipped")
async def complete_shipped(session: AsyncSession) -> int:
    """Find the orders that were shipped long ago; returns how many."""
    days = section(OrderSettings).complete_after_days
    before = clock.now() - timedelta(days=days)
    found = list(
        await session.scalars(
            select(Order.id)
            .where(Order.state == OrderState.SHIPPED, Order.shipped_at <= before)
            .order_by(Order.shipped_at)
            .limit(_SWEEP)
        )
    )
    for order_id in found:
        # A transaction for each: what one locks is locked in one order.
        await complete_order.enqueue(order_id=order_id, unique_key=order_id)
    return len(found)
