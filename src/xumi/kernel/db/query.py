"""Lists: what a client asks for, what it gets, and the one call between them.

    class UserQuery(PaginateRequest):
        username: str | None = None

    @router.get("", permission="user:list")
    async def list_users(query: Annotated[UserQuery, Query()]) -> PaginateResponse[UserOut]:
        statement = add_filters(select(User), query, {User.username: FilterTypeEnum.Like})
        return await paginate_query(statement, query, UserOut, sortable=[User.username, User.created_at])

The same class is the body of `POST …/query`, where the filters may also stand under `query`.
"""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any, Generic, Literal, TypeVar, cast

import msgspec
from pydantic import (
    BaseModel,
    Field,
    GetJsonSchemaHandler,
    SerializerFunctionWrapHandler,
    model_serializer,
    model_validator,
)
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema
from sqlalchemy import Integer, Select, bindparam, func, select
from sqlalchemy.sql.cache_key import CacheKey

from xumi.kernel.auth.field import hidden_fields
from xumi.kernel.config import CONSTANTS
from xumi.kernel.db.cursor import MAX_CURSOR_LENGTH, decode_cursor, encode_cursor
from xumi.kernel.db.hidden import refuse_hidden, without_hidden
from xumi.kernel.db.order import Sortable, Term, behind, parse_sort, with_unique_end
from xumi.kernel.db.read import MAX_PLANS, Reader, RowPlan, narrow, reading
from xumi.kernel.db.read import fetch_all as fetch_all
from xumi.kernel.db.read import fetch_one as fetch_one
from xumi.kernel.db.read import fetch_value as fetch_value
from xumi.kernel.db.read import get_one as get_one
from xumi.kernel.db.runner import Query, Row, Rows, Runner
from xumi.kernel.db.shape import RAW, Shape, Values
from xumi.kernel.db.totals import tables_of
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.schema import InputSchema, SchemaBase

T = TypeVar("T")
SchemaT = TypeVar("SchemaT", bound=BaseModel)

# A larger offset would not fit the 32 bits in which drivers send it, and nobody reads that far.
MAX_PAGE = 10_000_000


Count = Literal["exact", "cached", "estimate", "none"]


class PaginateRequest(InputSchema):
    """What a client may ask of any list; a subclass adds the filters of its own."""

    page: int = Field(1, ge=1, le=MAX_PAGE, description="Which page, from 1.")
    size: int = Field(
        CONSTANTS.DEFAULT_PAGE_SIZE,
        ge=1,
        le=CONSTANTS.MAX_PAGE_SIZE,
        description="How many items a page has.",
    )
    sort: str | None = Field(
        None,
        max_length=200,
        description="Names to sort by, separated by commas; `-` in front sorts downwards.",
    )
    count: Count | None = Field(
        None,
        description="How `total` is found: counted, remembered for some seconds, estimated by the database, or not at all. "
        "Lists allow some of them; the first is what they do unasked.",
    )
    after: str | None = Field(
        None,
        max_length=MAX_CURSOR_LENGTH,
        description="The `next` of the page before; takes the place of `page`.",
    )
    export: Literal["csv", "xlsx"] | None = Field(None, description="Send all matching items as a file.")

    @classmethod
    def __pydantic_init_subclass__(cls, **_: Any) -> None:
        """A filter that has the name of one of these would quietly take its place."""
        for name in ("page", "size", "count", "after", "export"):
            if cls.model_fields[name].annotation != PaginateRequest.model_fields[name].annotation:
                raise TypeError(
                    f"{cls.__name__}.{name} has a meaning of its own in every list: give the filter another name."
                )

    @model_validator(mode="before")
    @classmethod
    def _lift_query(cls, values: Any) -> Any:
        """In a body the filters may stand under `query`."""
        if (
            isinstance(values, dict)
            and isinstance(values.get("query"), dict)
            and "query" not in cls.model_fields
        ):
            return {**values["query"], **{name: value for name, value in values.items() if name != "query"}}
        return values


_LEFT_OUT = frozenset(("total_age", "total_estimated", "has_next", "next"))


class PaginateResponse(SchemaBase, Generic[T]):
    """One page of a list."""

    items: list[T]
    page: int = Field(description="Which page this is, from 1.", examples=[1])
    size: int = Field(description="How many items a page has at most.", examples=[20])
    total: int | None = Field(description="How many items match; null if it was not counted.", examples=[1])
    total_age: int | None = Field(
        None, description="How many seconds ago `total` was counted; given where it may be remembered."
    )
    total_estimated: bool | None = Field(None, description="True where `total` is an estimate.")
    has_next: bool | None = Field(
        None, description="Whether more items follow; given unless `total` was counted just now."
    )
    next: str | None = Field(
        None, description="Send it as `after` for the following page; only on lists that offer it."
    )

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: CoreSchema, handler: GetJsonSchemaHandler
    ) -> JsonSchemaValue:
        """The fields; pydantic cannot look into the serializer below."""
        without = {name: part for name, part in core_schema.items() if name != "serialization"}
        return handler(cast(CoreSchema, without))

    @model_serializer(mode="wrap")
    def _leave_out_absent(self, handler: SerializerFunctionWrapHandler) -> dict[str, Any]:
        values: dict[str, Any] = handler(self)
        return {name: value for name, value in values.items() if value is not None or name not in _LEFT_OUT}


