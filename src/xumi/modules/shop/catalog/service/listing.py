"""Products as customers find them."""

from typing import Any

from sqlalchemy import ColumnElement, bindparam, select

from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all
from xumi.modules.shop.catalog.models import Category, Product, ProductSearch, Theme, ThemeProduct
from xumi.modules.shop.catalog.repository import refuse
from xumi.modules.shop.catalog.schemas.product import ProductListed, ProductQuery, RecentQuery
from xumi.modules.shop.catalog.service.category import find_branch
from xumi.modules.shop.catalog.service.memory import remember
from xumi.modules.shop.catalog.service.offer import COVER, ON_SALE
from xumi.modules.shop.catalog.service.search import search

LISTED = select(
    Product.id,
    Product.name,
    Product.subtitle,
    COVER.label("picture"),
    Product.price_fen,
    Product.category_id,
).where(ON_SALE)
"""What lists show of the products on sale."""

_RECENT = LISTED.order_by(Product.on_sale_at.desc(), Product.id.desc()).limit(bindparam("limit"))
_TABLES = frozenset(model.__tablename__ for model in (Category, Product, ProductSearch, Theme, ThemeProduct))
_SORTABLE = [Product.on_sale_at, Product.price_fen, Product.name]


async def list_products(query: ProductQuery) -> PaginateResponse[ProductListed]:
    """The products on sale that are wanted, the newest first; with a keyword, those with it in their name before the others.

    At most 2 s old after a change by another process.

    Raises:
        APIException: VALIDATION_FAILED (`sort`, `count`, `after`, `export`).
    """
    if query.export is not None:
        # Anybody may ask here, and a file holds a connection for as long as its reader likes.
        raise refuse("export", "this list has no files")
    key = f"shop:products:{query.model_dump_json()}"
    return await remember(key, lambda: _read_page(query), _TABLES)


async def _read_page(query: ProductQuery) -> PaginateResponse[ProductListed]:
    conditions = await _conditions(query)
    statement = LISTED.where(*conditions) if conditions else LISTED
    default_sort: str | None = "-on_sale_at"
    if query.keyword and not query.keyword.isspace():
        statement, default_sort = search(statement, query.keyword), None
    return await paginate_query(
        statement,
        query,
        ProductListed,
        sortable=_SORTABLE,
        default_sort=default_sort,
        counts=("cached", "none"),
    )


async def _conditions(query: ProductQuery) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if query.category_id is not None:
        found.append(Product.category_id.in_(await find_branch(query.category_id)))
    if query.theme_id is not None:
        found.append(Product.id.in_(_under(query.theme_id)))
    if query.min_price_fen is not None:
        found.append(Product.price_fen >= query.min_price_fen)
    if query.max_price_fen is not None:
        found.append(Product.price_fen <= query.max_price_fen)
    return found


def _under(theme_id: str) -> Any:
    shown = select(ThemeProduct.product_id).join(Theme, Theme.id == ThemeProduct.theme_id)
    return shown.where(Theme.id == theme_id, Theme.hidden.is_(False))


async def list_recent(query: RecentQuery) -> list[ProductListed]:
    """The products that were put on sale last."""
    return await fetch_all(_RECENT, ProductListed, {"limit": query.limit})
