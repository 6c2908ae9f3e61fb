"""Each invariant of `xumi shop verify` notices what it is for, on every database, and none complains about a sound shop."""

from collections.abc import Iterator

import pytest
from sqlalchemy import Connection, Engine, text
from sqlalchemy.orm import Session

from tests.modules.shop.verification.sound_shop import build
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.modules.shop.verification.service import read_invariants

# What is done to the sound shop, by the invariant that has to notice it; several are tried one by one.
PLANTED = {
    "stock-is-its-ledger": [
        "UPDATE shop_stock SET available = available - 1",
        "DELETE FROM shop_stock_movement WHERE id = 'in'",
    ],
    "movements-are-what-they-say": [
        "UPDATE shop_stock_movement SET kind = 'adjusted' WHERE kind = 'sold'",
        "UPDATE shop_stock_movement SET available = -1 WHERE id = 'unpaid-unpaid'",
    ],
    "nothing-is-negative": ["UPDATE shop_stock SET available = -1"],
    "ordered-goods-have-a-stock": ["UPDATE shop_order_line SET sku_id = 'dearer' WHERE id = 'paid'"],
    "reserved-is-unpaid": [
        "UPDATE shop_stock SET reserved = reserved + 1",
        "UPDATE shop_order SET state = 'closed' WHERE id = 'unpaid'",
    ],
    "sold-is-paid": [
        "UPDATE shop_stock SET sold = sold - 1",
        "UPDATE shop_order SET state = 'cancelled' WHERE id = 'completed'",
    ],
    "orders-moved-their-stock": [
        "UPDATE shop_stock_movement SET reference = 'shipped' WHERE id = 'paid-paid'",
        "DELETE FROM shop_stock_movement WHERE id = 'returned-cancelled'",
    ],
    "lines-add-up": ["UPDATE shop_order_line SET total_fen = total_fen + 1 WHERE id = 'paid'"],
    "orders-add-up": [
        "UPDATE shop_order SET goods_fen = goods_fen + 1, freight_fen = freight_fen - 1 WHERE id = 'paid'",
        "UPDATE shop_order SET total_fen = total_fen - 1 WHERE id = 'paid'",
        "DELETE FROM shop_order_line WHERE id = 'unpaid'",
    ],
    "paid-orders-have-one-payment": [
        "UPDATE shop_payment SET amount_fen = amount_fen - 1 WHERE id = 'paid'",
        "UPDATE shop_payment SET settled = NULL WHERE id = 'paid'",
        "UPDATE shop_payment SET settled = TRUE WHERE id = 'unpaid'",
    ],
    "settled-payments-are-paid": [
        "UPDATE shop_payment SET state = 'pending' WHERE id = 'paid'",
        "UPDATE shop_payment SET state = 'paid' WHERE id = 'closed'",
        "UPDATE shop_payment SET paid_at = NULL WHERE id = 'closed'",
    ],
    "late-money-goes-back": [
        "DELETE FROM shop_refund WHERE id = 'closed'",
        "UPDATE shop_refund SET amount_fen = amount_fen - 1 WHERE id = 'closed'",
    ],
    "refunds-have-a-cause": [
        "UPDATE shop_refund SET payment_id = 'completed' WHERE id = 'returned'",
        "UPDATE shop_refund SET amount_fen = amount_fen + 1 WHERE id = 'returned'",
    ],
    "logs-begin-with-the-placing": ["DELETE FROM shop_order_change WHERE id = 'unpaid-unpaid'"],
    "changes-are-legal": ["UPDATE shop_order_change SET after = 'shipped' WHERE id = 'cancelled-cancelled'"],
    "logs-are-chains": [
        "DELETE FROM shop_order_change WHERE id = 'completed-paid'",
        "INSERT INTO shop_order_change (id, order_id, before, after, created_at) "
        "SELECT 'again', c.order_id, c.before, c.after, c.created_at FROM shop_order_change c WHERE c.id = 'paid-paid'",
    ],
    "logs-end-in-the-state": [
        "UPDATE shop_order SET state = 'paid' WHERE id = 'unpaid'",
        "UPDATE shop_order SET state = 'unpaid' WHERE id = 'paid'",
    ],
    "times-are-those-of-the-state": [
        "UPDATE shop_order SET paid_at = NULL WHERE id = 'completed'",
        "UPDATE shop_order SET ended_at = NULL WHERE id = 'closed'",
    ],
    "shipped-is-in-parcels": ["UPDATE shop_order_line SET shipped = 2 WHERE id = 'paid'"],
    "shipped-when-all-is": [
        "UPDATE shop_order_line SET shipped = 1 WHERE id = 'shipped'",
        "UPDATE shop_order_line SET shipped = 2 WHERE id = 'paid'",
        "UPDATE shop_order_line SET shipped = 1 WHERE id = 'cancelled'",
    ],
    "parcels-are-of-their-order": [
        "UPDATE shop_shipment_line SET order_line_id = 'completed' WHERE id = 'shipped'",
        "DELETE FROM shop_shipment_line WHERE id = 'shipped'",
    ],
    "purchases-are-orders": ["UPDATE shop_purchase SET quantity = quantity - 1"],
    "prices-are-the-lowest": ["UPDATE shop_product SET price_fen = price_fen + 1"],
    "figures-are-the-orders": [
        f"UPDATE shop_daily_sales SET {name} = {name} + 1"
        for name in ("placed", "paid", "paid_fen", "ended", "refunded_fen", "new_customers")
    ],
    "figures-are-the-lines": [
        f"UPDATE shop_daily_product SET {name} = {name} + 1"
        for name in ("quantity", "fen", "returned", "returned_fen")
    ],
    "cancelled-money-goes-back": [
        "DELETE FROM shop_refund WHERE id = 'returned'",
        "UPDATE shop_refund SET amount_fen = amount_fen - 1 WHERE id = 'returned'",
    ],
}
# Words that are reserved somewhere, as the names of columns; the invariants avoid them by naming the table.
QUOTED = {"mysql": "`", "default": '"'}
UNCHECKED = {
    "sqlite": ["PRAGMA ignore_check_constraints = ON"],
    "postgresql": [
        "ALTER TABLE shop_stock DROP CONSTRAINT ck_shop_stock_available",
        "ALTER TABLE shop_order DROP CONSTRAINT ck_shop_order_total",
        "ALTER TABLE shop_order_line DROP CONSTRAINT ck_shop_order_line_total",
    ],
    "mysql": ["SET check_constraint_checks = 0"],
}


