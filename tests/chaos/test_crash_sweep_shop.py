"""The server dies at every point of placing, cancelling, expiring, paying and shipping: the shop's numbers agree, and the retry succeeds."""

import time
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.modules.shop.market import SIGNING_KEY, Buyer, Market, open_market
from tests.siege.record import record
from tests.siege.scale import EVERY, is_full, on_databases
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.testing.crash import crash_sweep

pytestmark = [pytest.mark.siege, pytest.mark.slow, pytest.mark.timeout(600), on_databases("postgresql")]

PATIENCE_SECONDS = 20.0
PIECES = 2
# Background work that expires orders.
TASKS = ("chore jobs", "job order.expire")


@pytest.fixture
def market(database_url: str) -> Market:
    return open_market(sync_engine(parse_url(database_url)[1]), database_url, 1)


class Orders:
    """What the flows share: an order of two SKUs of a product with a limit.

    Args:
        market: where.
    """

    def __init__(self, market: Market) -> None:
        self.market = market
        self.buyer: Buyer = market.buyers[0]
        self.goods = market.add_goods(2, 10_000, limit_per_user=10_000)

    def place(self, client: httpx.Client, run: int) -> str:
        """Place the order of a run, or find that it was placed; its number."""
        body = self.market.order(self.buyer, dict.fromkeys(self.goods, PIECES)) | {"note": f"run {run}"}
        headers = self.buyer.headers | {"Idempotency-Key": f"run-{run}"}
        answer = client.post("/api/v1/orders", json=body, headers=headers)
        assert answer.status_code == 201, answer.text
        return str(answer.json()["data"]["number"])

    def prepare(self, client: httpx.Client, run: int) -> str:
        """An order that waits for its payment."""
        return self.place(client, run)

    def post(self, client: httpx.Client, path: str, headers: dict[str, str], body: Any) -> httpx.Response:
        """Send a write."""
        return client.post(f"/api/v1{path}", json=body, headers=headers)

    def state(self, number: str) -> str:
        """Where an order is."""
        ((state,),) = self.market.query("SELECT state FROM shop_order WHERE number = :n", n=number)
        return str(state)

    def check_state(self, number: str, before: str, after: str, acknowledged: bool) -> None:
        """All of the work or nothing; and everything agrees with everything."""
        assert self.state(number) in ((after,) if acknowledged else (before, after))
        assert self.market.broken() == {}


class Placing(Orders):
    """Place an order."""

    def prepare(self, _client: httpx.Client, run: int) -> str:
        return str(run)

    def act(self, client: httpx.Client, run: str) -> None:
        number = self.place(client, int(run))
        assert self.state(number) == "unpaid"

    def check(self, run: str, acknowledged: bool) -> None:
        found = self.market.query("SELECT state FROM shop_order WHERE note = :note", note=f"run {run}")
        assert found in ([("unpaid",)], *([] if acknowledged else [[]]))
        pieces = self.market.query("SELECT sum(quantity) FROM shop_order_line")[0][0] or 0
        reserved = [level[1] for level in self.market.levels(self.goods).values()]
        assert sum(reserved) == pieces
        # An order that nobody pays must not be forgotten: its job is committed with it.
        orders = self.market.query("SELECT count(*) FROM shop_order")
        assert orders == self.market.query("SELECT count(*) FROM job WHERE name = 'order.expire'")
        assert self.market.broken() == {}


class Cancelling(Orders):
    """Cancel one's order."""

    def act(self, client: httpx.Client, number: str) -> None:
        answer = self.post(client, f"/orders/{number}/cancel", self.buyer.headers, {"reason": "no need"})
        # Whoever is told that it cannot be cancelled looks, and sees that it is.
        assert answer.status_code in (204, 409), answer.text
        assert self.state(number) == "cancelled"

    def check(self, number: str, acknowledged: bool) -> None:
        self.check_state(number, "unpaid", "cancelled", acknowledged)


class Expiring(Orders):
    """Let an order's time be over, and wait for the job that closes it."""

    def act(self, client: httpx.Client, number: str) -> None:
        self.market.execute("UPDATE shop_order SET expires_at = created_at WHERE number = :n", n=number)
        self.market.execute(
            "UPDATE job SET due_at = created_at WHERE name = 'order.expire' AND state = 'queued'"
        )
        # From here on what the job does counts; the questions below do not.
        client.get("/health").raise_for_status()
        end = time.monotonic() + PATIENCE_SECONDS
        while self.state(number) != "closed":
            if time.monotonic() > end:
                raise TimeoutError(f"order {number} was not closed")
            # A server that was killed does not answer this, which ends the waiting.
            httpx.get(client.base_url.join("/health")).raise_for_status()
            time.sleep(0.02)

    def check(self, number: str, acknowledged: bool) -> None:
        self.check_state(number, "unpaid", "closed", acknowledged)


class Paying(Orders):
    """The shop takes note of the money."""

    def act(self, client: httpx.Client, number: str) -> None:
        ((total,),) = self.market.query("SELECT total_fen FROM shop_order WHERE number = :n", n=number)
        body = {"reference": f"transfer-{number}", "amount_fen": total}
        answer = self.post(client, f"/shop/orders/{number}/pay-offline", self.market.admin, body)
        assert answer.status_code == 200, answer.text
        assert answer.json()["data"]["state"] == "paid"

    def check(self, number: str, acknowledged: bool) -> None:
        self.check_state(number, "unpaid", "paid", acknowledged)
        assert self.market.query("SELECT count(*) FROM shop_refund") == [(0,)]


class Shipping(Paying):
    """Send everything in one parcel."""

    def prepare(self, client: httpx.Client, run: int) -> str:
        number = self.place(client, run)
        super().act(client, number)
        return number

    def act(self, client: httpx.Client, number: str) -> None:
        body = {"carrier": "SF Express", "tracking_number": f"SF{number}"}
        answer = self.post(client, f"/shop/orders/{number}/ship", self.market.admin, body)
        # Whoever is told that it cannot be shipped looks, and sees that it is.
        assert answer.status_code in (200, 201, 204, 409), answer.text
        assert self.state(number) == "shipped"

    def check(self, number: str, acknowledged: bool) -> None:
        self.check_state(number, "paid", "shipped", acknowledged)


@pytest.mark.parametrize("flow", [Placing, Cancelling, Expiring, Paying, Shipping])
def test_the_numbers_agree_at_every_point(
    flow: type[Placing], tmp_path: Path, market: Market, database_url: str
) -> None:
    environment = {
        "DATABASE_URL": database_url,
        "JWT_SECRET_KEY": SIGNING_KEY,
        "RATE_LIMIT_ENABLED": "false",
        "JOB_LEASE_SECONDS": "2",
    }
    tasks = TASKS if flow is Expiring else ()
    killed = crash_sweep(flow(market), tmp_path, environment, tasks=tasks, every=EVERY)
    kind = market.engine.dialect.name
    record(f"crash-sweep-shop-{flow.__name__.lower()}-{kind}", {"kills": len(killed), "points": killed})
    assert len(killed) >= (10 if is_full() else 2)
    if is_full():
        assert any("shop_" in point for point in killed), killed
