"""A small shop whose numbers agree: one order in each state, put straight into the tables."""

from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from xumi.kernel import clock
from xumi.modules.account.models import User
from xumi.modules.shop.catalog.models import Category, Product, Sku
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.models import Order, OrderChange, OrderLine, Purchase, Shipment, ShipmentLine
from xumi.modules.shop.payment.enums import PaymentState
from xumi.modules.shop.payment.models import Payment, Refund
from xumi.modules.shop.sales.models import Customer, DailyProduct, DailySales
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.models import Movement, Stock

PRICE_FEN, FREIGHT_FEN, DISCOUNT_FEN = 1000, 300, 100
# Every order has two pieces of one SKU.
PIECES = 2
TOTAL_FEN = PIECES * PRICE_FEN + FREIGHT_FEN - DISCOUNT_FEN
CAME_IN = 100

UNPAID, PAID, SHIPPED = OrderState.UNPAID, OrderState.PAID, OrderState.SHIPPED
COMPLETED, CANCELLED, CLOSED = OrderState.COMPLETED, OrderState.CANCELLED, OrderState.CLOSED
# What became of each order, by the name that the tests call it by.
LIVES = {
    "unpaid": [UNPAID],
    "paid": [UNPAID, PAID],
    "shipped": [UNPAID, PAID, SHIPPED],
    "completed": [UNPAID, PAID, SHIPPED, COMPLETED],
    "cancelled": [UNPAID, CANCELLED],
    "returned": [UNPAID, PAID, CANCELLED],
    "closed": [UNPAID, CLOSED],
}
MOVES = {
    UNPAID: (MovementKind.RESERVED, -PIECES, PIECES, 0),
    PAID: (MovementKind.SOLD, 0, -PIECES, PIECES),
}
BACK = {
    UNPAID: (MovementKind.RELEASED, PIECES, -PIECES, 0),
    PAID: (MovementKind.RETURNED, PIECES, 0, -PIECES),
}


def build(session: Session) -> None:
    """Put the shop into an empty database that has the user `admin`. Ids of orders are the keys of `LIVES`."""
    user_id = session.scalars(select(User.id)).one()
    session.add(Category(id="category", name="Tea"))
    session.add(Stock(id="sku", available=CAME_IN, reserved=0, sold=0))
    session.flush()
    pictures: dict[str, Any] = {"pictures": [], "properties": []}
    session.add(
        Product(id="product", code="p", name="Tea", category_id="category", price_fen=PRICE_FEN, **pictures)
    )
    session.flush()
    for name, price, key in (("sku", PRICE_FEN, "a"), ("dearer", PRICE_FEN + 1, "b")):
        session.add(
            Sku(id=name, product_id="product", code=name, options={}, options_key=key, price_fen=price)
        )
    _move(session, "in", MovementKind.ADJUSTED, CAME_IN, 0, 0, None)
    session.flush()
    for name, life in LIVES.items():
        _add_order(session, name, life, user_id)
    _add_figures(session, user_id)
    alive = sum(not {CANCELLED, CLOSED} & set(life) for life in LIVES.values())
    session.add(Purchase(user_id=user_id, product_id="product", quantity=alive * PIECES))


def _add_figures(session: Session, user_id: str) -> None:
    paid = sum(PAID in life for life in LIVES.values())
    ended = sum(bool({CANCELLED, CLOSED} & set(life)) for life in LIVES.values())
    returned = sum(PAID in life and CANCELLED in life for life in LIVES.values())
    day, line_fen = clock.now().date(), PIECES * PRICE_FEN - DISCOUNT_FEN
    session.add_all(
        [
            DailySales(
                day=day,
                placed=len(LIVES),
                paid=paid,
                paid_fen=paid * TOTAL_FEN,
                ended=ended,
                refunded_fen=returned * TOTAL_FEN,
                new_customers=1,
            ),
            DailyProduct(
                day=day,
                product_id="product",
                quantity=paid * PIECES,
                fen=paid * line_fen,
                returned=returned * PIECES,
                returned_fen=returned * line_fen,
            ),
            Customer(id=user_id, first_paid_on=day),
        ]
    )


