"""Data scope: the rows of a model that a caller reaches, put into every statement about it.

    class Order(ModelBase):
        __tablename__ = "shop_order"
        __scope__ = Scope("order", owner="owner_id", department="department_id")

Whatever a request reads, updates or deletes of such a model is narrowed to what its caller reaches: in lists, files, totals, joins and
subqueries, through the session and through compiled reads. `kernel.db.scope_compiler` does it where statements become text, so that no
service can forget it; text that is SQL already is not touched. A caller without a rule for the resource, and a public route, reach
nothing. Who holds every permission reaches everything, and so does work without a caller: jobs, consumers, commands. A service that
must look beyond says so:

    with unscoped():
        taken = await fetch_value(select(func.count()).select_from(Order))

New rows are not narrowed by this: see `check_scope`.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from typing import Any

from sqlalchemy import inspect
from sqlalchemy.orm import Mapper, Session

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.scope import EVERY_ROW, NO_ROW, Reach
from xumi.kernel.context import find_current
from xumi.kernel.errors import APICode, APIException

_unscoped = ContextVar("xumi_unscoped", default=False)


@dataclass(frozen=True, slots=True)
class Scope:
    """A model's declaration, as `__scope__`.

    Args:
        resource: what rules call it; several models may share one.
        owner: the attribute that holds the owner's user id; without one no row is anybody's own.
        department: the attribute that holds a department's id; without one no row belongs to a department.
    """

    resource: str
    owner: str | None = None
    department: str | None = None


@dataclass(frozen=True, slots=True)
class TableScope:
    """A declaration with the names of columns in the place of attributes."""

    resource: str
    owner: str | None
    department: str | None


_declared: dict[str, TableScope] = {}


def declare_scope(model: type) -> bool:
    """Take note of a model's `__scope__`; returns whether it has one.

    Raises:
        TypeError: it names neither owner nor department, or an attribute that is no column of the model's own table.
    """
    scope: Scope | None = getattr(model, "__scope__", None)
    mapper: Mapper[Any] | None = inspect(model, raiseerr=False)
    if scope is None or mapper is None:
        return False
    if scope.owner is None and scope.department is None:
        raise TypeError(f"{model.__name__}.__scope__ must name an owner, a department, or both.")
    table: Any = mapper.local_table
    _declared[table.fullname] = TableScope(
        scope.resource, _column(mapper, scope.owner), _column(mapper, scope.department)
    )
    return True


def _column(mapper: Mapper[Any], attribute: str | None) -> str | None:
    if attribute is None:
        return None
    column: Any = mapper.columns.get(attribute)
    if column is None or column.table is not mapper.local_table:
        raise TypeError(
            f"{mapper.class_.__name__}.__scope__ names {attribute!r}, which is no column of its own table."
        )
    key: str = column.key
    return key


def find_table_scope(name: str) -> TableScope | None:
    """The scope of a table, by its full name."""
    return _declared.get(name)


def scoped_resources() -> frozenset[str]:
    """The resources that rules can be about."""
    return frozenset(scope.resource for scope in _declared.values())


@contextmanager
def unscoped() -> Iterator[None]:
    """Statements inside the block see all rows. For services that must look beyond what their caller reaches."""
    token = _unscoped.set(True)
    try:
        yield
    finally:
        _unscoped.reset(token)


def present_reach(resource: str) -> Reach:
    """What statements that run now may see of a resource."""
    context = find_current()
    if context is None or not context.is_request or _unscoped.get():
        return EVERY_ROW
    principal = context.principal
    if principal is None:
        return NO_ROW
    if EVERYTHING in principal.permissions:
        return EVERY_ROW
    resources = context.resources
    return resources.scopes.reach(principal.user_id, resources.access.roles_of(principal), resource)


def check_scope(entity: object) -> None:
    """Refuse a row that its caller would not reach: call it for a new one, and after setting its owner or department.

    Raises:
        APIException: FORBIDDEN.
        TypeError: the model has no `__scope__`.
    """
    if not reaches(entity):
        raise APIException(APICode.FORBIDDEN)


def reaches(entity: object) -> bool:
    """Whether an entity is one that the caller reaches, as it is now in memory.

    Raises:
        TypeError: its model has no `__scope__`.
    """
    scope: Scope | None = getattr(entity, "__scope__", None)
    if scope is None:
        raise TypeError(f"{type(entity).__name__} has no __scope__.")
    owner = None if scope.owner is None else getattr(entity, scope.owner)
    department = None if scope.department is None else getattr(entity, scope.department)
    return present_reach(scope.resource).covers(owner, department)


class ScopedSession(Session):
    """An ORM session that keeps to the scope where no statement does it, and writes what it holds."""

    def _get_impl(self, *arguments: Any, **options: Any) -> Any:
        """`get` finds an entity without a statement when it was loaded before, be it by a block that was `unscoped`."""
        found = super()._get_impl(*arguments, **options)
        return None if hasattr(found, "__scope__") and not reaches(found) else found

    def flush(self, objects: Any = None) -> None:
        """What the session holds was found under a scope or beyond one on purpose: its rows are found by their keys."""
        with unscoped():
            super().flush(objects)
