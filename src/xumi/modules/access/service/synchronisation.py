"""Brings the permissions that the modules declare into the database: new ones appear, vanished ones are marked.

Nothing is granted by this, with one exception that is declared: when a permission or a built-in role first appears, the role gets
what modules name in `grants`. An administrator who takes it away again has the last word.
"""

from collections.abc import Sequence, Set
from dataclasses import asdict

from sqlalchemy import insert, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth import EVERYTHING
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.errors import StartError
from xumi.kernel.ids import generate_key
from xumi.kernel.modules import Feature, Permission, declared_permissions
from xumi.modules.access.constants import ADMIN, BUILT_IN_TITLES
from xumi.modules.access.models import AccessPermission, Role, RolePermission
from xumi.modules.access.service.change import begin_change
from xumi.modules.audit.service import record


async def synchronise(features: Sequence[Feature]) -> None:
    """Make the tables say what these features declare. Safe when several processes start at once.

    Raises:
        StartError: a module grants everything to a role other than `admin`.
    """
    declared, seeds = declared_permissions(features), _seeds(features)
    async with unit_of_work() as work:
        if await _is_up_to_date(work.session, declared, seeds):
            return
        await begin_change(work.session)
        # Another process may have done it meanwhile.
        if not await _is_up_to_date(work.session, declared, seeds):
            await _synchronise(work.session, declared, seeds)


def _seeds(features: Sequence[Feature]) -> dict[str, set[str]]:
    """Which permissions the modules give to which role when they first appear."""
    seeds: dict[str, set[str]] = {role: set() for role in BUILT_IN_TITLES}
    for feature in features:
        for role, permissions in feature.module.grants.items():
            if EVERYTHING in permissions and role != ADMIN:
                raise StartError(f"{feature.package} grants everything to {role!r}: only {ADMIN!r} has that.")
            seeds.setdefault(role, set()).update(permissions)
    return seeds


async def _is_up_to_date(
    session: AsyncSession, declared: dict[str, Permission], seeds: dict[str, set[str]]
) -> bool:
    columns = (
        AccessPermission.code,
        AccessPermission.feature,
        AccessPermission.title_en,
        AccessPermission.title_zh,
    )
    living = select(*columns).where(AccessPermission.vanished_at.is_(None))
    known = {Permission(*row) for row in await session.execute(living)}
    roles = set((await session.scalars(select(Role.code))).all())
    return known == set(declared.values()) and seeds.keys() <= roles


async def _synchronise(
    session: AsyncSession, declared: dict[str, Permission], seeds: dict[str, set[str]]
) -> None:
    known = {row.code: row for row in (await session.scalars(select(AccessPermission))).all()}
    appeared = sorted(declared.keys() - known.keys())
    if appeared:
        rows = [{"id": generate_key(), **asdict(declared[code])} for code in appeared]
        await session.execute(insert(AccessPermission), rows)
    vanished, returned = [], []
    for code, row in sorted(known.items()):
        permission = declared.get(code)
        if permission is None:
            if row.vanished_at is None:
                row.vanished_at = clock.now()
                vanished.append(code)
            continue
        if row.vanished_at is not None:
            row.vanished_at = None
            returned.append(code)
        row.feature, row.title_en, row.title_zh = permission.feature, permission.title_en, permission.title_zh
    changes = {"appeared": appeared, "vanished": vanished, "returned": returned}
    if any(changes.values()):
        record(session, "permission.synchronised", "permission:*", None, changes)
    await _seed(session, declared.keys(), set(appeared), seeds)


async def _seed(
    session: AsyncSession, declared: Set[str], appeared: Set[str], seeds: dict[str, set[str]]
) -> None:
    roles = {role.code: role for role in (await session.scalars(select(Role))).all()}
    for code, permissions in sorted(seeds.items()):
        role, news = roles.get(code), appeared
        if role is None:
            news = declared
            english, chinese = BUILT_IN_TITLES.get(code, (code, code))
            role = Role(code=code, title_en=english, title_zh=chinese, enabled=True, built_in=True)
            session.add(role)
            await session.flush()
            record(session, "role.created", f"role:{code}", None, {"title_en": english, "title_zh": chinese})
        given = sorted(permissions & news)
        # A role of the same name that people have made themselves gets nothing from a module.
        if not given or not role.built_in:
            continue
        rows = [{"id": generate_key(), "role": code, "permission": permission} for permission in given]
        await session.execute(insert(RolePermission), rows)
        record(session, "role.granted", f"role:{code}", None, {"permissions": given})
