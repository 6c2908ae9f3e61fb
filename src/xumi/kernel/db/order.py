"""In which order a list comes: sorting on allowed names, a unique end to every order, and keyset paging.

NULL counts as the largest value on every database: last going up, first going down (what PostgreSQL does by itself).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, cast

from sqlalchemy import (
    Column,
    ColumnElement,
    Dialect,
    Select,
    Table,
    and_,
    bindparam,
    false,
    or_,
    true,
    tuple_,
)
from sqlalchemy.sql import operators
from sqlalchemy.sql.expression import Alias, FromClause, Join

from xumi.kernel.db.columns import tables_that_may_be_absent
from xumi.kernel.errors import APICode, APIException, FieldError

Sortable = Mapping[str, Any] | Sequence[Any]


@dataclass(frozen=True, slots=True)
class Term:
    """One expression to sort by; `nullable` unless it is known that it is never NULL."""

    expression: ColumnElement[Any]
    descending: bool
    nullable: bool = True

    def clauses(self, dialect: Dialect) -> list[ColumnElement[Any]]:
        """For ORDER BY."""
        ordered = self.expression.desc() if self.descending else self.expression.asc()
        if not self.nullable or dialect.name == "postgresql":
            return [ordered]
        if dialect.name == "sqlite":
            return [ordered.nulls_first() if self.descending else ordered.nulls_last()]
        is_null = self.expression.is_(None)
        return [is_null.desc() if self.descending else is_null.asc(), ordered]

    def after(self, value: ColumnElement[Any] | None) -> ColumnElement[bool]:
        """What comes strictly behind a value in this order; None stands for NULL."""
        if self.descending:
            return self.expression.is_not(None) if value is None else self.expression < value
        if value is None:
            return false()
        behind = self.expression > value
        return or_(behind, self.expression.is_(None)) if self.nullable else behind

    def same(self, value: ColumnElement[Any] | None) -> ColumnElement[bool]:
        """What stands at the same place."""
        return self.expression.is_(None) if value is None else self.expression == value


def sortable_names(sortable: Sortable) -> dict[str, ColumnElement[Any]]:
    """The allowed names and what each sorts by; a column goes by the name of its attribute."""
    named = sortable if isinstance(sortable, Mapping) else {column.key: column for column in sortable}
    # A mapped attribute stands for the column that it maps.
    return {name: getattr(column, "expression", column) for name, column in named.items()}


def parse_sort(sort: str | None, default: str | None, sortable: Sortable) -> tuple[Term, ...]:
    """The terms of `name,-created_at`.

    Raises:
        APIException: 422 naming `sort`; a name is not allowed or comes twice.
    """
    names = sortable_names(sortable)
    text = sort if sort and sort.strip() else default
    if not text:
        return ()
    terms: dict[str, Term] = {}
    for part in text.split(","):
        word = part.strip()
        name = word.removeprefix("-").removeprefix("+")
        if name not in names or name in terms:
            allowed = ", ".join(names) or "nothing"
            reason = f"{name!r} is given twice" if name in terms else f"{name!r} is not one of: {allowed}"
            if text is default:
                raise TypeError(f"default_sort={default!r}: {reason}.")
            raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("sort", reason)])
        terms[name] = Term(names[name], word.startswith("-"))
    return tuple(terms.values())


def with_unique_end(statement: Select[*tuple[Any, ...]], terms: Sequence[Term]) -> list[Term]:
    """The terms followed by what tells any two rows apart, so that pages neither repeat nor skip a row.

    Nullability is settled as well: a column that forbids NULL has none unless an outer join left its table out.
    """
    absent = tables_that_may_be_absent(statement)
    descending = terms[-1].descending if terms else False
    ending = [
        Term(column, descending)
        for column in _identity(statement)
        if not any(column.compare(term.expression) for term in terms)
    ]
    return [
        Term(term.expression, term.descending, _may_be_null(term.expression, absent))
        for term in (*terms, *ending)
    ]


def _may_be_null(expression: ColumnElement[Any], absent: set[FromClause]) -> bool:
    if not isinstance(expression, Column) or not isinstance(expression.table, Table | Alias):
        return True
    return bool(expression.nullable) or expression.table in absent


def _identity(statement: Select[*tuple[Any, ...]]) -> list[ColumnElement[Any]]:
    """Columns whose values together belong to one row of the result."""
    if statement._group_by_clauses:
        return list(statement._group_by_clauses)
    if statement._distinct:
        return list(statement.selected_columns)
    keys: list[ColumnElement[Any]] = []
    for clause in statement.get_final_froms():
        keys += _identity_of(clause)
    return keys


def _identity_of(clause: FromClause) -> list[ColumnElement[Any]]:
    if isinstance(clause, Join):
        left = _identity_of(clause.left)
        # Each row on the left meets at most one on the right: the right side adds nothing to tell apart.
        return left if _joins_by_key(clause) else left + _identity_of(clause.right)
    return list(clause.primary_key) or list(clause.columns)


def _joins_by_key(join: Join) -> bool:
    """Whether the join compares the whole primary key of its right side with the left one."""
    if join.full or not isinstance(join.right, Table | Alias):
        return False
    conditions: list[Any] = [join.onclause]
    if getattr(join.onclause, "operator", None) is operators.and_:
        conditions = list(cast(Any, join.onclause).clauses)
    fixed = set()
    for condition in conditions:
        if getattr(condition, "operator", None) is not operators.eq:
            continue
        for side, other in ((condition.left, condition.right), (condition.right, condition.left)):
            if _belongs(side, join.right) and isinstance(other, Column) and not _belongs(other, join.right):
                fixed.add(side.key)
    keys = {column.key for column in join.right.primary_key}
    return bool(keys) and keys <= fixed


def _belongs(element: Any, table: FromClause) -> bool:
    return isinstance(element, Column) and element.table.compare(table)


def behind(terms: Sequence[Term], nulls: Sequence[bool], names: Sequence[str]) -> ColumnElement[bool]:
    """The rows that come behind one whose values are bound under `names`; `nulls` says which of them are NULL."""
    values: list[ColumnElement[Any] | None] = [
        None if null else bindparam(name, type_=term.expression.type)
        for term, null, name in zip(terms, nulls, names, strict=True)
    ]
    directions = {term.descending for term in terms}
    if len(directions) == 1 and not any(term.nullable for term in terms):
        # Databases walk an index for a comparison of whole rows.
        row, bound = (
            tuple_(*[term.expression for term in terms]),
            tuple_(*[value for value in values if value is not None]),
        )
        return row < bound if directions.pop() else row > bound
    options = []
    for index, (term, value) in enumerate(zip(terms, values, strict=True)):
        equal = [before.same(given) for before, given in zip(terms[:index], values[:index], strict=True)]
        options.append(and_(true(), *equal, term.after(value)))
    return or_(false(), *options)
