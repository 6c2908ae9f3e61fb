"""Keeps what roles grant in the memory of a process: read at start, and again whenever the version has grown."""

from collections.abc import AsyncIterator, Iterable, Mapping, Set
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, NamedTuple

from sqlalchemy import func, select

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.copies import Copy
from xumi.kernel.db.read import fetch_all, fetch_value, primary
from xumi.kernel.errors import StartError
from xumi.kernel.log import logger
from xumi.kernel.schema import SchemaBase
from xumi.modules.access.constants import ADMIN, VERSION_ID
from xumi.modules.access.models import AccessPermission, AccessVersion, Role, RoleInclude, RolePermission
from xumi.modules.access.service.synchronisation import synchronise

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

_VERSION = select(AccessVersion.version).where(AccessVersion.id == VERSION_ID)
_ROLES = select(Role.code, Role.second_factor_required).where(Role.enabled)
_INCLUDES = select(RoleInclude.role, RoleInclude.included)
# A row for each role instead of one for each permission of each role: a tenth of the time.
_GRANTS = select(
    RolePermission.role, func.aggregate_strings(RolePermission.permission, ",").label("permissions")
).group_by(RolePermission.role)
_VANISHED = select(AccessPermission.code).where(AccessPermission.vanished_at.is_not(None))
_MAX_TRIES = 3


class _RoleRow(SchemaBase):
    code: str
    second_factor_required: bool


class _IncludeRow(SchemaBase):
    role: str
    included: str


class _GrantRow(SchemaBase):
    role: str
    permissions: str


class _CodeRow(SchemaBase):
    code: str


class Roles(NamedTuple):
    """All enabled roles at one moment.

    Attributes:
        version: of the tables.
        granted: what each grants, through roles that it includes too.
        included: the roles that each stands for, itself too.
        second_factor: those that want a second factor.
    """

    version: int
    granted: dict[str, frozenset[str]]
    included: dict[str, frozenset[str]]
    second_factor: frozenset[str]


async def read_roles() -> Roles:
    """All enabled roles as they are in the database now."""
    with primary():
        for _ in range(_MAX_TRIES):
            version = await fetch_value(_VERSION)
            roles = await fetch_all(_ROLES, _RoleRow)
            includes = [(row.role, row.included) for row in await fetch_all(_INCLUDES, _IncludeRow)]
            grants = {row.role: row.permissions.split(",") for row in await fetch_all(_GRANTS, _GrantRow)}
            vanished = {row.code for row in await fetch_all(_VANISHED, _CodeRow)}
            # These are several queries: they are of one moment if nothing has changed meanwhile.
            if await fetch_value(_VERSION) == version:
                break
    enabled = {row.code for row in roles}
    own = {role: frozenset(codes) - vanished for role, codes in grants.items()}
    granted, included = resolve(enabled, own | {ADMIN: frozenset({EVERYTHING})}, includes)
    return Roles(
        version, granted, included, frozenset(row.code for row in roles if row.second_factor_required)
    )


def resolve(
    enabled: Set[str], own: Mapping[str, frozenset[str]], includes: Iterable[tuple[str, str]]
) -> tuple[dict[str, frozenset[str]], dict[str, frozenset[str]]]:
    """What each enabled role grants with the roles that it includes, and which roles it stands for. Disabled ones grant nothing."""
    directly: dict[str, set[str]] = {}
    for role, included in includes:
        if included in enabled:
            directly.setdefault(role, set()).add(included)
    stands_for = {role: reach({role}, directly) for role in enabled}
    none = frozenset[str]()
    granted = {
        role: own.get(role, none).union(*(own.get(other, none) for other in others - {role}))
        for role, others in stands_for.items()
    }
    return granted, {role: others for role, others in stands_for.items() if len(others) > 1}


def reach(start: Iterable[str], edges: Mapping[str, Set[str]]) -> frozenset[str]:
    """All that can be reached from here, the start too."""
    found: set[str] = set()
    open_ends = list(start)
    while open_ends:
        role = open_ends.pop()
        if role not in found:
            found.add(role)
            open_ends += edges.get(role, ())
    return frozenset(found)


class GrantedRoles(Copy):
    """What roles grant, as one process knows it."""

    what, meanwhile = "roles", "changes made elsewhere do not count yet"

    def __init__(self, resources: "Resources") -> None:
        super().__init__()
        self._resources = resources
        self._synchronised = False
        self._version: int | None = None

    async def read(self) -> None:
        """Read the roles if they have changed since the last time."""
        if not self._synchronised:
            await synchronise(self._resources.features)
            self._synchronised = True
        if await fetch_value(_VERSION) != self._version:
            roles = await read_roles()
            self._resources.access.replace_roles(roles.granted, roles.included, roles.second_factor)
            self._version = roles.version


@asynccontextmanager
async def follow(resources: "Resources") -> AsyncIterator[None]:
    """Know the roles while the process runs. Where the database does not answer at start, nobody is let in until it does."""
    roles = GrantedRoles(resources)
    try:
        await roles.load()
    except StartError:
        raise
    except Exception as error:
        resources.access.forget_roles()
        # No error of this process: a command may need no database. `/readiness` and every refused request tell of it.
        logger.debug("the roles cannot be read: nobody is let in until they can", error=error)
    async with resources.copies.follow(roles):
        yield
