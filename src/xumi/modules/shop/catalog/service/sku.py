"""SKUs as the staff keeps them. Whoever changes one holds the lock of its product, and settles the product's price."""

from collections.abc import Sequence
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.read import fetch_all, fetch_value, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.shop.catalog.constants import MAX_SKUS, PRODUCTS_TAG
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.errors import CatalogCode
from xumi.modules.shop.catalog.models import Product, Sku
from xumi.modules.shop.catalog.repository import forget, lock_product, refuse, refuse_taken
from xumi.modules.shop.catalog.schemas.sku import SkuChange, SkuCreate, SkuOut
from xumi.modules.shop.stock import service as stock
from xumi.modules.shop.stock.service.closing import close_stock
from xumi.modules.shop.stock.service.joining import LEVELS

_SKUS = (
    select(Sku, LEVELS.c.available, LEVELS.c.reserved, LEVELS.c.sold)
    .join(LEVELS, LEVELS.c.id == Sku.id)
    .order_by(Sku.order, Sku.id)
)
_CAN_BE_EMPTY = frozenset(("list_price_fen", "picture"))


async def read_skus(product_id: str) -> list[SkuOut]:
    """The SKUs of a product, also those that are disabled."""
    with primary():
        return await fetch_all(_SKUS.where(Sku.product_id == product_id), SkuOut)


