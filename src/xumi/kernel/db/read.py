"""Reads outside the ORM: statements compiled once per shape, run on the driver in autocommit, rows made into plain objects.

`fetch_all`, `fetch_one`, `get_one` and `fetch_value` are what services call:

    users = await fetch_all(select(User).where(User.active), UserOut)

The objects have the attributes of the schema; they are no instances of it unless it has validators or serializers. Reads see
committed data, and once the running unit of work has begun a transaction they run inside it and see its writes.
"""

import asyncio
from collections import OrderedDict
from collections.abc import AsyncIterator, Callable, Hashable, Mapping
from contextlib import asynccontextmanager
from contextvars import ContextVar
from types import MappingProxyType
from typing import Any, TypeVar, cast
from weakref import WeakKeyDictionary

from pydantic import BaseModel
from sqlalchemy import Dialect, Executable, Select, bindparam
from sqlalchemy.sql.cache_key import CacheKey
from sqlalchemy.sql.elements import ClauseElement

from xumi.kernel.context import current
from xumi.kernel.db.columns import result_columns, selected
from xumi.kernel.db.row import row_maker, sources
from xumi.kernel.db.runner import Query, Runner
from xumi.kernel.db.scope_compiler import Variants, noting_forms
from xumi.kernel.db.shape import Shape, Values
from xumi.kernel.db.totals import Totals
from xumi.kernel.errors import APICode, APIException

SchemaT = TypeVar("SchemaT", bound=BaseModel)
PlanT = TypeVar("PlanT")

_NONE: Mapping[str, Any] = MappingProxyType({})

MAX_PLANS = 512
# Each file under way holds a connection and a snapshot for as long as its client reads.
MAX_EXPORTS = 4
EXPORT_WAIT_SECONDS = 5.0


class RowPlan:
    """A compiled statement and what makes objects of its rows.

    Args:
        statement: derived from the caller's, or the caller's itself.
        schema: what the objects look like; None takes all columns.
        dialect: the database's.
        values: the values of the caller's statement, as its cache key lists them.

    Raises:
        TypeError: the schema has a required field that no column gives.
    """

    def __init__(
        self, statement: Executable, schema: type[BaseModel] | None, dialect: Dialect, values: Values
    ) -> None:
        self.shape = Shape(statement, dialect, values)
        self.columns = result_columns(statement, self.shape.compiled, dialect)
        self.make, self.builds_models = row_maker(self.columns, schema)


def narrow(statement: Executable, schema: type[BaseModel] | None) -> Executable:
    """The statement with only the columns that the schema takes, where leaving out the others changes nothing else."""
    if schema is None or not isinstance(statement, Select) or not _may_lose_columns(statement):
        return statement
    expressions = selected(statement)
    if expressions is None:
        return statement
    needed = list(dict.fromkeys(sources(list(expressions), schema).values()))
    if not needed or len(needed) == len(expressions):
        return statement
    return statement.with_only_columns(*[expressions[name] for name in needed], maintain_column_froms=True)


def _may_lose_columns(statement: Select[*tuple[Any, ...]]) -> bool:
    return not (
        statement._distinct
        or statement._group_by_clauses
        or statement._having_criteria
        or statement._with_options
    )


class Reader:
    """Runs reads on one database.

    Attributes:
        dialect: SQLAlchemy's dialect, which compiles.
        runner: runs what is compiled, outside any transaction.
        totals: the totals of lists that are remembered.
    """

    def __init__(self, dialect: Dialect, runner: Runner) -> None:
        self.dialect = dialect
        self.runner = runner
        self.totals = Totals()
        self._plans: OrderedDict[Hashable, Any] = OrderedDict()
        # A module's statement is one object for all requests: what it says is read once.
        self._known: WeakKeyDictionary[Executable, tuple[_ShapeKey, Values]] = WeakKeyDictionary()
        self._export_room = asyncio.Semaphore(MAX_EXPORTS)

    def plan(
        self, statement: Executable, kind: Hashable, build: Callable[[Executable, Values], PlanT]
    ) -> tuple[PlanT, Values]:
        """The plan for a statement's shape, made at its first use, and the statement's values.

        Args:
            statement: the caller's statement.
            kind: what the plan depends on beside the statement.
            build: makes the plan; may keep nothing of the values.
        """
        known = self._known.get(statement)
        if known is None:
            key = cast(ClauseElement, statement)._generate_cache_key()
            if key is None:
                # SQLAlchemy cannot tell the values from the text here: the plan is for this statement alone.
                return build(statement, ()), ()
            known = self._known[statement] = _ShapeKey(key), _values(key)
        shape_key, values = known
        place = (shape_key, kind)
        plan = kept = self._plans.get(place)
        if type(kept) is Variants:
            plan = kept.find()
        if plan is None:
            with noting_forms() as forms:
                plan = build(statement, shape_key.key.bindparams)
            self._keep(place, kept, plan, forms)
        else:
            self._plans.move_to_end(place)
        return plan, values

    def _keep(self, place: Hashable, variants: Variants | None, plan: Any, forms: dict[str, int]) -> None:
        """Keep a plan; one about models with a scope is for callers who reach these forms of their resources."""
        if not forms:
            self._plans[place] = plan
        else:
            self._plans[place] = variants = variants or Variants(forms)
            variants.keep(forms, plan)
        if len(self._plans) > MAX_PLANS:
            self._plans.popitem(last=False)

    def row_plan(
        self, statement: Executable, schema: type[BaseModel] | None, *, first: bool = False
    ) -> tuple[RowPlan, Values]:
        """The plan for all rows of a statement, or for its first."""

        def build(statement: Executable, values: Values) -> RowPlan:
            wanted = narrow(statement, schema)
            if first and isinstance(wanted, Select) and wanted._limit_clause is None:
                wanted = wanted.limit(1)
            return RowPlan(wanted, schema, self.dialect, values)

        return self.plan(statement, (schema, first), build)

    async def fetch(
        self,
        statement: Executable,
        schema: type[BaseModel] | None,
        runner: Runner | None = None,
        *,
        first: bool = False,
        parameters: Mapping[str, Any] = _NONE,
    ) -> list[Any]:
        """All rows of a statement as objects, or only the first."""
        plan, values = self.row_plan(statement, schema, first=first)
        rows = await (runner or self.runner).fetch(_query(plan.shape, values, parameters))
        return plan.make(rows[:1] if first else rows)

    @asynccontextmanager
    async def exports(self) -> AsyncIterator[None]:
        """Room for one more file under way.

        Raises:
            APIException: `OVERLOADED`, none became free.
        """
        try:
            async with asyncio.timeout(EXPORT_WAIT_SECONDS):
                await self._export_room.acquire()
        except TimeoutError:
            raise APIException(APICode.OVERLOADED, headers={"Retry-After": "30"}) from None
        try:
            yield
        finally:
            self._export_room.release()

    async def ping(self) -> None:
        """Run the cheapest query there is; raises what the driver raises."""
        await self.runner.fetch(Query("SELECT 1", ()))

    async def close(self) -> None:
        """Close the connections. Safe to call twice."""
        await self.runner.close()


