"""Where statements become text, those about models with a `__scope__` are narrowed to what their caller reaches.

The text depends on the form of the caller's reach (all, own, departments, both, none); who he is and which departments he reaches are
values that are asked for at each run. So what is compiled is kept once per form (`Variants`), and a text never meets values that it
does not fit: for a caller whose reach has changed meanwhile, or where nobody asks, the values deny.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Any, cast

import msgspec
from sqlalchemy import (
    ARRAY,
    Engine,
    FromClause,
    Join,
    String,
    TableClause,
    and_,
    any_,
    bindparam,
    func,
    literal_column,
    or_,
    select,
)
from sqlalchemy.sql.compiler import SQLCompiler
from sqlalchemy.sql.elements import ColumnElement
from sqlalchemy.sql.operators import and_ as and_operator
from sqlalchemy.sql.selectable import AliasedReturnsRows, FromGrouping
from sqlalchemy.util import LRUCache

from xumi.kernel.auth.scope import ALL, DEPARTMENTS, OWN
from xumi.kernel.db.scope import TableScope, find_table_scope, present_reach

# The name under which a parameter's value goes to the driver as it is (`kernel.db.shape.RAW`).
_RAW = "xumi_raw_"
CACHE_SIZE = 500

_noted: ContextVar[dict[str, int] | None] = ContextVar("xumi_scope_forms", default=None)


class Variants:
    """What was made of one statement, once for each combination of the forms in which its resources are reached."""

    __slots__ = ("_made", "_resources")

    def __init__(self, forms: dict[str, int]) -> None:
        self._resources = tuple(forms)
        self._made: dict[tuple[int, ...], Any] = {}

    def find(self) -> Any:
        """What was made for who asks now, or None."""
        return self._made.get(tuple([present_reach(resource).form for resource in self._resources]))

    def keep(self, forms: dict[str, int], made: Any) -> None:
        """Take what was made under these forms."""
        self._made[tuple([forms[resource] for resource in self._resources])] = made


@contextmanager
def noting_forms() -> Iterator[dict[str, int]]:
    """Collects the resources that are met by what is compiled inside, and the form of each."""
    forms: dict[str, int] = {}
    token = _noted.set(forms)
    try:
        yield forms
    finally:
        _noted.reset(token)


class CompiledCache(LRUCache[Any, Any]):
    """SQLAlchemy's cache of compiled statements, which tells callers apart where their statements differ."""

    def get(self, key: Any, default: Any = None) -> Any:
        """The compiled statement for who asks now."""
        found = super().get(key, default)
        return found.find() if type(found) is Variants else found

    def __setitem__(self, key: Any, compiled: Any) -> None:
        forms = getattr(compiled, "scope_forms", None)
        if not forms:
            super().__setitem__(key, compiled)
            return
        variants = super().get(key)
        if variants is None:
            variants = Variants(forms)
            super().__setitem__(key, variants)
        variants.keep(forms, compiled)


def install(engine: Engine) -> None:
    """Narrow all that this engine and its dialect compile."""
    dialect = engine.dialect
    dialect.statement_compiler = _narrowing(dialect.statement_compiler)
    engine.update_execution_options(compiled_cache=CompiledCache(CACHE_SIZE))


def keep_by_form(model: Any) -> None:
    """The ORM keeps the text of some of its statements with the mapper: there too they are told apart."""
    mapper = model.__mapper__.base_mapper
    mapper._compiled_cache = CompiledCache(mapper._compiled_cache_size)


def _narrowing(compiler: type[SQLCompiler]) -> type[SQLCompiler]:
    return type(f"Scoped{compiler.__name__}", (_Narrowing, compiler), {})


