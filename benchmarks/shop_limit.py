"""The limit of the shop's public reads: a bare ASGI function with the same statements on the bare driver, encoded by msgspec.

Reads DATABASE_URL (postgresql:// or sqlite:///), as `limit.py` does. The total of the list is counted once, as Xumi remembers it.
"""

from __future__ import annotations

import os
from collections.abc import Awaitable, Callable, Sequence
from datetime import datetime
from typing import Any

import msgspec

from benchmarks.limit import Postgres, Sqlite

SIZE = 20
COVER = {"postgresql": "pictures ->> 0", "sqlite": "json_extract(pictures, '$[0]')"}
SELECT_PAGE = """
    SELECT id, name, subtitle, {cover}, price_fen, category_id FROM shop_product WHERE state = 'on_sale'
    ORDER BY on_sale_at DESC, id DESC LIMIT 21 OFFSET 0
"""
SELECT_TOTAL = "SELECT count(*) FROM shop_product WHERE state = 'on_sale'"
SKUS = {
    "postgresql": "CAST(json_agg(json_build_object({}, 'options', s.options)) AS TEXT)",
    "sqlite": "json_group_array(json_object({}, 'options', json(s.options)))",
}
SELECT_ONE = """
    SELECT p.id, p.code, p.name, p.subtitle, p.category_id, p.pictures, p.properties, p.description, p.price_fen, p.limit_per_user,
        p.on_sale_at,
        (SELECT {skus} FROM shop_sku s JOIN shop_stock l ON l.id = s.id WHERE s.product_id = p.id AND s.enabled)
    FROM shop_product p WHERE p.id = $1 AND p.state = 'on_sale'
"""
_NAMES = ("id", "code", "price_fen", "list_price_fen", "weight_grams", "picture", '"order"')
_FIELDS = ", ".join(["'available', l.available", *(f"'{name.strip(chr(34))}', s.{name}" for name in _NAMES)])


class Listed(msgspec.Struct):
    id: str
    name: str
    subtitle: str | None
    picture: str | None
    price_fen: int
    category_id: str


class Page(msgspec.Struct):
    items: list[Listed]
    page: int
    size: int
    total: int
    total_age: int
    has_next: bool


class Sku(msgspec.Struct):
    id: str
    code: str
    options: dict[str, str]
    price_fen: int
    list_price_fen: int | None
    weight_grams: int
    picture: str | None
    order: int
    available: int


class Product(msgspec.Struct):
    id: str
    code: str
    name: str
    subtitle: str | None
    category_id: str
    pictures: msgspec.Raw
    properties: msgspec.Raw
    description: str
    price_fen: int
    limit_per_user: int | None
    on_sale_at: datetime
    skus: list[Sku]


_encode = msgspec.json.Encoder().encode
_read_skus = msgspec.json.Decoder(list[Sku]).decode
_store: Postgres | Sqlite
_page, _one = "", ""
_total: int | None = None

Receive, Send = Callable[[], Awaitable[Any]], Callable[[Any], Awaitable[None]]


async def app(scope: dict[str, Any], receive: Receive, send: Send) -> None:
    """The ASGI application."""
    if scope["type"] == "lifespan":
        await _lifespan(receive, send)
        return
    path: str = scope["path"]
    data = await (_list() if path == "/api/v1/products" else _read(path.rpartition("/")[2]))
    body = _encode({"code": 200, "message": "success", "data": data})
    headers = [(b"content-type", b"application/json"), (b"content-length", b"%d" % len(body))]
    await send({"type": "http.response.start", "status": 200, "headers": headers})
    await send({"type": "http.response.body", "body": body})


async def _list() -> Page:
    global _total
    rows = await _store.fetch(_page)
    if _total is None:
        _total = (await _store.fetch(SELECT_TOTAL))[0][0]
    items = [Listed(*row) for row in rows[:SIZE]]
    return Page(items, 1, SIZE, _total, 0, len(rows) > SIZE)


async def _read(product_id: str) -> Product:
    (row,) = await _store.fetch(_one, product_id)
    return _product(row)


def _product(row: Sequence[Any]) -> Product:
    *first, pictures, properties, description, price_fen, limit, on_sale_at, skus = row
    if isinstance(on_sale_at, str):
        on_sale_at = datetime.fromisoformat(on_sale_at + "Z")
    parts = _read_skus(skus or "[]")
    parts.sort(key=lambda sku: (sku.order, sku.id))
    documents = (msgspec.Raw(pictures.encode()), msgspec.Raw(properties.encode()))
    return Product(*first, *documents, description, price_fen, limit, on_sale_at, parts)


async def _lifespan(receive: Receive, send: Send) -> None:
    global _store, _page, _one
    url = os.environ["DATABASE_URL"]
    name = url.partition(":")[0]
    _page, _one = SELECT_PAGE.format(cover=COVER[name]), SELECT_ONE.format(skus=SKUS[name].format(_FIELDS))
    await receive()
    _store = await (Sqlite.open(url) if name == "sqlite" else Postgres.open(url))
    await send({"type": "lifespan.startup.complete"})
    await receive()
    await send({"type": "lifespan.shutdown.complete"})
