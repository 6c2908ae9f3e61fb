"""`xumi shop verify`: what agrees, and what does not, by name."""

from sqlalchemy.orm import Session

from tests.cli.conftest import Xumi
from tests.modules.shop.verification.sound_shop import build
from xumi.kernel.db.bridge import sync_engine
from xumi.kernel.db.location import parse_url
from xumi.modules.shop.verification.service import read_invariants


def test_it_names_what_is_broken(xumi: Xumi, sqlite_url: str) -> None:
    engine = sync_engine(parse_url(sqlite_url)[1])
    with Session(engine) as session:
        build(session)
        session.commit()
    sound = xumi("shop", "verify", DATABASE_URL=sqlite_url)
    assert sound.code == 0, sound.err
    assert [line.split() for line in sound.out.splitlines()] == [
        ["0", each.name] for each in read_invariants()
    ]
    with engine.begin() as connection:
        connection.exec_driver_sql("UPDATE shop_product SET price_fen = 7")
        connection.exec_driver_sql("UPDATE shop_stock_movement SET kind = 'adjusted'")
    broken = xumi("shop", "verify", DATABASE_URL=sqlite_url)
    assert broken.code == 1
    told = [line.split(maxsplit=2) for line in broken.out.splitlines()]
    assert [line[:2] for line in told if line[0] == "1"] == [["1", "prices-are-the-lowest"]]
    assert "prices-are-the-lowest: id=product, price_fen=7, lowest_fen=1000" in broken.out
    assert "movements-are-what-they-say: and " in broken.out


def test_it_wants_the_tables(xumi: Xumi, tmp_path: str) -> None:
    refused = xumi("shop", "verify", DATABASE_URL=f"sqlite:///{tmp_path}/empty.db")
    assert refused.code == 2
    assert "xumi db upgrade" in refused.err
