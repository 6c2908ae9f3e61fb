"""A market: goods with stock and buyers with addresses, put straight into the tables, and signed in without a sign-in."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import Engine, insert, select, text
from sqlalchemy.orm import Session

from tests.conftest import make_settings
from xumi.kernel import clock
from xumi.kernel.auth.token import TokenIssuer
from xumi.kernel.ids import generate_key
from xumi.modules.account.models import User, UserRole
from xumi.modules.shop.address.models import Address
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Category, Product, Sku
from xumi.modules.shop.stock.enums import MovementKind
from xumi.modules.shop.stock.models import Movement, Stock
from xumi.modules.shop.verification.service import read_invariants

SIGNING_KEY = "k1:a secret of the tests that is long enough"
A_DAY_SECONDS = 86_400
PROVINCE = "浙江省"
_PLACE = {
    "name": "Li",
    "mobile": "13800000000",
    "province": PROVINCE,
    "city": "杭州市",
    "district": "西湖区",
    "detail": "1",
}


@dataclass(frozen=True)
class Buyer:
    """A customer who can order at once: `headers` sign his requests."""

    id: str
    address_id: str
    headers: dict[str, str]


@dataclass
class Market:
    """What is sold and who buys.

    Attributes:
        admin: headers of the administrator.
        buyers: the customers.
        prices: fen by SKU, of everything that was ever put on sale.
    """

    engine: Engine
    admin: dict[str, str]
    buyers: list[Buyer]
    prices: dict[str, int] = field(default_factory=dict)

    def order(self, buyer: Buyer, basket: Mapping[str, int]) -> dict[str, Any]:
        """The body that orders these quantities, in this order."""
        lines = [
            {"sku_id": sku_id, "quantity": quantity, "price_fen": self.prices[sku_id]}
            for sku_id, quantity in basket.items()
        ]
        return {"address_id": buyer.address_id, "lines": lines, "from_cart": False}

    def query(self, sql: str, **values: object) -> list[tuple[Any, ...]]:
        """The rows of a query."""
        with self.engine.connect() as connection:
            return [tuple(row) for row in connection.execute(text(sql), values)]

    def execute(self, *statements: str, **values: object) -> None:
        """Run statements in one transaction; each takes of the values what it names."""
        with self.engine.begin() as connection:
            for sql in statements:
                connection.execute(text(sql), values)

    def broken(self) -> dict[str, list[tuple[Any, ...]]]:
        """The invariants that do not hold, with what breaks them."""
        with self.engine.connect() as connection:
            found = {each.name: connection.execute(text(each.sql)).all() for each in read_invariants()}
        return {name: [tuple(row) for row in rows] for name, rows in found.items() if rows}

    def levels(self, sku_ids: Sequence[str]) -> dict[str, tuple[int, int, int]]:
        """Available, reserved and sold pieces of each of these."""
        rows = self.query("SELECT id, available, reserved, sold FROM shop_stock")
        return {
            sku_id: (available, reserved, sold)
            for sku_id, available, reserved, sold in rows
            if sku_id in sku_ids
        }

    def add_goods(
        self, count: int, stock: int, price_fen: int = 100, weight_grams: int = 500, **product: Any
    ) -> list[str]:
        """Put a product on sale that has so many SKUs with so many pieces each; returns their ids, the cheapest first.

        Args:
            count: SKUs.
            stock: pieces of each.
            price_fen: of the first; each further one costs 37 fen more.
            weight_grams: of each.
            product: further columns of the product; it has no limit, and no freight, unless they say so.
        """
        product_id, sku_ids = generate_key(), [generate_key() for _ in range(count)]
        prices = {sku_id: price_fen + 37 * number for number, sku_id in enumerate(sku_ids)}
        with Session(self.engine) as session:
            session.add(
                Product(
                    id=product_id,
                    code=product_id,
                    name="Tea",
                    category_id="market",
                    state=ProductState.ON_SALE,
                    pictures=["/tea.png"],
                    properties=[],
                    price_fen=min(prices.values()),
                    on_sale_at=clock.now(),
                    **product,
                )
            )
            session.flush()
            for model, rows in _stocked(product_id, prices, stock, weight_grams):
                session.execute(insert(model), rows)
            session.commit()
        self.prices |= prices
        return sku_ids


def _stocked(
    product_id: str, prices: Mapping[str, int], stock: int, weight_grams: int
) -> list[tuple[Any, list[dict[str, Any]]]]:
    skus = [
        {"id": sku_id, "code": sku_id, "options": {"n": sku_id}, "options_key": sku_id, "price_fen": price}
        for sku_id, price in prices.items()
    ]
    levels = [{"id": sku_id, "available": stock} for sku_id in prices]
    numbers = {"available": stock, "reserved": 0, "sold": 0}
    movements = [{"sku_id": sku_id, "kind": MovementKind.ADJUSTED, **numbers} for sku_id in prices]
    return [
        (Sku, [{**row, "product_id": product_id, "weight_grams": weight_grams} for row in skus]),
        (Stock, levels),
        (Movement, movements),
    ]


def open_market(engine: Engine, database_url: str, buyers: int) -> Market:
    """So many buyers, who have an address each, in a database that has the user `admin`; nothing is on sale yet.

    The application must sign with `SIGNING_KEY`.
    """
    settings = make_settings(database_url, jwt_secret_key=SIGNING_KEY, access_token_seconds=A_DAY_SECONDS)
    tokens = TokenIssuer(settings)

    def headers(user_id: str, role: str) -> dict[str, str]:
        return {"Authorization": f"Bearer {tokens.issue_access(user_id, generate_key(), (role,), 0)[0]}"}

    ids = [generate_key() for _ in range(buyers)]
    users = [
        {"id": user_id, "username": name, "username_key": name, "password_hash": "none"}
        for number, user_id in enumerate(ids)
        for name in (f"buyer{number}",)
    ]
    addresses = [{"id": generate_key(), "user_id": user_id, "main": True, **_PLACE} for user_id in ids]
    with Session(engine) as session:
        admin_id = session.scalars(select(User.id).where(User.username == "admin")).one()
        session.add(Category(id="market", name="Tea"))
        session.execute(insert(User), users)
        session.execute(insert(UserRole), [{"user_id": user_id, "role": "user"} for user_id in ids])
        session.execute(insert(Address), addresses)
        session.commit()
    found = [
        Buyer(address["user_id"], address["id"], headers(address["user_id"], "user")) for address in addresses
    ]
    return Market(engine, headers(admin_id, "admin"), found)
