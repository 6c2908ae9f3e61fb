"""A crowd that wants more than there is: what is sold is exactly what there was, whoever cancels, pays late or lets his order expire."""

import asyncio
import itertools
import random
import time
from collections import Counter
from collections.abc import AsyncIterator, Sequence

import pytest

from tests.conftest import make_settings
from tests.modules.shop.errands import Errands
from tests.modules.shop.market import A_DAY_SECONDS, SIGNING_KEY, Buyer, Market, open_market
from tests.siege.record import record
from tests.siege.scale import is_full, scaled
from xumi.api import create_app
from xumi.kernel.config import Settings
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.testing.client import open_client, running

pytestmark = [pytest.mark.anyio, pytest.mark.siege, pytest.mark.timeout(1800)]

BUYERS, AT_ONCE, ROUNDS = scaled(500), scaled(200), scaled(20)
STOCK, SKUS = (50, 20) if is_full() else (10, 8)
LARGEST_BASKET = 5
# What a buyer does with the order that he got: of a hundred, so many.
FATES = {"pay": 60, "cancel": 15, "expire": 10, "pay late": 15}
QUIET_SECONDS = 120.0


@pytest.fixture
def settings(database_url: str) -> Settings:
    return make_settings(
        database_url,
        jwt_secret_key=SIGNING_KEY,
        access_token_seconds=A_DAY_SECONDS,
        rate_limit_enabled=False,
        worker_enabled=True,
        log_level="CRITICAL",
    )


