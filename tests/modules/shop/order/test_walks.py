"""Random walks of orders: whatever is tried in whatever order, an order is where the rules say, and its money and stock are with it."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from dataclasses import dataclass, field

import httpx
import pytest
from hypothesis import HealthCheck, example, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from tests.conftest import make_settings
from tests.modules.shop.errands import Errands
from tests.modules.shop.market import SIGNING_KEY, Buyer, Market, open_market
from tests.siege.record import record
from tests.siege.scale import is_full
from xumi.api import create_app
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.ids import generate_key
from xumi.kernel.testing.client import open_client, running

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.siege,
    pytest.mark.timeout(1800),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

WALKS = 5_000 if is_full() else 100
STOCK = 1_000
# What may follow what, as people were told; not read from the code.
LEGAL = {
    ("unpaid", "paid"),
    ("unpaid", "cancelled"),
    ("unpaid", "closed"),
    ("paid", "cancelled"),
    ("paid", "shipped"),
    ("shipped", "completed"),
}
# Everything that a walk leaves behind, parts before wholes.
TABLES = (
    *(
        "shop_refund",
        "shop_payment",
        "shop_shipment_line",
        "shop_shipment",
        "shop_order_change",
        "shop_order_line",
    ),
    *("shop_order", "shop_purchase", "job", "kernel_idempotency_key"),
)


@dataclass
class Expected:
    """Where an order is, by the rules.

    Attributes:
        waiting: pieces by SKU that are not on their way.
        begun: payments that were begun and not closed, with their amounts.
        due: whether its time is over.
        late: how often money came too late.
    """

    number: str
    waiting: dict[str, int]
    state: str = "unpaid"
    path: list[str] = field(default_factory=lambda: ["unpaid"])
    begun: dict[str, int] = field(default_factory=dict)
    shipped: bool = False
    due: bool = False
    late: int = 0

    def go(self, state: str) -> None:
        """Change the state."""
        self.state = state
        self.path.append(state)


class Walker:
    """Somebody who tries one thing after another with an order, and knows each time what must come of it.

    Args:
        market: where the order is.
        errands: how things are tried.
        order: the order.
    """

    def __init__(self, market: Market, errands: Errands, order: Expected) -> None:
        self.market, self.errands, self.order = market, errands, order
        self.buyer: Buyer = market.buyers[0]

    async def begin_payment(self) -> None:
        """Say that one will pay."""
        answer = await self.errands.begin_payment(self.buyer, self.order.number)
        self.expect(answer, self.order.state == "unpaid")
        if answer.status_code == 201:
            payment = answer.json()["data"]
            self.order.begun[payment["id"]] = payment["amount_fen"]

    async def settle(self) -> None:
        """The money of each payment that was ever begun comes, twice told."""
        for payment_id, amount in self.order.begun.items():
            wins = self.order.state == "unpaid"
            reference = generate_key()
            told = [await self.errands.settle(payment_id, amount, reference) for _ in range(2)]
            assert told == ["paid" if wins else "late"] * 2
            if wins:
                self.order.go("paid")
            else:
                self.order.late += 1

    async def pay_offline(self) -> None:
        """The shop takes note of a transfer."""
        ((total,),) = self.market.query(
            "SELECT total_fen FROM shop_order WHERE number = :n", n=self.order.number
        )
        body = {"reference": generate_key(), "amount_fen": total}
        answer = await self.errands.post(
            f"/shop/orders/{self.order.number}/pay-offline", self.market.admin, body
        )
        assert answer.status_code == 200, answer.text
        wins = self.order.state == "unpaid"
        assert answer.json()["data"]["state"] == ("paid" if wins else "late")
        if wins:
            self.order.go("paid")
        else:
            self.order.late += 1

    async def cancel(self) -> None:
        """The customer does not want it any more."""
        legal = self.order.state == "unpaid"
        self.expect(await self.errands.cancel(self.buyer, self.order.number), legal)
        if legal:
            self.order.go("cancelled")

    async def cancel_by_shop(self) -> None:
        """The shop cannot send it."""
        legal = self.order.state == "unpaid" or (self.order.state == "paid" and not self.order.shipped)
        path = f"/shop/orders/{self.order.number}/cancel"
        self.expect(await self.errands.post(path, self.market.admin, {"reason": "damaged"}), legal)
        if legal:
            self.order.go("cancelled")

    async def let_time_pass(self) -> None:
        """Its time is over; nobody has noticed yet."""
        assert await self.errands.make_due(self.order.number) == "due"
        self.order.due = True

    async def sweep(self) -> None:
        """The job that closes what was not paid in time."""
        closes = self.order.due and self.order.state == "unpaid"
        assert await self.errands.sweep() == closes
        if closes:
            self.order.go("closed")

    async def ship_a_piece(self) -> None:
        """A parcel with one piece of one SKU that waits, or of any, where none does."""
        sku_id = next(
            (sku for sku, count in self.order.waiting.items() if count), next(iter(self.order.waiting))
        )
        await self.ship([{"sku_id": sku_id, "quantity": 1}], {sku_id: 1})

    async def ship_the_rest(self) -> None:
        """A parcel with all that waits."""
        await self.ship(None, dict(self.order.waiting))

    async def ship(self, lines: object, pieces: dict[str, int]) -> None:
        """A parcel."""
        legal = self.order.state == "paid"
        body = {"carrier": "SF Express", "tracking_number": generate_key(), "lines": lines}
        path = f"/shop/orders/{self.order.number}/ship"
        self.expect(await self.errands.post(path, self.market.admin, body), legal)
        if not legal:
            return
        for sku_id, count in pieces.items():
            self.order.waiting[sku_id] -= count
        self.order.shipped = True
        if not any(self.order.waiting.values()):
            self.order.go("shipped")

    async def confirm(self) -> None:
        """Everything has arrived."""
        legal = self.order.state == "shipped"
        self.expect(
            await self.errands.post(f"/orders/{self.order.number}/confirm", self.buyer.headers), legal
        )
        if legal:
            self.order.go("completed")

    def expect(self, answer: httpx.Response, legal: bool) -> None:
        """What is legal is done; what is not is refused as a conflict."""
        assert (answer.is_success, answer.status_code == 409) == (legal, not legal), answer.text

    def check(self) -> None:
        """The order is where it is expected, has been where it was, and the shop is sound."""
        ((state,),) = self.market.query("SELECT state FROM shop_order WHERE number = :n", n=self.order.number)
        assert state == self.order.state
        logged = self.market.query("SELECT c.before, c.after FROM shop_order_change c")
        steps = list(zip([None, *self.order.path], self.order.path, strict=False))
        assert sorted(logged, key=str) == sorted(steps, key=str)
        assert set(steps[1:]) <= LEGAL
        late = self.market.query("SELECT count(*) FROM shop_payment WHERE state = 'late'")
        assert late == [(self.order.late,)]
        assert self.market.broken() == {}


Step = Callable[[Walker], Awaitable[None]]
STEPS: tuple[Step, ...] = (
    Walker.begin_payment,
    Walker.settle,
    Walker.pay_offline,
    Walker.cancel,
    Walker.cancel_by_shop,
    Walker.let_time_pass,
    Walker.sweep,
    Walker.ship_a_piece,
    Walker.ship_the_rest,
    Walker.confirm,
)


@pytest.fixture
async def errands(database_url: str) -> AsyncIterator[Errands]:
    """The application, in which nobody is limited."""
    app = create_app(
        make_settings(
            database_url, jwt_secret_key=SIGNING_KEY, rate_limit_enabled=False, log_level="CRITICAL"
        )
    )
    async with running(app), open_client(app) as client:
        yield Errands(app, client)


@pytest.fixture
def market(database_url: str) -> Market:
    """One buyer and two SKUs of a product that nobody may buy too much of."""
    market = open_market(sync_engine(parse_url(database_url)[1]), database_url, 1)
    market.add_goods(2, STOCK, limit_per_user=STOCK)
    return market


def tidy(market: Market) -> None:
    """Forget the walk before, so that the invariants have little to read."""
    market.execute(
        *(f"DELETE FROM {table}" for table in TABLES),
        "DELETE FROM shop_stock_movement WHERE kind <> 'adjusted'",
        "UPDATE shop_stock SET available = :stock, reserved = 0, sold = 0",
        stock=STOCK,
    )


@pytest.fixture(scope="module")
def tally() -> Iterator[Counter[str]]:
    """What came of all walks: how many there were, and how often an order came into each state."""
    counted: Counter[str] = Counter()
    yield counted
    record("shop-walks", dict(counted) | {"illegal_states": 0, "invariants_broken": 0})


@hypothesis_settings(
    max_examples=WALKS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(steps=st.lists(st.sampled_from(STEPS), min_size=3, max_size=12))
@example([Walker.begin_payment, Walker.settle, Walker.ship_a_piece, Walker.ship_the_rest, Walker.confirm])
@example([Walker.begin_payment, Walker.let_time_pass, Walker.sweep, Walker.settle, Walker.settle])
@example([Walker.pay_offline, Walker.cancel_by_shop, Walker.pay_offline, Walker.sweep])
@example([Walker.begin_payment, Walker.cancel, Walker.settle, Walker.ship_the_rest])
async def test_every_walk_is_legal(
    errands: Errands, market: Market, tally: Counter[str], steps: list[Step]
) -> None:
    # Beside the event loop: the application's own chores write too, and SQLite lets one go on at a time.
    await asyncio.to_thread(tidy, market)
    basket = dict(zip(market.prices, (2, 1), strict=True))
    placed = await errands.place(market.buyers[0], market.order(market.buyers[0], basket))
    assert placed.status_code == 201, placed.text
    walker = Walker(market, errands, Expected(placed.json()["data"]["number"], dict(basket)))
    walker.check()
    for step in steps:
        await step(walker)
    walker.check()
    assert errands.failures == []
    tally.update(["walks", *walker.order.path])
    tally["steps"] += len(steps)
    tally["late_payments"] += walker.order.late
