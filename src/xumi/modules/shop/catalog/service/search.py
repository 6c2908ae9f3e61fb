"""Finding products by keyword: how texts become terms, and each database's way to keep and to search them.

A text is cut into units: a run of Chinese, Japanese or Korean characters is one, a word of other letters and digits is one.
A product is found when each unit of the keyword is: a run anywhere inside a run of the product's, a word at the beginning of
one. Full-width letters, ligatures and capitals are the same as plain small ones (NFKC, case folding).

No dictionary is needed, because a run is kept as its pairs of characters: 白瓷杯 is 白瓷 瓷杯 杯, so that a keyword of one character is
the beginning of a term, one of two is a term, and a longer one is terms that follow each other. PostgreSQL keeps them in a
`tsvector`, SQLite in FTS5, and neither's own tokenizer has a part in it. MariaDB's full text drops short words and sees no
uncommitted rows; there the units themselves are kept and looked through from end to end, which is right and slower.
"""

import re
import unicodedata
from collections.abc import Iterable, Sequence
from itertools import islice
from typing import Any

from sqlalchemy import Boolean, Dialect, Select, Text, bindparam, case, delete, false, select, text
from sqlalchemy.ext.asyncio import AsyncSession
from sqlalchemy.ext.compiler import compiles
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.functions import FunctionElement
from sqlalchemy.types import TypeDecorator

from xumi.kernel.db.bulk import insert_many
from xumi.modules.shop.catalog.constants import MAX_KEYWORD_LENGTH
from xumi.modules.shop.catalog.models import Category, Product, ProductSearch

# PostgreSQL counts places in a text up to 16,383.
_MAX_TERMS = 10_000
# MariaDB's TEXT holds 65,535 bytes.
_MAX_CHARACTERS = 16_000
_MAX_WORD_LENGTH = 64
_BATCH = 500

# Scripts without spaces between words: radicals, kana, bopomofo, Han with all extensions, Hangul.
_CJK = "\u1100-\u11ff\u2e80-\u2fdf\u3005-\u3007\u3021-\u3029\u3031-\u3035\u3040-\u318f\u31a0-\u31ff\u3400-\u4dbf\u4e00-\u9fff\ua960-\ua97f\uac00-\ud7ff\uf900-\ufaff\U00016fe0-\U00018aff\U0001b000-\U0001b16f\U00020000-\U0003ffff"
_UNIT = re.compile(f"(?:(?=\\w)[{_CJK}])+|[^\\W_{_CJK}]+")
_IS_CJK = re.compile(f"[{_CJK}]").match


def cut(words: str) -> list[str]:
    """The units of a text, as they are compared."""
    folded = unicodedata.normalize("NFKC", words).casefold()
    units = _UNIT.findall(unicodedata.normalize("NFKC", folded))
    return [unit if _IS_CJK(unit) else unit[:_MAX_WORD_LENGTH] for unit in units]


def _terms(unit: str) -> list[str]:
    return [unit[at : at + 2] for at in range(len(unit))] if _IS_CJK(unit) else [unit]


def _store(texts: Iterable[str], dialect: str) -> str:
    """What is kept of texts, in the form of the database; units hold nothing that would have to be quoted."""
    units = [unit for words in texts for unit in cut(words)][:_MAX_TERMS]
    if dialect in ("mysql", "mariadb"):
        return "".join([f" {unit}" for unit in units])[:_MAX_CHARACTERS]
    terms = islice((term for unit in units for term in _terms(unit)), _MAX_TERMS)
    if dialect == "postgresql":
        return " ".join([f"'{term}':{place}" for place, term in enumerate(terms, 1)])
    return " ".join(terms)


def _ask_postgresql(unit: str) -> str:
    if not _IS_CJK(unit) or len(unit) == 1:
        return f"'{unit}':*"
    # The last character alone would ask for the end of a run.
    return "(" + " <-> ".join([f"'{term}'" for term in _terms(unit)[:-1]]) + ")"


def _ask_sqlite(unit: str) -> str:
    if not _IS_CJK(unit) or len(unit) == 1:
        return f'"{unit}"*'
    return '"' + " ".join(_terms(unit)[:-1]) + '"'


def _ask_mysql(unit: str) -> str:
    return f"(?=.*{unit})" if _IS_CJK(unit) else f"(?=.* {unit})"


class _Units(TypeDecorator[Sequence[str]]):
    """The units of a keyword going in; what the database is asked for coming out."""

    impl = Text
    cache_ok = True

    def process_bind_param(self, value: Sequence[str] | None, dialect: Dialect) -> str:
        """All units have to be found."""
        units = value or ()
        if dialect.name == "postgresql":
            return " & ".join(map(_ask_postgresql, units))
        if dialect.name == "sqlite":
            return " AND ".join(map(_ask_sqlite, units))
        return "^" + "".join(map(_ask_mysql, units))


class _Holds(FunctionElement[bool]):
    """Whether a column of `ProductSearch` holds all units."""

    type = Boolean()
    # Not to be written as `… = 1`.
    _is_implicitly_boolean = True
    inherit_cache = True


class _HoldsToo(_Holds):
    """The same beside another such condition, where it does not decide which rows are read."""

    inherit_cache = True


