"""Orders to count, as the events tell of them and as the tables hold them."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import httpx
import pytest
from sqlalchemy import select

from tests.modules.account.conftest import cheap_passwords, settings
from tests.modules.shop.catalog.conftest import category, make, send
from xumi.api import Application
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.events.outbox import publish
from xumi.kernel.events.relay import Relay
from xumi.kernel.ids import generate_key
from xumi.modules.account.models import User
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.events import Bought, OrderCancelled, OrderExpired, OrderPaid, OrderPlaced
from xumi.modules.shop.order.models import Order, OrderLine

__all__ = ["category", "cheap_passwords", "make", "send", "settings"]

# The first minute of 2026-11-21 in China.
MIDNIGHT = datetime(2026, 11, 20, 16, 0, tzinfo=UTC)


@dataclass
class Sale:
    """An order that a test makes up: who bought how many of which SKU, and what became of it when."""

    user_id: str
    lines: list[tuple[str, str, int]]
    """Product, SKU, pieces; each costs 10.00."""
    placed_at: datetime
    paid_at: datetime | None = None
    cancelled_at: datetime | None = None
    expired_at: datetime | None = None
    id: str = field(default_factory=generate_key)

    @property
    def fen(self) -> int:
        """What is paid."""
        return sum(1000 * quantity for *_, quantity in self.lines)

    def events(self) -> list[Any]:
        """What is told, in its order."""
        facts: dict[str, Any] = {"order_id": self.id, "number": self.id[-18:], "user_id": self.user_id}
        lines = [Bought(product, sku, quantity, 1000 * quantity) for product, sku, quantity in self.lines]
        told: list[Any] = [OrderPlaced(**facts, total_fen=self.fen, at=self.placed_at)]
        if self.paid_at is not None:
            told.append(OrderPaid(**facts, total_fen=self.fen, lines=lines, at=self.paid_at))
        if self.cancelled_at is not None:
            paid = self.paid_at is not None
            told.append(
                OrderCancelled(**facts, total_fen=self.fen, paid=paid, lines=lines, at=self.cancelled_at)
            )
        if self.expired_at is not None:
            told.append(OrderExpired(**facts, at=self.expired_at))
        return told

    def rows(self) -> list[Any]:
        """What the tables hold; no more of it than is counted."""
        ended_at = self.cancelled_at or self.expired_at
        state = OrderState.CANCELLED if self.cancelled_at else OrderState.CLOSED
        if ended_at is None:
            state = OrderState.PAID if self.paid_at else OrderState.UNPAID
        order = Order(
            id=self.id,
            number=self.id[-18:],
            user_id=self.user_id,
            state=state,
            goods_fen=self.fen,
            freight_fen=0,
            discount_fen=0,
            total_fen=self.fen,
            address={},
            expires_at=self.placed_at + timedelta(minutes=30),
            created_at=self.placed_at,
            paid_at=self.paid_at,
            ended_at=ended_at,
        )
        return [order] + [
            OrderLine(
                order_id=self.id,
                sku_id=sku,
                product_id=product,
                sku_code="sku",
                name="Cup",
                options={},
                price_fen=1000,
                quantity=quantity,
                total_fen=1000 * quantity,
            )
            for product, sku, quantity in self.lines
        ]


async def sell(app: Application, *sales: Sale, told: bool = True) -> None:
    """Write orders down, each in a transaction of its own, and tell of them."""
    with app.resources.context("test"):
        for sale in sales:
            async with unit_of_work() as work:
                order, *lines = sale.rows()
                work.session.add(order)
                await work.session.flush()
                work.session.add_all(lines)
                for event in sale.events() if told else ():
                    publish(event)


async def deliver(app: Application) -> None:
    """Have every event counted."""
    relay = Relay(app.resources)
    while await relay.step() == 0:
        pass


@dataclass
class Shelf:
    """Two products, of which the first has two SKUs, and customers."""

    cup: str
    red: str
    green: str
    pot: str
    blue: str
    users: list[str]


@pytest.fixture
async def shelf(app: Application, admin: httpx.AsyncClient, make: Callable[..., Awaitable[str]]) -> Shelf:
    """What can be bought, and by whom."""
    skus = [
        {"code": name, "options": {"Colour": name}, "price_fen": 1000, "stock": 5}
        for name in ("red", "green")
    ]
    cup, pot = await make(skus=skus), await make()
    found = []
    for product in (cup, pot):
        read = await send(admin, "GET", f"/shop/products/{product}")
        found += [sku["id"] for sku in read["skus"]]
    users = [
        User(
            username=name,
            username_key=name,
            email=f"{name}@example.com",
            email_key=f"{name}@example.com",
            password_hash="!",
        )
        for name in ("alice", "bob", "carol")
    ]
    with app.resources.context("test"):
        async with unit_of_work() as work:
            work.session.add_all(users)
        async with unit_of_work() as work:
            ids = list(
                await work.session.scalars(
                    select(User.id).where(User.password_hash == "!").order_by(User.username)
                )
            )
    return Shelf(cup, found[0], found[1], pot, found[2], ids)
