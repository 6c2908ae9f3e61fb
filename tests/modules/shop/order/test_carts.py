"""Random carts cost what the rules say, to the fen: against a slow oracle that was written from the rules and not from the code."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Iterator, Sequence
from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

import pytest
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.orm import Session

from tests.conftest import make_settings
from tests.modules.shop.errands import Errands
from tests.modules.shop.market import PROVINCE, SIGNING_KEY, Market, open_market
from tests.siege.record import record
from tests.siege.scale import is_full
from xumi.api import create_app
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.kernel.ids import generate_key
from xumi.kernel.testing.client import open_client, running
from xumi.modules.shop.freight.enums import FreightUnit
from xumi.modules.shop.freight.models import FreightRule, FreightTemplate
from xumi.modules.shop.order.service import discount

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.siege,
    pytest.mark.timeout(1200),
    pytest.mark.parametrize("database_url", ["sqlite"], indirect=True),
]

CARTS = 10_000 if is_full() else 100
PROVINCES = (PROVINCE, "西藏自治区", "海南省", "北京市")
PLENTY = 10**9
NOT_DELIVERED = 40990


@dataclass(frozen=True)
class Rule:
    """So many units cost `first_fen`, and each step that is begun after them `step_fen`."""

    provinces: tuple[str, ...]
    first: int
    first_fen: int
    step: int
    step_fen: int


@dataclass(frozen=True)
class Template:
    """How freight is counted for some of the goods."""

    by_weight: bool
    free_from_fen: int | None
    rules: tuple[Rule, ...]


@dataclass(frozen=True)
class Ware:
    """A SKU of its own product."""

    price_fen: int
    weight_grams: int
    template: int | None


def _rule(provinces: tuple[str, ...], units: tuple[int, ...]) -> st.SearchStrategy[Rule]:
    fen = st.sampled_from((0, 1, 99, 800, 1200))
    return st.builds(Rule, st.just(provinces), st.sampled_from((0, *units)), fen, st.sampled_from(units), fen)


@st.composite
def _template(draw: st.DrawFn) -> Template:
    by_weight = draw(st.booleans())
    units = (1, 250, 500, 1000) if by_weight else (1, 2, 3)
    # Some templates have a rule for all other provinces, some send to those alone that they name.
    areas = draw(
        st.sampled_from(((PROVINCES[:1], ()), (PROVINCES[:2], PROVINCES[2:3], ()), ((),), (PROVINCES[:3],)))
    )
    rules = tuple(draw(_rule(tuple(area), units)) for area in areas)
    return Template(by_weight, draw(st.sampled_from((None, 0, 5_000, 20_000))), rules)


TEMPLATES = st.lists(_template(), min_size=1, max_size=4)
# The template of a ware is named by its place among the templates, counted round.
WARE = st.builds(
    Ware,
    st.integers(1, 10_000),
    st.sampled_from((0, 1, 249, 250, 251, 500, 999, 1000, 1001)),
    st.sampled_from((None, 0, 1, 2, 3)),
)
Line = tuple[Ware, int]
"""What is bought, and how many pieces of it."""


def count_freight(templates: list[Template], cart: list[Line], province: str) -> int | None:
    """What the parcels of a cart cost, template by template; None where something is not sent there."""
    total = 0
    for place, template in enumerate(templates):
        lines = [
            line
            for line in cart
            if line[0].template is not None and line[0].template % len(templates) == place
        ]
        if not lines:
            continue
        named = [rule for rule in template.rules if province in rule.provinces]
        rules = named or [rule for rule in template.rules if not rule.provinces]
        if not rules:
            return None
        goods = sum(ware.price_fen * quantity for ware, quantity in lines)
        if template.free_from_fen is not None and goods >= template.free_from_fen:
            continue
        units = sum((ware.weight_grams if template.by_weight else 1) * quantity for ware, quantity in lines)
        total += rules[0].first_fen
        units -= rules[0].first
        while units > 0:
            total += rules[0].step_fen
            units -= rules[0].step
    return total


def check_split(discount_fen: int, goods: list[int], parts: list[int]) -> None:
    """Each line has its share of the discount rounded down, or up where its remainder is among the largest; together they are all of it."""
    assert sum(parts) == discount_fen
    shares = [Fraction(discount_fen * each, sum(goods)) for each in goods]
    rounded_up = []
    for part, share in zip(parts, shares, strict=True):
        assert part - share < 1
        assert share - part < 1
        rounded_up.append(part > share)
    remainders = [share - int(share) for share in shares]
    up = [remainder for remainder, is_up in zip(remainders, rounded_up, strict=True) if is_up]
    down = [remainder for remainder, is_up in zip(remainders, rounded_up, strict=True) if not is_up]
    assert min(up, default=1) >= max(down, default=0)


class Shelf:
    """Puts wares on sale under new ids.

    Args:
        market: where.
    """

    def __init__(self, market: Market) -> None:
        self.market = market

    def stock(self, templates: list[Template], wares: list[Ware]) -> list[str]:
        """Put these on sale, each as a product of its own; their SKUs, in their order."""
        names = [generate_key() for _ in templates]
        with Session(self.market.engine) as session:
            for name, template in zip(names, templates, strict=True):
                unit = FreightUnit.GRAM if template.by_weight else FreightUnit.PIECE
                session.add(
                    FreightTemplate(id=name, name=name, unit=unit, free_from_fen=template.free_from_fen)
                )
            session.flush()
            for name, template in zip(names, templates, strict=True):
                for rule in template.rules:
                    values = asdict(rule) | {"provinces": list(rule.provinces)}
                    session.add(FreightRule(template_id=name, **values))
            session.commit()
        return [
            self.market.add_goods(
                1,
                PLENTY,
                price_fen=ware.price_fen,
                weight_grams=ware.weight_grams,
                freight_template_id=None if ware.template is None else names[ware.template % len(names)],
            )[0]
            for ware in wares
        ]


@pytest.fixture
def permille() -> Iterator[list[int]]:
    """How much of the goods a discount takes off, in thousandths: the last number of the list."""
    taken = [0]

    async def take_off(_session: AsyncSession, _user_id: str, lines: Sequence[Any]) -> int:
        return sum(line.price_fen * line.quantity for line in lines) * taken[-1] // 1000

    discount.register(take_off)
    yield taken
    discount.unregister(take_off)


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
def shelf(database_url: str) -> Shelf:
    """A market with a buyer in each province."""
    market = open_market(sync_engine(parse_url(database_url)[1]), database_url, len(PROVINCES))
    for buyer, province in zip(market.buyers, PROVINCES, strict=True):
        market.execute(
            "UPDATE shop_address SET province = :p WHERE id = :id", p=province, id=buyer.address_id
        )
    return Shelf(market)


@pytest.fixture(scope="module")
def tally() -> Iterator[Counter[str]]:
    """How many carts there were, and how many of them can be sent where they shall go."""
    counted: Counter[str] = Counter()
    yield counted
    record("shop-carts", dict(counted) | {"sums_that_differ": 0})


@hypothesis_settings(
    max_examples=CARTS, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    templates=TEMPLATES,
    cart=st.lists(st.tuples(WARE, st.integers(1, 20)), min_size=1, max_size=6),
    province=st.integers(0, len(PROVINCES) - 1),
    thousandths=st.one_of(st.just(0), st.integers(0, 1000)),
)
async def test_a_cart_costs_what_the_rules_say(
    errands: Errands,
    shelf: Shelf,
    permille: list[int],
    tally: Counter[str],
    templates: list[Template],
    cart: list[Line],
    province: int,
    thousandths: int,
) -> None:
    permille.append(thousandths)
    tally["carts"] += 1
    market, buyer = shelf.market, shelf.market.buyers[province]
    # Beside the event loop: the application's own chores write too, and SQLite lets one go on at a time.
    skus = await asyncio.to_thread(shelf.stock, templates, [ware for ware, _ in cart])
    basket = {sku_id: quantity for sku_id, (_, quantity) in zip(skus, cart, strict=True)}
    wanted = {
        "address_id": buyer.address_id,
        "lines": [{"sku_id": sku_id, "quantity": quantity} for sku_id, quantity in basket.items()],
    }
    shown = await errands.post("/orders/preview", buyer.headers, wanted)
    placed = await errands.place(buyer, market.order(buyer, basket))
    freight = count_freight(templates, cart, PROVINCES[province])
    if freight is None:
        assert [shown.json()["code"], placed.json()["code"]] == [NOT_DELIVERED] * 2, shown.text
        return
    goods = [ware.price_fen * quantity for ware, quantity in cart]
    taken = sum(goods) * thousandths // 1000
    total = sum(goods) + freight - taken
    assert (shown.status_code, placed.status_code) == (200, 201), shown.text + placed.text
    told = shown.json()["data"]
    sums = [told[name] for name in ("goods_fen", "freight_fen", "discount_fen", "total_fen")]
    assert sums == [sum(goods), freight, taken, total]
    assert placed.json()["data"]["total_fen"] == total
    kept = market.query(
        "SELECT l.sku_id, l.price_fen, l.quantity, l.discount_fen, l.total_fen FROM shop_order_line l"
        " JOIN shop_order o ON o.id = l.order_id WHERE o.number = :number",
        number=placed.json()["data"]["number"],
    )
    by_sku = {sku_id: rest for sku_id, *rest in kept}
    assert [by_sku[sku_id][:2] for sku_id in skus] == [[ware.price_fen, quantity] for ware, quantity in cart]
    check_split(taken, goods, [by_sku[sku_id][2] for sku_id in skus])
    assert sum(rest[3] for rest in by_sku.values()) + freight == total
    tally["placed"] += 1


async def test_the_carts_leave_the_shop_sound(errands: Errands, shelf: Shelf, permille: list[int]) -> None:
    """The invariants see the same sums; one cart of each kind is enough for them."""
    permille.append(333)
    buyer = shelf.market.buyers[0]
    wares = [Ware(price, 250, None) for price in (1, 99, 101, 3_333)]
    for count in range(1, len(wares) + 1):
        skus = await asyncio.to_thread(shelf.stock, [], wares[:count])
        order = shelf.market.order(buyer, dict.fromkeys(skus, 7))
        assert (await errands.place(buyer, order)).status_code == 201
    assert shelf.market.broken() == {}