@pytest.fixture
async def errands(settings: Settings, monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[Errands]:
    """The application, and what buyers and the shop do with it."""
    # On a machine that has other work too, two hundred at once wait longer than the seconds after which a server says "come again".
    monkeypatch.setattr("xumi.kernel.db.engine.POOL_TIMEOUT_SECONDS", 60.0)
    app = create_app(settings)
    async with running(app), open_client(app) as client:
        yield Errands(app, client)


@pytest.fixture
def market(database_url: str) -> Market:
    return open_market(sync_engine(parse_url(database_url)[1]), database_url, BUYERS)


class Crowd:
    """One round: the buyers, what became of them, and the seeds that would repeat it.

    Attributes:
        outcomes: how often each thing happened, answers that nobody may see included.
    """

    def __init__(self, market: Market, errands: Errands, goods: Sequence[str], seed: int) -> None:
        self.market, self.errands, self.goods = market, errands, goods
        self.chance = random.Random(seed)
        self.outcomes: Counter[str] = Counter()
        self.open = asyncio.Semaphore(AT_ONCE)

    def basket(self) -> dict[str, int]:
        """Some SKUs in random order, a piece or two of each."""
        chosen = self.chance.sample(self.goods, self.chance.randint(1, LARGEST_BASKET))
        return {sku_id: self.chance.choice((1, 1, 2)) for sku_id in chosen}

    async def buy(self, buyer: Buyer, basket: dict[str, int]) -> str | None:
        """Order a basket, without what is sold out, until it is placed or empty; returns the order's number."""
        while basket:
            answer = await self.errands.place(buyer, self.market.order(buyer, basket))
            self.outcomes[f"placing: {answer.status_code}"] += 1
            if answer.status_code == 201:
                return str(answer.json()["data"]["number"])
            if answer.status_code != 409:
                return None
            left = self.errands.left(answer, list(basket))
            assert left, answer.text
            basket = {
                sku_id: min(quantity, left.get(sku_id, quantity))
                for sku_id, quantity in basket.items()
                if left.get(sku_id, quantity)
            }
        return None

    async def visit(self, buyer: Buyer) -> None:
        """Come, buy, and do with the order what chance wants."""
        fate = self.chance.choices(list(FATES), FATES.values())[0]
        basket = self.basket()
        async with self.open:
            number = await self.buy(buyer, basket)
            if number is None:
                self.outcomes["left with nothing"] += 1
                return
            if fate == "pay":
                status = await self.errands.pay(buyer, number)
            elif fate == "cancel":
                status = (await self.errands.cancel(buyer, number)).status_code
            elif fate == "expire":
                status = await self.errands.make_due(number)
            else:
                await self.errands.make_due(number)
                status, _ = await asyncio.gather(self.errands.pay(buyer, number), self.errands.sweep())
            self.outcomes[f"{fate}: {status}"] += 1

    async def sell_the_rest(self) -> None:
        """All that is left is bought and paid, one piece a buyer, all of them at once."""
        levels = self.market.levels(self.goods)
        pieces = [sku_id for sku_id, (available, _, _) in levels.items() for _ in range(available)]
        self.chance.shuffle(pieces)
        buyers = itertools.cycle(self.market.buyers)

        async def take(buyer: Buyer, sku_id: str) -> None:
            async with self.open:
                number = await self.buy(buyer, {sku_id: 1})
                assert number is not None
                assert await self.errands.pay(buyer, number) == "paid"

        await asyncio.gather(*(take(next(buyers), sku_id) for sku_id in pieces))


async def sweep_until(done: asyncio.Event, errands: Errands) -> None:
    """What the job does, again and again."""
    while not done.is_set():
        await errands.sweep()
        await asyncio.sleep(0.05)


async def run_round(crowd: Crowd) -> None:
    """The crowd comes; then everything that was put back is sold."""
    done = asyncio.Event()
    sweeping = asyncio.create_task(sweep_until(done, crowd.errands))
    await asyncio.gather(*(crowd.visit(buyer) for buyer in crowd.market.buyers))
    done.set()
    await sweeping
    await crowd.errands.sweep()
    assert crowd.errands.failures == []
    stranded = crowd.market.query("SELECT id FROM shop_order WHERE state = 'unpaid'")
    assert stranded == []
    await crowd.sell_the_rest()
    levels = crowd.market.levels(crowd.goods)
    assert set(levels.values()) == {(0, 0, STOCK)}
    late = await crowd.errands.place(
        crowd.market.buyers[0], crowd.market.order(crowd.market.buyers[0], {crowd.goods[0]: 1})
    )
    assert crowd.errands.left(late, [crowd.goods[0]]) == {crowd.goods[0]: 0}


async def delivered(market: Market) -> None:
    """Return when all events have come to their consumers."""
    end = time.monotonic() + QUIET_SECONDS
    while time.monotonic() < end:
        ((waiting,),) = market.query(
            "SELECT (SELECT count(*) FROM event_outbox WHERE NOT relayed) + "
            "(SELECT count(*) FROM event_delivery WHERE state = 'pending')"
        )
        if waiting == 0:
            return
        await asyncio.sleep(0.2)
    raise AssertionError(f"{waiting} deliveries are still waiting")


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
async def test_what_is_sold_is_what_there_was(errands: Errands, market: Market, database_url: str) -> None:
    seed = random.randrange(1 << 32)
    outcomes: Counter[str] = Counter()
    began = time.monotonic()
    for number in range(ROUNDS):
        crowd = Crowd(market, errands, market.add_goods(SKUS, STOCK), seed + number)
        try:
            await run_round(crowd)
            # With them the figures of the days, and the refunds of what was paid and cancelled.
            await delivered(market)
            broken = market.broken()
            assert broken == {}
        except AssertionError as error:
            error.add_note(f"seed {seed}, round {number}: {dict(crowd.outcomes)}")
            raise
        outcomes += crowd.outcomes
    record(
        f"shop-crowd-{market.engine.dialect.name}",
        {
            "rounds": ROUNDS,
            "buyers": BUYERS,
            "at_once": AT_ONCE,
            "pieces_each_round": STOCK * SKUS,
            "oversold": 0,
            "stranded": 0,
            "server_errors_and_deadlocks_seen": len(errands.failures),
            "outcomes": dict(sorted(outcomes.items())),
            "seconds": round(time.monotonic() - began, 1),
        },
    )
    assert errands.failures == []
    assert {"pay", "cancel", "expire", "pay late"} == {name.partition(":")[0] for name in outcomes} - {
        "placing",
        "left with nothing",
    }