class _Page(msgspec.Struct, omit_defaults=True):
    """A `PaginateResponse` whose items are no models; encodes to the same."""

    items: list[Any]
    page: int
    size: int
    total: int | None
    total_age: int | None = None
    total_estimated: bool | None = None
    has_next: bool | None = None
    next: str | None = None


class _Order:
    """How a list is sorted, and whether it pages by keyset; one object for all requests that ask for the same.

    Attributes:
        terms: what is sorted by.
        sort: the same as the client writes it.
        keyset: whether each page says where the next begins.
        values: the values inside the expressions that are sorted by.
    """

    def __init__(self, terms: tuple[Term, ...], sort: str, keyset: bool) -> None:
        self.terms, self.sort, self.keyset = terms, sort, keyset
        self.values = [bind for term in terms for bind in _key(term).bindparams]


@lru_cache(maxsize=MAX_PLANS)
def _order(sort: str | None, default: str | None, keyset: bool, sortable: tuple[Any, ...]) -> _Order:
    named = dict(sortable) if sortable and isinstance(sortable[0], tuple) else sortable
    return _Order(parse_sort(sort, default, named), sort or default or "", keyset)


def _key(term: Term) -> CacheKey:
    key = term.expression._generate_cache_key()
    if key is None:
        raise TypeError(f"Cannot sort by {term.expression}: SQLAlchemy cannot cache it.")
    return key


class _PagePlan:
    """The compiled statements of one list in one order: a page of it, and its count."""

    def __init__(
        self,
        reader: Reader,
        statement: Select[*tuple[Any, ...]],
        schema: type[BaseModel],
        order: _Order,
        nulls: tuple[bool, ...] | None,
        values: Values,
    ) -> None:
        listed, terms = sorted_statement(reader, statement, schema, order.terms, order.keyset)
        values = [*values, *order.values]
        self.first_key = len(listed.selected_columns)
        if order.keyset:
            listed = listed.add_columns(
                *[term.expression.label(f"xumi_key_{i}") for i, term in enumerate(terms)]
            )
        if nulls is not None:
            listed = listed.where(behind(terms, nulls, [f"{RAW}after_{i}" for i in range(len(terms))]))
        page = listed.limit(bindparam("xumi_limit", type_=Integer())).offset(
            bindparam("xumi_offset", type_=Integer())
        )
        self.page = RowPlan(page, schema, reader.dialect, values)
        counting = count_statement(statement)
        self.count = Shape(counting, reader.dialect, values)
        self.counted_tables = tables_of(counting)
        self.plain = Shape(statement.order_by(None), reader.dialect, values)
        self.keys = len(terms)
        self.order = order

    def cursor(self, row: Row) -> str:
        """The cursor behind a row."""
        return encode_cursor(self.order.sort, row[self.first_key : self.first_key + self.keys])


def sorted_statement(
    reader: Reader,
    statement: Select[*tuple[Any, ...]],
    schema: type[BaseModel],
    terms: Sequence[Term],
    keyset: bool = False,
) -> tuple[Select[*tuple[Any, ...]], Sequence[Term]]:
    """The statement with the columns that the schema takes and in an order that is unique; and that order's terms."""
    narrowed = cast(Select[*tuple[Any, ...]], narrow(statement, schema))
    if terms or keyset:
        narrowed = narrowed.order_by(None)
    terms = with_unique_end(statement, terms)
    clauses = [clause for term in terms for clause in term.clauses(reader.dialect)]
    return narrowed.order_by(*clauses), terms


def count_statement(statement: Select[*tuple[Any, ...]]) -> Select[*tuple[Any, ...]]:
    """How many rows a statement has."""
    plain = statement.order_by(None)
    if statement._distinct or statement._group_by_clauses or statement._having_criteria:
        return select(func.count()).select_from(plain.subquery())
    return plain.with_only_columns(func.count(), maintain_column_froms=True)


