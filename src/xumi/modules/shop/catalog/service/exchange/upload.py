"""The import of products: all rows or none."""

import asyncio
from typing import Any

from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.ids import generate_key
from xumi.modules.audit.service import record
from xumi.modules.shop.catalog.constants import PRODUCTS_TAG
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Product, Sku
from xumi.modules.shop.catalog.repository import forget
from xumi.modules.shop.catalog.schemas.exchange import ImportResult
from xumi.modules.shop.catalog.service.exchange.difference import Difference, find_differences
from xumi.modules.shop.catalog.service.exchange.draft import Upload, read_upload
from xumi.modules.shop.catalog.service.search import index_products
from xumi.modules.shop.catalog.service.sku import options_key
from xumi.modules.shop.stock.service import open_stocks

_EMPTY: dict[str, Any] = {"pictures": [], "properties": [], "description": ""}


async def import_products(session: AsyncSession, data: bytes, *, dry_run: bool) -> ImportResult | Upload:
    """Make what is new in a file and change what is other; the same file again changes nothing.

    Args:
        session: the transaction.
        data: the file, CSV or XLSX.
        dry_run: only find out what would be done.

    Returns:
        What was done; or the file, whose `lines` say what is wrong with them, and nothing was done.

    Raises:
        APIException: VALIDATION_FAILED (`file`), it is no list of products.
    """
    upload = await asyncio.to_thread(read_upload, data)
    differences = await find_differences(session, upload.drafts, lock=not dry_run)
    if any(line.errors for line in upload.lines):
        return upload
    if not dry_run:
        await _apply(session, differences)
    created = [each for each in differences if each.product is None]
    changed = [each for each in differences if each.product is not None and each.values]
    return ImportResult(
        dry_run=dry_run,
        rows=len(upload.lines),
        products_created=len(created),
        products_changed=len(changed),
        skus_created=sum(len(each.new_skus) for each in differences),
        skus_changed=sum(len(each.changed_skus) for each in differences),
    )


async def _apply(session: AsyncSession, differences: list[Difference]) -> None:
    touched = [each for each in differences if each.values or each.new_skus or each.changed_skus]
    products = [_write_product(session, each) for each in touched]
    await session.flush()
    skus = [
        (sku, values)
        for product, each in zip(products, touched, strict=True)
        for sku, values in _write_skus(product, each)
    ]
    session.add_all(sku for sku, _ in skus)
    await session.flush()
    await open_stocks(
        session, {sku.id: (values.get("stock") or 0, values.get("low_at") or 0) for sku, values in skus}
    )
    await index_products(session, sorted(product.id for product in products))
    await forget(PRODUCTS_TAG)


def _write_product(session: AsyncSession, difference: Difference) -> Product:
    product, values = difference.product, dict(difference.values)
    before: dict[str, Any] | None = None
    if values.get("state") is ProductState.ON_SALE:
        values["on_sale_at"] = clock.now()
    if product is None:
        product = Product(id=generate_key(), **(_EMPTY | values))
        session.add(product)
    else:
        before = _plain({name: getattr(product, name) for name in difference.values})
        before["skus"] = [
            {"code": sku.code, **{name: getattr(sku, name) for name in changed}}
            for sku, changed in difference.changed_skus
        ]
        for name, value in values.items():
            setattr(product, name, value)
    product.price_fen = difference.price_fen or 0
    skus = [*difference.new_skus, *({"code": sku.code, **new} for sku, new in difference.changed_skus)]
    after = _plain(difference.values) | {"skus": skus}
    record(session, "product.imported", f"product:{product.id}", before, after)
    return product


def _plain(values: dict[str, Any]) -> dict[str, Any]:
    return {name: value.value if isinstance(value, ProductState) else value for name, value in values.items()}


def _write_skus(product: Product, difference: Difference) -> list[tuple[Sku, dict[str, Any]]]:
    """Change the SKUs that are there; returns those that are new."""
    for sku, changed in difference.changed_skus:
        for name, value in changed.items():
            setattr(sku, name, value)
        sku.options_key = options_key(sku.options)
    made = []
    for values in difference.new_skus:
        fields = {name: value for name, value in values.items() if name not in ("stock", "low_at")}
        key = options_key(values["options"])
        made.append((Sku(id=generate_key(), product_id=product.id, options_key=key, **fields), values))
    return made
