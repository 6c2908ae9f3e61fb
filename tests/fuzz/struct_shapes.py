"""Endpoints whose bodies and answers are msgspec structs."""

from datetime import datetime
from decimal import Decimal
from typing import Annotated, Any

import msgspec
from fastapi import Depends, Header

from tests.fuzz.declaration import Shapes
from tests.fuzz.recording import mark, seen


class Item(msgspec.Struct, forbid_unknown_fields=True):
    """Something small."""

    name: Annotated[str, msgspec.Meta(min_length=1, max_length=10)]
    count: Annotated[int, msgspec.Meta(ge=0, le=1000)] = 1


class Basket(msgspec.Struct):
    """Something with items, of the types that people use."""

    items: list[Item]
    by_name: dict[str, Item] = {}
    numbers: dict[int, float] = {}
    note: str | None = None
    total: Decimal = Decimal(0)
    at: datetime | None = None
    anything: Any = None


class Cat(msgspec.Struct, tag="cat"):
    """One kind."""

    lives: int = 9


class View(msgspec.Struct):
    """What is shown of a basket."""

    count: int
    note: str | None = None


BASKET = {
    "items": [{"name": "a", "count": 2}],
    "by_name": {"x": {"name": "b"}},
    "numbers": {"1": 1.5},
    "note": "é",
    "total": "1.25",
    "at": "2020-01-01T10:00:00Z",
    "anything": {"a": [1, 2.5, None]},
}


async def _first() -> str:
    mark("before the body")
    return "first"


def struct_shapes(shapes: Shapes) -> None:
    """Declare them."""

    @shapes.post("/basket", bodies=[BASKET, {"items": []}])
    async def basket(basket: Basket) -> Any:
        return seen({"basket": msgspec.structs.asdict(basket)})

    @shapes.declare(
        "PUT",
        "/basket/{id}",
        segments={"id": ["1"]},
        query={"dry": ["true"]},
        headers={"x-a": ["b"]},
        bodies=[BASKET],
    )
    def basket_sync(
        id: int,
        basket: Basket,
        first: Annotated[str, Depends(_first)],
        dry: bool = False,
        x_a: Annotated[str, Header()] = "",
    ) -> View:
        seen({"id": id, "first": first, "dry": dry, "x_a": x_a})
        return View(len(basket.items), basket.note)

    @shapes.post("/tagged", bodies=[{"type": "cat", "lives": 3}])
    async def tagged(cat: Cat) -> list[View]:
        return [View(cat.lives)]

    @shapes.post("/converted", bodies=[{"name": "a", "count": 3}], status_code=201)
    async def converted(item: Item) -> View:
        return {"count": item.count, "secret": 1}  # type: ignore[return-value]

    @shapes.post("/small-struct", bodies=[{"name": "a"}], body_limit_bytes=20)
    async def small_struct(item: Item) -> Any:
        return seen({"item": item.name})