def _move(
    session: Session,
    key: str,
    kind: MovementKind,
    available: int,
    reserved: int,
    sold: int,
    order: str | None,
) -> None:
    session.add(
        Movement(
            id=key,
            sku_id="sku",
            kind=kind,
            available=available,
            reserved=reserved,
            sold=sold,
            reference=order,
        )
    )
    if order is not None:
        stock = session.get_one(Stock, "sku")
        stock.available += available
        stock.reserved += reserved
        stock.sold += sold


def _add_order(session: Session, name: str, life: list[OrderState], user_id: str) -> None:
    now = clock.now()
    times: dict[str, datetime] = {}
    for state, column in ((PAID, "paid_at"), (SHIPPED, "shipped_at"), (COMPLETED, "completed_at")):
        if state in life:
            times[column] = now
    if life[-1] in (CANCELLED, CLOSED):
        times["ended_at"] = now
    session.add(
        Order(
            id=name,
            number=name,
            user_id=user_id,
            state=life[-1],
            goods_fen=PIECES * PRICE_FEN,
            freight_fen=FREIGHT_FEN,
            discount_fen=DISCOUNT_FEN,
            total_fen=TOTAL_FEN,
            address={},
            expires_at=now + timedelta(minutes=30),
            **times,
        )
    )
    session.flush()
    shipped = PIECES if SHIPPED in life else 1 if name == "paid" else 0
    line = OrderLine(
        id=name,
        order_id=name,
        sku_id="sku",
        product_id="product",
        sku_code="sku",
        name="Tea",
        options={},
        price_fen=PRICE_FEN,
        quantity=PIECES,
        discount_fen=DISCOUNT_FEN,
        total_fen=PIECES * PRICE_FEN - DISCOUNT_FEN,
        limited=True,
        shipped=shipped,
    )
    session.add(line)
    _add_log(session, name, life)
    if shipped:
        session.add(Shipment(id=name, order_id=name, carrier="SF", tracking_number=name))
        session.flush()
        session.add(ShipmentLine(id=name, shipment_id=name, order_line_id=name, quantity=shipped))
    _add_payment(session, name, life, now)


def _add_log(session: Session, name: str, life: list[OrderState]) -> None:
    before: OrderState | None = None
    for after in life:
        session.add(
            OrderChange(
                id=f"{name}-{after.value}", order_id=name, before=before, after=after, created_at=clock.now()
            )
        )
        move = MOVES.get(after)
        if after in (CANCELLED, CLOSED) and before is not None:
            move = BACK[before]
        if move is not None:
            _move(session, f"{name}-{after.value}", *move, name)
        before = after


def _add_payment(session: Session, name: str, life: list[OrderState], now: datetime) -> None:
    """Whoever paid did so once, after he had begun twice; the order that was closed was paid all the same, too late."""
    state = (
        PaymentState.PAID if PAID in life else PaymentState.LATE if CLOSED in life else PaymentState.PENDING
    )
    came = state is not PaymentState.PENDING
    session.add_all(
        [
            Payment(
                id=name,
                order_id=name,
                provider="offline",
                state=state,
                amount_fen=TOTAL_FEN,
                settled=True if state is PaymentState.PAID else None,
                reference=name if came else None,
                paid_at=now if came else None,
            ),
            Payment(
                id=f"{name}-first",
                order_id=name,
                provider="offline",
                state=PaymentState.CLOSED,
                amount_fen=TOTAL_FEN,
            ),
        ]
    )
    session.flush()
    if name in ("closed", "returned"):
        session.add(Refund(id=name, payment_id=name, amount_fen=TOTAL_FEN, reason="too late"))