@pytest.fixture
def engine(database_url: str) -> Iterator[Engine]:
    """A database with the sound shop, whose own checks are off: the statements have to notice by themselves."""
    engine = sync_engine(parse_url(database_url)[1])
    with Session(engine) as session:
        build(session)
        session.commit()
    yield engine
    engine.dispose()


def find_broken(connection: Connection) -> set[str]:
    """The names of the invariants that do not hold."""
    return {each.name for each in read_invariants() if connection.execute(text(each.sql)).first() is not None}


def test_every_statement_has_a_name_and_is_attacked() -> None:
    names = [each.name for each in read_invariants()]
    assert names == list(PLANTED)
    assert all(each.meaning.endswith(".") and each.sql.startswith("SELECT") for each in read_invariants())


@pytest.mark.parametrize("database_url", ["sqlite", "postgresql", "mariadb"], indirect=True)
def test_what_is_planted_is_noticed(engine: Engine) -> None:
    quote = QUOTED.get(engine.dialect.name, QUOTED["default"])
    with engine.connect() as connection:
        assert find_broken(connection) == set()
        connection.rollback()
        for name, plantings in PLANTED.items():
            for planting in plantings:
                for statement in UNCHECKED[engine.dialect.name]:
                    connection.exec_driver_sql(statement)
                connection.exec_driver_sql(planting.replace(" before,", f" {quote}before{quote},"))
                assert name in find_broken(connection), planting
                connection.rollback()
        assert find_broken(connection) == set()