class _Narrowing(SQLCompiler):
    """Adds the caller's conditions to every SELECT, UPDATE and DELETE, however deep, that has a table with a scope.

    Attributes:
        scope_forms: the resources that were met, and the form of each for which this text is.
    """

    scope_forms: dict[str, int] | None = None

    def _compose_select_body(
        self,
        text: str,
        select: Any,
        compile_state: Any,
        inner_columns: Any,
        froms: Sequence[FromClause],
        *rest: Any,
    ) -> str:
        # What is selected from an enclosing statement is narrowed there, and not among these.
        narrowed = [self._narrow(each) for each in froms]
        criteria = [criterion for _, found in narrowed for criterion in found]
        if criteria:
            select = select._generate()
            select._where_criteria += tuple(criteria)
        froms = [each for each, _ in narrowed]
        composed: str = super()._compose_select_body(  # type: ignore[no-untyped-call]
            text, select, compile_state, inner_columns, froms, *rest
        )
        return composed

    def visit_update(self, update_stmt: Any, *arguments: Any, **options: Any) -> str:
        """An UPDATE of the rows that the caller reaches."""
        return super().visit_update(self._narrow_change(update_stmt), *arguments, **options)

    def visit_delete(self, delete_stmt: Any, *arguments: Any, **options: Any) -> str:
        """A DELETE of the rows that the caller reaches."""
        text: str = super().visit_delete(self._narrow_change(delete_stmt), *arguments, **options)  # type: ignore[no-untyped-call]
        return text

    def visit_insert(self, insert_stmt: Any, *arguments: Any, **options: Any) -> str:
        """An INSERT; one that updates the row that is there cannot be narrowed on every database.

        Raises:
            TypeError: it is one of these, and the caller does not reach all rows.
        """
        conflict = insert_stmt._post_values_clause
        scope = find_table_scope(insert_stmt.table.fullname)
        if (
            scope is not None
            and conflict is not None
            and conflict.__visit_name__ != "on_conflict_do_nothing"
            and not self._form(scope.resource) & ALL
        ):
            raise TypeError(
                f"An upsert into {insert_stmt.table.fullname} could change a row that its caller does not reach: check the rows, "
                "and do it inside `with unscoped():`."
            )
        text: str = super().visit_insert(insert_stmt, *arguments, **options)  # type: ignore[no-untyped-call]
        return text

    def _narrow_change(self, statement: Any) -> Any:
        """An UPDATE or DELETE with the conditions of its table and of those that its other conditions and values bring in."""
        sources: list[Any] = [statement.table]
        values = (getattr(statement, "_values", None) or {}).values()
        for clause in (*statement._where_criteria, *values):
            sources += getattr(clause, "_from_objects", ())
        criteria: list[ColumnElement[bool]] = []
        for source in dict.fromkeys(sources):
            narrowed, found = self._narrow(source)
            if narrowed is not source:
                raise TypeError(
                    f"An outer join of {source} in an UPDATE or DELETE cannot be narrowed: use a subquery."
                )
            criteria += found
        return statement.where(*criteria) if criteria else statement

    def _narrow(self, source: FromClause) -> tuple[FromClause, list[ColumnElement[bool]]]:
        """What to select from in a source's place, and the conditions that belong into the WHERE around it."""
        if isinstance(source, Join):
            return self._narrow_join(source)
        if isinstance(source, FromGrouping):
            inner, criteria = self._narrow(source.element)
            return (source if inner is source.element else FromGrouping(inner)), criteria
        table: Any = source
        while isinstance(table, AliasedReturnsRows):
            table = table.element
        scope = find_table_scope(table.fullname) if isinstance(table, TableClause) else None
        if scope is None:
            return source, []
        form = self._form(scope.resource)
        return source, [] if form & ALL else [_criterion(source, scope, form, self.dialect.name)]

    def _narrow_join(self, join: Join) -> tuple[FromClause, list[ColumnElement[bool]]]:
        """Rows that the optional side of an outer join does not show are absent there: their conditions go into its ON."""
        left, criteria = self._narrow(join.left)
        right, optional = self._narrow(join.right)
        if join.full and (criteria or optional):
            raise TypeError(f"A full join of {join} cannot be narrowed: select from subqueries instead.")
        if not join.isouter:
            criteria, optional = [*criteria, *optional], []
        if left is join.left and right is join.right and not optional:
            return join, criteria
        changed: Any = join._clone()
        changed.left, changed.right = left, right
        if optional:
            changed.onclause = and_(changed.onclause, *optional)
        return changed, criteria

    def _form(self, resource: str) -> int:
        if self.scope_forms is None:
            self.scope_forms = {}
        # One answer for all of a statement, whatever changes meanwhile.
        form = self.scope_forms.setdefault(resource, present_reach(resource).form)
        noted = _noted.get()
        if noted is not None:
            form = self.scope_forms[resource] = noted.setdefault(resource, form)
        return form


def _criterion(source: FromClause, scope: TableScope, form: int, dialect: str) -> ColumnElement[bool]:
    """The rows of a source that a reach of this form covers."""
    options: list[ColumnElement[bool]] = []
    if form & OWN and scope.owner is not None:
        owner = bindparam(f"{_RAW}owner", callable_=_Owner(scope.resource), type_=String(), unique=True)
        options.append(source.c[scope.owner] == owner)
    if form & DEPARTMENTS and scope.department is not None:
        options.append(_is_among(source.c[scope.department], _Departments(scope.resource, dialect), dialect))
    if not options:
        # `false()` would take the place of all other conditions, and SQLAlchemy then misses those that join.
        return literal_column("1") == literal_column("0")
    # In brackets: it is put beside other conditions.
    return cast(ColumnElement[bool], or_(*options).self_group(against=and_operator))


def _is_among(column: ColumnElement[Any], find: "_Departments", dialect: str) -> ColumnElement[bool]:
    """A column's value is in a list; where the database can, the list is one value, so that the text does not depend on its length."""
    name = f"{_RAW}departments"
    if dialect == "postgresql":
        return column == any_(bindparam(name, callable_=find, type_=ARRAY(String()), unique=True))
    if dialect == "sqlite":
        among = func.json_each(bindparam(name, callable_=find, type_=String(), unique=True)).table_valued(
            "value"
        )
        return column.in_(select(among.c.value))
    return column.in_(bindparam(name, callable_=find, type_=String(), unique=True, expanding=True))


class _Owner:
    """Whose own rows are reached now; None where none are."""

    def __init__(self, resource: str) -> None:
        self._resource = resource

    def __call__(self) -> str | None:
        return present_reach(self._resource).owner


class _Departments:
    """The departments that are reached now, as the database takes them."""

    def __init__(self, resource: str, dialect: str) -> None:
        self._resource = resource
        self._as_json = dialect == "sqlite"

    def __call__(self) -> Any:
        reach = present_reach(self._resource)
        return msgspec.json.encode(reach.departments).decode() if self._as_json else reach.departments
