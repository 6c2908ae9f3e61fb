"""What of the products that a file wants is new, or other than what is there; and what of it cannot be."""

from collections import defaultdict
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any, TypeVar

from sqlalchemy import Select, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.modules.shop.catalog.constants import MAX_SKUS
from xumi.modules.shop.catalog.enums import ProductState
from xumi.modules.shop.catalog.models import Category, Product, Sku
from xumi.modules.shop.catalog.service.exchange.draft import Draft, Line
from xumi.modules.shop.catalog.service.sku import options_key
from xumi.modules.shop.freight import service as freight

RowT = TypeVar("RowT")

_BATCH = 500


@dataclass(slots=True)
class Difference:
    """What an import would do to one product.

    Attributes:
        product: None, it is new.
        values: fields of the product that are new or other.
        new_skus: all fields of each.
        changed_skus: each with the fields that are other.
        price_fen: the lowest of its enabled SKUs afterwards; None where there is none.
    """

    draft: Draft
    product: Product | None
    values: dict[str, Any]
    new_skus: list[dict[str, Any]] = field(default_factory=list)
    changed_skus: list[tuple[Sku, dict[str, Any]]] = field(default_factory=list)
    price_fen: int | None = None


class _Present:
    """What is there of that which a file speaks of.

    Attributes:
        products: by code.
        skus: by the id of their product.
        owners: the code of the product by the code of each SKU that the file names.
        categories: names by id.
        named: the ids by name.
        templates: those of the freight templates that the file names which exist.
    """

    def __init__(self) -> None:
        self.products: dict[str, Product] = {}
        self.skus: defaultdict[str, list[Sku]] = defaultdict(list)
        self.owners: dict[str, str] = {}
        self.categories: dict[str, str] = {}
        self.named: defaultdict[str, list[str]] = defaultdict(list)
        self.templates: set[str] = set()


async def find_differences(session: AsyncSession, drafts: Sequence[Draft], *, lock: bool) -> list[Difference]:
    """Compare products with what is there; what cannot be is noted on its rows.

    Args:
        session: the transaction.
        drafts: what is wanted.
        lock: nobody else shall change these products until the transaction ends.
    """
    present = await _read_present(session, drafts, lock)
    return [_compare(draft, present) for draft in drafts]


async def _read_present(session: AsyncSession, drafts: Sequence[Draft], lock: bool) -> _Present:
    present = _Present()
    codes = [draft.code for draft in drafts]
    ids = sorted(await _read(session, select(Product.id), Product.code, codes))
    wanted = select(Product).order_by(Product.id)
    if lock:
        wanted = wanted.with_for_update().execution_options(populate_existing=True)
    # In the order of their ids, so that two imports wait for each other and do not run into a deadlock.
    products = await _read(session, wanted, Product.id, ids)
    present.products = {product.code: product for product in products}
    for sku in await _read(session, select(Sku).order_by(Sku.id), Sku.product_id, ids):
        present.skus[sku.product_id].append(sku)
    sku_codes = [line.sku_code for draft in drafts for line in draft.lines if line.sku_code]
    for batch in _batches(sku_codes):
        owners = select(Sku.code, Product.code).join(Product, Product.id == Sku.product_id)
        found = await session.execute(owners.where(Sku.code.in_(batch)))
        present.owners.update({row[0]: row[1] for row in found})
    categories = await session.execute(select(Category.id, Category.name))
    for category_id, name in categories:
        present.categories[category_id] = name
        present.named[name].append(category_id)
    for template_id in {draft.values.get("freight_template_id") for draft in drafts} - {None}:
        if await freight.has_template(session, str(template_id)):
            present.templates.add(str(template_id))
    return present


async def _read(
    session: AsyncSession, statement: Select[RowT], column: Any, values: Sequence[str]
) -> list[RowT]:
    """The rows whose column has one of many values."""
    found: list[RowT] = []
    for batch in _batches(values):
        found += (await session.scalars(statement.where(column.in_(batch)))).all()
    return found


def _batches(values: Sequence[str]) -> Iterator[Sequence[str]]:
    for start in range(0, len(values), _BATCH):
        yield values[start : start + _BATCH]