async def paginate_query(
    statement: Select[*tuple[Any, ...]],
    request: PaginateRequest,
    schema: type[SchemaT],
    *,
    sortable: Sortable = (),
    default_sort: str | None = None,
    keyset: bool = False,
    counts: Sequence[Count] = ("exact", "none"),
) -> PaginateResponse[SchemaT]:
    """The page of a list that a client asked for, or all of it as a file.

    Args:
        statement: what the list holds, filtered; no LIMIT of its own.
        request: what the client asked for.
        schema: what an item looks like.
        sortable: the columns that may be sorted by, or names for them.
        default_sort: the sort when the client names none, for example `-created_at`; without one the statement's own order
            applies, else that of the primary key.
        keyset: each page carries `next`, a cursor that makes deep pages as cheap as the first.
        counts: the ways to find the total that a client may ask for; the first one is taken when it asks for none. `cached` is
            at most 10 s old and void at once after a write of this process; `estimate` is PostgreSQL's planner's, and the same as
            `cached` elsewhere.

    Raises:
        APIException: 422 naming `sort`, `after`, `count` or `export`.
        TypeError: the statement cannot be paged, or does not give what the schema requires.
    """
    _check(statement)
    refuse_hidden(request)
    items = sortable.items() if isinstance(sortable, Mapping) else sortable
    if hidden := hidden_fields(schema):
        items, default_sort = without_hidden(items, default_sort, hidden)
    order = _order(request.sort, default_sort, keyset, tuple(items))
    reader, runner = reading()
    if request.export is not None:
        from xumi.kernel.db.export import export_response

        return cast(
            "PaginateResponse[SchemaT]",
            await export_response(reader, statement, order.terms, schema, request.export),
        )
    after = None if request.after is None else _behind_cursor(order, statement, request.after)
    nulls = None if after is None else tuple(value is None for value in after)
    plan, values = reader.plan(
        statement,
        (schema, order, nulls),
        lambda s, v: _PagePlan(reader, cast(Select[*tuple[Any, ...]], s), schema, order, nulls, v),
    )
    count = request.count or counts[0]
    if count not in counts:
        reason = f"this list offers {', '.join(counts)}"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("count", reason)])
    return await _read_page(plan, [*values, *order.values], after, request, count, reader, runner)


def _check(statement: object) -> None:
    if not isinstance(statement, Select):
        raise TypeError("paginate_query takes a select(); wrap a union as select(*union.subquery().c).")
    if statement._limit_clause is not None or statement._offset_clause is not None:
        raise TypeError(
            "paginate_query sets LIMIT itself; wrap the statement as select(*statement.subquery().c)."
        )


def _behind_cursor(order: _Order, statement: Select[*tuple[Any, ...]], cursor: str) -> tuple[Any, ...]:
    """The values that the page goes on behind."""
    if not order.keyset:
        raise APIException(
            APICode.VALIDATION_FAILED, errors=[FieldError("after", "this list takes `page` only")]
        )
    count = len(with_unique_end(statement, order.terms))
    return tuple(decode_cursor(cursor, order.sort, count))


async def _read_page(
    plan: _PagePlan,
    values: Values,
    after: tuple[Any, ...] | None,
    request: PaginateRequest,
    count: Count,
    reader: Reader,
    runner: Runner,
) -> PaginateResponse[Any]:
    size, first, order = request.size, after is None, plan.order
    offset = (request.page - 1) * size if first else 0
    exact = count == "exact"
    # One row more than is shown tells whether there is a next page.
    limit = size + 1 if order.keyset or not exact else size
    added = {f"{RAW}after_{index}": value for index, value in enumerate(after or ())}
    query = plan.page.shape.query(values, {**added, "xumi_limit": limit, "xumi_offset": offset})

    def ends_here(rows: Rows) -> bool:
        """The list ends on this page, so that its length is known without counting."""
        return first and len(rows) < limit and (len(rows) > 0 or offset == 0)

    more: dict[str, Any] = {}
    if exact:
        count_query = plan.count.query(values, {})
        rows, counted = await runner.fetch_two(query, count_query, lambda rows: not ends_here(rows))
        total = counted[0][0] if counted else offset + len(rows)
    else:
        rows, total = await runner.fetch(query), None
        more["has_next"] = len(rows) > size
        if count != "none" and ends_here(rows):
            total, more["total_age"] = offset + len(rows), 0
        elif count != "none":
            known = offset + len(rows) if first else len(rows)
            total = await _find_total(plan, values, count, known, more, reader, runner)
    shown = rows[:size]
    if order.keyset and len(rows) > size:
        more["next"] = plan.cursor(shown[-1])
    return _respond(plan, plan.page.make(shown), request, total, **more)


async def _find_total(
    plan: _PagePlan,
    values: Values,
    count: Count,
    known: int,
    more: dict[str, Any],
    reader: Reader,
    runner: Runner,
) -> int:
    """The total without counting, where that can be; `more` is told what is to be known about it.

    Args:
        known: how many items there are at least.
    """

    async def count_now(query: Query) -> int:
        total: int = (await runner.fetch(query))[0][0]
        return total

    if count == "estimate" and reader.dialect.name == "postgresql":
        more["total_estimated"] = True
        plain = plan.plain.query(values, {})
        rows = await runner.fetch(Query(f"EXPLAIN (FORMAT JSON) {plain.sql}", plain.arguments))
        return max(known, int(rows[0][0][0]["Plan"]["Plan Rows"]))
    query = plan.count.query(values, {})
    if runner is not reader.runner:
        # Inside a transaction that writes only its own view counts.
        more["total_age"] = 0
        return await count_now(query)
    total = await reader.totals.find(query, plan.counted_tables, count_now)
    more["total_age"] = int(total.age_seconds)
    return max(known, total.value)


def _respond(
    plan: _PagePlan, items: list[Any], request: PaginateRequest, total: int | None, **more: Any
) -> PaginateResponse[Any]:
    make: Any = PaginateResponse[Any].model_construct if plan.page.builds_models else _Page
    page = make(items=items, page=request.page, size=request.size, total=total, **more)
    return cast("PaginateResponse[Any]", page)