async def list_skus(product_id: str) -> list[SkuOut]:
    """The SKUs of a product that is there.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        if await fetch_value(select(Product.id).where(Product.id == product_id)) is None:
            raise APIException(APICode.NOT_FOUND)
        return await read_skus(product_id)


async def add(session: AsyncSession, product_id: str, data: SkuCreate) -> str:
    """Add a SKU to a product, with its stock; returns its id.

    Raises:
        APIException: NOT_FOUND; DUPLICATE (`code`); OPTIONS_TAKEN; VALIDATION_FAILED, there are too many.
    """
    product = await lock_product(session, product_id)
    (sku_id,) = await add_skus(session, product, [data])
    await forget(PRODUCTS_TAG)
    return sku_id


async def add_skus(session: AsyncSession, product: Product, wanted: Sequence[SkuCreate]) -> list[str]:
    """Add SKUs to a product that the caller has locked or just made, and settle its price; returns their ids.

    Raises:
        APIException: as `add` does.
    """
    present = select(func.count(), func.coalesce(func.max(Sku.order), -1)).where(Sku.product_id == product.id)
    count, last = (await session.execute(present)).one()
    if count + len(wanted) > MAX_SKUS:
        raise refuse("skus", f"a product can have at most {MAX_SKUS}")
    await _check_new(session, product.id, wanted)
    skus = [
        Sku(
            id=generate_key(),
            product_id=product.id,
            options_key=options_key(each.options),
            order=last + place if each.order is None else each.order,
            **each.model_dump(exclude={"stock", "low_at", "order"}),
        )
        for place, each in enumerate(wanted, 1)
    ]
    session.add_all(skus)
    await session.flush()
    opening = {sku.id: (each.stock, each.low_at) for sku, each in zip(skus, wanted, strict=True)}
    await stock.open_stocks(session, opening)
    for sku, each in zip(skus, wanted, strict=True):
        record(session, "sku.created", f"sku:{sku.id}", None, each.model_dump(mode="json"))
    await settle(session, product)
    return [sku.id for sku in skus]


async def _check_new(session: AsyncSession, product_id: str, wanted: Sequence[SkuCreate]) -> None:
    """Refuse codes and options that are there, or come twice."""
    codes, keys = [each.code for each in wanted], [options_key(each.options) for each in wanted]
    taken = set(await session.scalars(select(Sku.code).where(Sku.code.in_(codes))))
    if len(set(codes)) < len(codes) or taken:
        raise refuse_taken("code")
    having = select(Sku.id).where(Sku.product_id == product_id, Sku.options_key.in_(keys))
    if len(set(keys)) < len(keys) or await session.scalar(having.limit(1)) is not None:
        raise _refuse_options()


async def change(session: AsyncSession, sku_id: str, data: SkuChange) -> None:
    """Set what `data` holds.

    Raises:
        APIException: NOT_FOUND; DUPLICATE (`code`); OPTIONS_TAKEN; NOTHING_TO_SELL; VALIDATION_FAILED (`list_price_fen`).
    """
    product, sku = await _lock(session, sku_id)
    given = data.model_dump(exclude_unset=True)
    wanted = {name: value for name, value in given.items() if value is not None or name in _CAN_BE_EMPTY}
    before = {name: getattr(sku, name) for name in wanted}
    taken = select(Sku.id).where(Sku.code == wanted.get("code"), Sku.id != sku_id)
    if await session.scalar(taken) is not None:
        raise refuse_taken("code")
    if (key := options_key(wanted.get("options", sku.options))) != sku.options_key:
        having = select(Sku.id).where(Sku.product_id == product.id, Sku.options_key == key)
        if await session.scalar(having) is not None:
            raise _refuse_options()
        sku.options_key = key
    for name, value in wanted.items():
        setattr(sku, name, value)
    if sku.list_price_fen is not None and sku.list_price_fen < sku.price_fen:
        raise refuse("list_price_fen", "must not be below price_fen")
    record(session, "sku.updated", f"sku:{sku_id}", before, wanted)
    await session.flush()
    await settle(session, product)
    await forget(PRODUCTS_TAG)


async def remove(session: AsyncSession, sku_id: str) -> None:
    """Delete a SKU that was never sold, with its stock; carts lose it.

    Raises:
        APIException: NOT_FOUND, IN_USE, NOTHING_TO_SELL.
    """
    product, sku = await _lock(session, sku_id)
    await remove_skus(session, [sku])
    await settle(session, product)
    await forget(PRODUCTS_TAG)


async def remove_skus(session: AsyncSession, skus: Sequence[Sku]) -> None:
    """Delete SKUs of a product that the caller has locked.

    Raises:
        APIException: IN_USE, one was sold or is reserved.
    """
    if not await close_stock(session, [sku.id for sku in skus]):
        raise APIException(CatalogCode.IN_USE)
    for sku in skus:
        record(session, "sku.deleted", f"sku:{sku.id}", {"code": sku.code, "options": sku.options}, None)
        await session.delete(sku)
    await session.flush()


async def settle(session: AsyncSession, product: Product) -> None:
    """Keep what a locked product says of its SKUs: the lowest price, and that one on sale has something to sell.

    Raises:
        APIException: NOTHING_TO_SELL.
    """
    lowest = await session.scalar(
        select(func.min(Sku.price_fen)).where(Sku.product_id == product.id, Sku.enabled)
    )
    if lowest is None and product.state is ProductState.ON_SALE:
        raise APIException(CatalogCode.NOTHING_TO_SELL)
    product.price_fen = lowest or 0


async def _lock(session: AsyncSession, sku_id: str) -> tuple[Product, Sku]:
    """A SKU with its product, locked."""
    product_id = await session.scalar(select(Sku.product_id).where(Sku.id == sku_id))
    if product_id is None:
        raise APIException(APICode.NOT_FOUND)
    product = await lock_product(session, product_id)
    sku = await session.get(Sku, sku_id, populate_existing=True)
    if sku is None:
        raise APIException(APICode.NOT_FOUND)
    return product, sku


def options_key(options: dict[str, Any]) -> str:
    """The same for the same options, in whichever order they are named."""
    return sha256(msgspec.json.encode(sorted(options.items()))).hexdigest()


def _refuse_options() -> APIException:
    errors = [FieldError("options", "the product has a SKU with these: choose others")]
    return APIException(CatalogCode.OPTIONS_TAKEN, errors=errors)