class _ShapeKey:
    """SQLAlchemy's cache key, hashed once: it is a deep tuple, and tuples do not remember their hash."""

    __slots__ = ("_hash", "_open", "key")

    def __init__(self, key: CacheKey) -> None:
        self.key = key
        # Parameters that get their values at each run; the key does not tell them from others of their name.
        self._open = [bind.key for bind in key.bindparams if bind.required]
        self._hash = hash(key.key)

    def __hash__(self) -> int:
        return self._hash

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _ShapeKey) and self.key.key == other.key.key and self._open == other._open


def _values(key: CacheKey) -> Values:
    """The statement's values, with those that `statement.params()` replaced."""
    if not key.params:
        return key.bindparams
    params = key.params
    return [
        bindparam(bind.key, params[bind.key], type_=bind.type) if bind.key in params else bind
        for bind in key.bindparams
    ]


_on_primary = ContextVar("xumi_on_primary", default=False)


class primary:  # noqa: N801 a statement's word, as in `with suppress(…)`
    """Reads inside the block see all that is committed, even where DATABASE_READ_URL names a replica, which may lag behind.

    For what access, money or a write depends on. Reads inside an open transaction never go to the replica.
    """

    __slots__ = ("_token",)

    def __enter__(self) -> None:
        self._token = _on_primary.set(True)

    def __exit__(self, *_: object) -> None:
        _on_primary.reset(self._token)


def reading() -> tuple[Reader, Runner]:
    """The running work's reader, and where it reads: inside the open transaction if there is one, else on the replica."""
    context = current()
    database, work = context.resources.database, context.unit_of_work
    if work is not None and work.active:
        return database.read, work.runner
    replica = database.replica
    reader = database.read if replica is None or _on_primary.get() else replica
    return reader, reader.runner


def _query(shape: Shape, values: Values, parameters: Mapping[str, Any]) -> Query:
    try:
        return shape.query(values, parameters)
    except KeyError:
        # `statement.params(…)` has given some.
        given = {bind.key: bind.effective_value for bind in values if not bind.required}
    try:
        return shape.query(values, {**given, **parameters})
    except KeyError as error:
        raise ValueError(
            f"The statement has a parameter {error.args[0]!r}: give its value, as in {{{error.args[0]!r}: …}}."
        ) from None


async def fetch_all(
    statement: Executable, schema: type[SchemaT], parameters: Mapping[str, Any] = _NONE
) -> list[SchemaT]:
    """All rows of a statement. Bound it: it holds them all in memory.

    Args:
        statement: what to read. One that is made once, for example in a module, costs a request half of what one that is made
            in the request does.
        schema: what a row becomes.
        parameters: values of the statement's `bindparam("name")`.

    Raises:
        ValueError: a parameter has no value.
    """
    reader, runner = reading()
    return await reader.fetch(statement, schema, runner, parameters=parameters)


async def fetch_one(
    statement: Executable, schema: type[SchemaT], parameters: Mapping[str, Any] = _NONE
) -> SchemaT | None:
    """The first row, or None; arguments as for `fetch_all`."""
    reader, runner = reading()
    rows = await reader.fetch(statement, schema, runner, first=True, parameters=parameters)
    return rows[0] if rows else None


async def get_one(
    statement: Executable, schema: type[SchemaT], parameters: Mapping[str, Any] = _NONE
) -> SchemaT:
    """The first row; arguments as for `fetch_all`.

    Raises:
        APIException: `NOT_FOUND`, there is none.
    """
    found = await fetch_one(statement, schema, parameters)
    if found is None:
        raise APIException(APICode.NOT_FOUND)
    return found


async def fetch_value(statement: Executable, parameters: Mapping[str, Any] = _NONE) -> Any:
    """The first column of the first row, or None; arguments as for `fetch_all`."""
    reader, runner = reading()
    plan, values = reader.row_plan(statement, None, first=True)
    rows = await runner.fetch(_query(plan.shape, values, parameters))
    if not rows:
        return None
    value, process = rows[0][0], plan.columns[0].process
    return value if process is None else process(value)
