"""What happened in the demo's shop: orders over months, each step at its time, by the services that do it in a real shop."""

import random
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import SimpleNamespace
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import current
from xumi.kernel.ids import generate_key
from xumi.modules.shop.demo.constants import CUSTOMERS, DAYS, ORDERS_A_DAY
from xumi.modules.shop.demo.service.assortment import CARRIERS, Language, pick
from xumi.modules.shop.demo.service.rows import add, list_skus, make_id
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.payment import service as payments

# What becomes of an order, how often, and after how long each step comes. A step that would lie in the future does not come, so
# that the youngest orders are still on their way.
_MINUTES, _DAY = 1, 24 * 60
_FATES: tuple[tuple[int, tuple[tuple[str, int], ...]], ...] = (
    (70, (("pay", 5 * _MINUTES), ("ship", _DAY), ("complete", 5 * _DAY))),
    (10, (("pay", 20 * _MINUTES), ("ship", 3 * _DAY), ("complete", 12 * _DAY))),
    (10, (("expire", 31 * _MINUTES),)),
    (6, (("cancel", 10 * _MINUTES),)),
    (4, (("pay", 5 * _MINUTES), ("cancel", _DAY // 2))),
)


@dataclass
class _Order:
    """An order that is going to be placed.

    Attributes:
        number: what it is called once it was placed.
    """

    index: int
    user: int
    lines: list[tuple[str, int, int]]
    number: str = ""


def _plan(chance: random.Random) -> list[tuple[datetime, str, _Order]]:
    """All steps of all orders until now, in the order of time."""
    end, skus = clock.now(), list_skus()
    steps = []
    for index in range(DAYS * ORDERS_A_DAY):
        placed = end - timedelta(minutes=chance.uniform(1, DAYS * _DAY))
        # The last ones of all wait to be paid.
        if index < ORDERS_A_DAY:
            placed = end - timedelta(minutes=1 + index)
        picked = chance.sample(skus, chance.randint(1, 3))
        lines = [(sku, fen, chance.choice((1, 1, 1, 2, 3))) for sku, fen in picked]
        # Some customers come often.
        user = min(chance.randint(1, CUSTOMERS), chance.randint(1, CUSTOMERS))
        order = _Order(index, user, lines)
        (fate,) = chance.choices([fate for _, fate in _FATES], [weight for weight, _ in _FATES])
        steps.append((placed, "place", order))
        for name, minutes in fate:
            due = placed + timedelta(minutes=minutes * chance.uniform(1, 1.2))
            if due < end:
                steps.append((due, name, order))
    return sorted(steps, key=lambda step: step[0])


async def live_through(
    session: AsyncSession, chance: random.Random, language: Language
) -> AsyncIterator[tuple[int, int]]:
    """Let everything happen; after each step yields how many have come, and how many there are."""
    steps = _plan(chance)
    with clock.travel() as journey:
        for done, (at, name, order) in enumerate(steps, 1):
            journey.move(to=at)
            await (_place(session, order) if name == "place" else _go_on(session, order, name, language))
            yield done, len(steps)


async def _place(session: AsyncSession, order: _Order) -> None:
    user = make_id("USER", order.user)
    principal = Principal(user, ("user",), "demo", frozenset())
    lines = [SimpleNamespace(sku_id=sku, price_fen=fen, quantity=pieces) for sku, fen, pieces in order.lines]
    # What a client sends; the schema of another feature is no door.
    body: Any = SimpleNamespace(
        address_id=make_id("ADDRESS", order.user), lines=lines, note=None, from_cart=False
    )
    order.number = (await orders.place(session, principal, body)).number
    work = current().unit_of_work
    assert work is not None
    # What becomes of it comes in the same transaction.
    await work.flush()


async def _go_on(session: AsyncSession, planned: _Order, name: str, language: Language) -> None:
    order = await orders.lock_order(session, planned.number, make_id("USER", planned.user))
    if name == "pay":
        payment = {"id": generate_key(), "order_id": order.id, "provider": payments.OfflineProvider.name}
        await add(session, "shop_payment", [payment | {"state": "pending", "amount_fen": order.total_fen}])
        await payments.settle(session, payment["id"], f"DEMO-{order.number}", order.total_fen)
    elif name == "ship":
        carrier = pick(CARRIERS[planned.index % len(CARRIERS)], language)
        await orders.ship(session, order, carrier, f"DEMO{order.number}")
    elif name == "complete":
        orders.complete(order, pick(("已确认收货", "confirmed by the customer"), language))
    elif name == "cancel":
        await orders.cancel(session, order, pick(("不想要了", "changed his mind"), language))
    else:
        await orders.expire(session, order.id)