def _parts(element: _Holds, compiler: SQLCompiler, options: dict[str, Any]) -> tuple[str, str]:
    column, units = element.clauses
    return compiler.process(column, **options), compiler.process(units, **options)


@compiles(_Holds)
def _in_mysql(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    column, units = _parts(element, compiler, options)
    return f"{column} REGEXP {units}"


@compiles(_Holds, "postgresql")
def _in_postgresql(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    column, units = _parts(element, compiler, options)
    return f"{column} @@ CAST({units} AS tsquery)"


@compiles(_Holds, "sqlite")
def _in_sqlite(element: _Holds, compiler: SQLCompiler, **options: Any) -> str:
    column, units = _parts(element, compiler, options)
    return f"{column} MATCH {units}"


@compiles(_HoldsToo, "sqlite")
def _beside_in_sqlite(element: _HoldsToo, compiler: SQLCompiler, **options: Any) -> str:
    # FTS5 answers MATCH only where it says which rows are read.
    column, units = _parts(element, compiler, options)
    found = f"(SELECT rowid FROM shop_product_search WHERE {column} MATCH {units})"  # noqa: S608, the compiler's own texts
    return f"shop_product_search.rowid IN {found}"


def search(statement: Select[Any], keyword: str) -> Select[Any]:
    """A statement about `Product`, narrowed to what the keyword finds, those with it in their name first, then the newest.

    Any text is a keyword: one without a letter or a digit finds nothing, and of a longer one the first `MAX_KEYWORD_LENGTH`
    characters count.
    """
    units = cut(keyword[:MAX_KEYWORD_LENGTH])
    if not units:
        return statement.where(false())

    def asked() -> Any:
        return bindparam(None, tuple(units), type_=_Units())

    return (
        statement.join(ProductSearch, ProductSearch.id == Product.id)
        .where(_Holds(ProductSearch.terms, asked()))
        .order_by(None)
        .order_by(
            case((_HoldsToo(ProductSearch.name_terms, asked()), 0), else_=1),
            Product.on_sale_at.desc(),
            Product.id.desc(),
        )
    )


async def index_product(session: AsyncSession, product_id: str) -> None:
    """Write down by what a product is found, after it was made, changed or deleted, in the same transaction."""
    await index_products(session, [product_id])


async def index_category(session: AsyncSession, category_id: str) -> None:
    """Write down anew by what the products of a category are found, after its name has changed."""
    found = await session.scalars(select(Product.id).where(Product.category_id == category_id))
    await index_products(session, found.all())


async def index_products(session: AsyncSession, product_ids: Sequence[str]) -> None:
    """Write down by what products are found; those that are no longer there are taken out."""
    await session.flush()
    for start in range(0, len(product_ids), _BATCH):
        await _index_batch(session, product_ids[start : start + _BATCH])


async def index_next(session: AsyncSession, after: str) -> str | None:
    """Write down the next products in the order of their ids; returns the last one's id, or None when there is none."""
    wanted = select(Product.id).where(Product.id > after).order_by(Product.id).limit(_BATCH)
    ids = (await session.scalars(wanted)).all()
    await index_products(session, ids)
    return ids[-1] if ids else None


async def forget_strangers(session: AsyncSession) -> None:
    """Take out what belongs to no product."""
    await session.execute(
        delete(ProductSearch)
        .where(ProductSearch.id.not_in(select(Product.id)))
        .execution_options(synchronize_session=False)
    )


async def _index_batch(session: AsyncSession, ids: Sequence[str]) -> None:
    # Whoever changes a product or renames its category comes here as well: the last one shall read what the others wrote, so the
    # rows are locked by one statement and read by the next.
    await session.execute(
        select(Product.id).where(Product.id.in_(ids)).order_by(Product.id).with_for_update()
    )
    columns = (Product.id, Product.name, Product.subtitle, Product.code, Product.properties)
    reading = select(*columns, Category.name).join(Category, Category.id == Product.category_id)
    found = (await session.execute(reading.where(Product.id.in_(ids)).order_by(Product.id))).all()
    dialect = session.get_bind().dialect.name
    await _take_out(session, ids, dialect)
    rows = []
    for product_id, name, subtitle, code, properties, category in found:
        pairs = [str(part) for item in properties for part in (item["name"], item["value"])]
        texts = [name, subtitle or "", code, category, *pairs]
        rows.append(
            {"id": product_id, "name_terms": _store([name], dialect), "terms": _store(texts, dialect)}
        )
    await insert_many(session, ProductSearch, rows)


async def _take_out(session: AsyncSession, ids: Sequence[str], dialect: str) -> None:
    if dialect != "sqlite":
        await session.execute(
            delete(ProductSearch)
            .where(ProductSearch.id.in_(ids))
            .execution_options(synchronize_session=False)
        )
        return
    # A virtual table has no index but its own: the id is a term too.
    statement = text(
        "DELETE FROM shop_product_search WHERE rowid IN (SELECT rowid FROM shop_product_search WHERE id MATCH :ids)"
    )
    await session.execute(statement, {"ids": " OR ".join([f'"{product_id}"' for product_id in ids])})