def _compare(draft: Draft, present: _Present) -> Difference:
    product, first = present.products.get(draft.code), draft.lines[0]
    values = dict(draft.values)
    _find_category(values, present, first)
    template_id = values.get("freight_template_id")
    if template_id is not None and template_id not in present.templates:
        first.errors.append("freight_template_id: there is no such freight template")
    if product is None:
        missing = [name for name in ("name", "category_id") if name not in values]
        # Where the row is wrong already, its values are not known.
        first.errors += [f"{name}: is missing" for name in missing if draft.values]
        if values.get("state") is ProductState.DRAFT:
            del values["state"]
    else:
        values = {name: value for name, value in values.items() if getattr(product, name) != value}
        if values.get("state") is ProductState.DRAFT:
            first.errors.append("state: it is no draft any more; off takes it off sale")
    difference = Difference(draft, product, values)
    _compare_skus(difference, present)
    return difference


def _find_category(values: dict[str, Any], present: _Present, line: Line) -> None:
    """A category is named by its id, or by its name if no other one has that."""
    categories = present.categories
    name, category_id = values.pop("category", None), values.get("category_id")
    if category_id is not None and category_id not in categories:
        line.errors.append("category_id: there is no such category")
    elif category_id is not None and name not in (None, categories[category_id]):
        line.errors.append("category: is not the name of category_id; leave one of them empty")
    elif category_id is None and name is not None:
        named = present.named[name]
        if len(named) == 1:
            values["category_id"] = named[0]
        else:
            reason = "several have this name; use category_id" if named else "there is no such category"
            line.errors.append(f"category: {reason}")
            values["category_id"] = ""


def _compare_skus(difference: Difference, present: _Present) -> None:
    draft, product = difference.draft, difference.product
    there = {sku.code: sku for sku in present.skus[product.id]} if product is not None else {}
    keys = {code: sku.options_key for code, sku in there.items()}
    if len(keys.keys() | {line.sku_code for line in draft.lines if line.sku}) > MAX_SKUS:
        draft.lines[0].errors.append(f"sku_code: a product can have at most {MAX_SKUS}")
        return
    # Without a word about their order new SKUs stand as in the file, behind those that are there.
    last = max((sku.order for sku in there.values()), default=-1)
    prices = {code: sku.price_fen for code, sku in there.items() if sku.enabled}
    for order, line in enumerate(draft.lines, last + 1):
        if not line.sku:
            continue
        code, sku = line.sku_code, there.get(line.sku_code)
        if sku is None and code in present.owners:
            line.errors.append(f"sku_code: belongs to the product {present.owners[code]}")
            continue
        merged = _compare_sku(difference, line, sku, order)
        keys[code] = options_key(merged["options"])
        prices.pop(code, None)
        if merged["enabled"] and merged["price_fen"] is not None:
            prices[code] = merged["price_fen"]
    _check_options(draft, keys)
    difference.price_fen = min(prices.values(), default=None)
    state = difference.values.get("state") or (product.state if product is not None else None)
    if not prices and state is ProductState.ON_SALE:
        draft.lines[0].errors.append("state: a product on sale needs an enabled SKU")


def _compare_sku(difference: Difference, line: Line, sku: Sku | None, order: int) -> dict[str, Any]:
    """Note what is new or other about a SKU; returns what it will be."""
    given = line.sku
    if sku is None:
        defaults: dict[str, Any] = {"options": {}, "price_fen": None, "list_price_fen": None, "enabled": True}
        merged = defaults | {"order": order} | given
        if merged["price_fen"] is None:
            line.errors.append("price_fen: is missing")
        difference.new_skus.append(merged)
    else:
        # What is in stock changes by adjustments, which have a reason.
        given = {name: value for name, value in given.items() if name not in ("stock", "low_at")}
        changed = {name: value for name, value in given.items() if getattr(sku, name) != value}
        if changed:
            difference.changed_skus.append((sku, changed))
        names = ("options", "price_fen", "list_price_fen", "enabled")
        merged = {name: given.get(name, getattr(sku, name)) for name in names}
    price, list_price = merged["price_fen"], merged["list_price_fen"]
    if list_price is not None and price is not None and list_price < price:
        line.errors.append("list_price_fen: must not be below price_fen")
    return merged


def _check_options(draft: Draft, keys: dict[str, str]) -> None:
    """Customers tell SKUs by their options."""
    codes: defaultdict[str, list[str]] = defaultdict(list)
    for code, key in keys.items():
        codes[key].append(code)
    for line in draft.lines:
        others = [code for code in codes[keys.get(line.sku_code, "")] if code != line.sku_code]
        if line.sku and others:
            line.errors.append(f"options: are those of {others[0]} as well")
