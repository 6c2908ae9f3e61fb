"""What people do with a shop, by its API where they can: order, pay, cancel, ship; and what its jobs do by themselves."""

import re
from collections.abc import Sequence
from typing import Any

import httpx
from sqlalchemy import select, update

from tests.modules.shop.market import Buyer
from xumi.api import Application
from xumi.kernel import clock
from xumi.kernel.db.scope import unscoped
from xumi.kernel.db.session import retry_on_conflict, separate_transaction
from xumi.kernel.ids import generate_key
from xumi.modules.shop.order import service as orders
from xumi.modules.shop.order.enums import OrderState
from xumi.modules.shop.order.models import Order
from xumi.modules.shop.payment import service as payments

OUT_OF_STOCK = 40980
PROVIDER = "offline"


class Errands:
    """Done in an application that runs.

    Args:
        app: the application.
        client: nobody; each errand signs its own request.

    Attributes:
        failures: the answers that no client may ever get: errors of the server, deadlocks among them.
    """

    def __init__(self, app: Application, client: httpx.AsyncClient) -> None:
        self.app, self.client = app, client
        self.failures: list[str] = []

    async def post(self, path: str, headers: dict[str, str], body: Any = None) -> httpx.Response:
        """Send a write, under a key of its own unless the headers have one."""
        key = {"Idempotency-Key": generate_key()}
        answer = await self.client.post(f"/api/v1{path}", json=body or {}, headers=key | headers)
        if answer.status_code >= 500:
            self.failures.append(f"{path}: {answer.text}")
        return answer

    async def place(self, buyer: Buyer, order: dict[str, Any], key: str | None = None) -> httpx.Response:
        """Order, under this key or one of its own."""
        return await self.post("/orders", buyer.headers | ({"Idempotency-Key": key} if key else {}), order)

    def left(self, answer: httpx.Response, basket: Sequence[str]) -> dict[str, int]:
        """How many pieces are left of the SKUs that were too few, as the refusal of an order for this basket says."""
        body = answer.json()
        assert (answer.status_code, body["code"]) == (409, OUT_OF_STOCK), answer.text
        found = {}
        for error in body["errors"]:
            place = re.fullmatch(r"lines\.(\d+)\.quantity", error["field"])
            count = re.search(r"(\d+) left", error["reason"])
            assert place is not None, error
            assert count is not None, error
            found[basket[int(place[1])]] = int(count[1])
        return found

    async def cancel(self, buyer: Buyer, number: str) -> httpx.Response:
        """Cancel one's own order."""
        return await self.post(f"/orders/{number}/cancel", buyer.headers)

    async def begin_payment(self, buyer: Buyer, number: str) -> httpx.Response:
        """Say that one will pay; `data` is the payment."""
        return await self.post(f"/orders/{number}/payments", buyer.headers, {"provider": PROVIDER})

    async def settle(self, payment_id: str, amount_fen: int, reference: str | None = None) -> str:
        """The provider says that the money came; how the payment ended."""
        told = reference or generate_key()
        with self.app.resources.context("settle"):
            state = await retry_on_conflict(
                lambda session: payments.settle(session, payment_id, told, amount_fen), self.app.resources
            )
        return state.value

    async def pay(self, buyer: Buyer, number: str) -> str:
        """Pay an order in full; how the payment ended, or the status of the refusal."""
        begun = await self.begin_payment(buyer, number)
        if begun.status_code != 201:
            return str(begun.status_code)
        payment = begun.json()["data"]
        return await self.settle(payment["id"], payment["amount_fen"])

    async def make_due(self, number: str) -> str:
        """Let the time of an order be over; nobody notices yet."""
        # By the application's own connections: on SQLite another one could wait for a turn among a crowd too long.
        with self.app.resources.context("make due"):
            async with separate_transaction(self.app.resources) as session:
                with unscoped():
                    due = update(Order).where(Order.number == number).values(expires_at=Order.created_at)
                    await session.execute(due)
        return "due"

    async def sweep(self) -> int:
        """Close what was not paid in time, as the jobs do; returns how many orders that were."""
        resources = self.app.resources
        with resources.context("sweep"):
            async with separate_transaction(resources) as session:
                with unscoped():
                    late = select(Order.id).where(
                        Order.state == OrderState.UNPAID, Order.expires_at < clock.now()
                    )
                    due = list(await session.scalars(late))
        closed = 0
        for order_id in due:
            with resources.context("sweep"):
                closed += await retry_on_conflict(
                    lambda session, order_id=order_id: orders.expire(session, order_id), resources
                )
        return closed
