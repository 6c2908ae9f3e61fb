"""Puts a row in every table of the library, for migrations to carry along."""

from sqlalchemy import insert
from sqlalchemy.ext.asyncio import AsyncSession

import xumi.kernel.jobs.models as jobs
import xumi.modules.access.models as roles
import xumi.modules.account.models as account
import xumi.modules.apikey.models as apikey
import xumi.modules.menu.models as menu
import xumi.modules.organization.models as organization
import xumi.modules.poster.models as poster
from xumi.kernel import clock
from xumi.kernel.auth.scope import ScopeKind
from xumi.kernel.counters import Counter
from xumi.kernel.db.engine import Database
from xumi.kernel.events.delivery import delivery
from xumi.kernel.events.outbox import outbox
from xumi.kernel.idempotency import IdempotencyKey
from xumi.kernel.locks import Lock
from xumi.modules.audit.models import AuditEntry


async def fill(url: str) -> None:
    """Put a row in every table of the library; a feature's rows stand in a function of their own."""
    database = Database(url)
    async with database.sessions() as session:
        user_id = await fill_account(session)
        fill_kernel(session)
        await fill_access(session)
        await fill_organization(session, user_id)
        await fill_events(session)
        await session.commit()
    await database.close()


async def fill_account(session: AsyncSession) -> str:
    """Rows of accounts, and a poster; returns the user's id."""
    now, user = clock.now(), account.User(username="a", email="a@example.com", password_hash="x")
    session.add(user)
    await session.flush()
    signed_in = account.UserSession(
        user_id=user.id,
        token_hash="x",
        created_at=now,
        last_used_at=now,
        expires_at=now,
        ip="",
        user_agent="",
    )
    key = apikey.ApiKey(
        user_id=user.id,
        name="a",
        prefix="a",
        digest="x",
        permissions=[],
        networks=[],
        created_at=now,
        expires_at=now,
        changed_at=now,
    )
    session.add_all(
        [
            account.UserRole(user_id=user.id, role="user"),
            signed_in,
            account.Guess(subject="a", window=1, current=1, previous=0),
            account.AccessChange(at=now, user_id=user.id, epoch=1),
            account.Identity(user_id=user.id, kind="mobile", key="+86", label="+86", created_at=now),
            account.Invitation(email="a", email_key="a", roles=[], invited_by="a", expires_at=now),
            account.OneTimeToken(
                purpose="a", subject="a", token_hash="x", binding="", created_at=now, expires_at=now
            ),
            account.SecondFactor(user_id=user.id, secret="x", last_step=0, created_at=now),
            account.RecoveryCode(user_id=user.id, digest="x"),
            key,
            poster.Poster(title="t", content="c", author_id=user.id, author="a"),
        ]
    )
    return user.id


def fill_kernel(session: AsyncSession) -> None:
    """Rows of the kernel's own tables, but for events."""
    now = clock.now()
    job = jobs.JobRow(
        name="a.b",
        state=jobs.JobState.QUEUED,
        priority=0,
        due_at=now,
        arguments={},
        attempt=0,
        cancel_requested=False,
        created_at=now,
    )
    session.add_all(
        [
            job,
            jobs.ScheduleEntry(name="a.b", timing="x", next_at=now, paused=False, fencing_token=1),
            jobs.ScheduleRun(name="a.b", tick_at=now, fencing_token=1, created_at=now),
            IdempotencyKey(fingerprint="x", status=200, body=b"x", created_at=now),
            Lock(name="a", token=1, expires=0.0),
            Counter(name="a", value=1, ends=0.0),
        ]
    )


async def fill_access(session: AsyncSession) -> None:
    """Rows of roles and of the audit log; `access_version` has one from its migration."""
    session.add_all(
        [
            roles.AccessPermission(code="a:b", feature="a", title_en="a", title_zh="a"),
            roles.Role(code="a", title_en="a", title_zh="a"),
            AuditEntry(at=clock.now(), actor="a", action="a.b", subject="a:b", request_id="a", ip=""),
            item := menu.MenuItem(kind=menu.MenuKind.LINK, code="a", title_en="a", title_zh="a", order=0),
        ]
    )
    await session.flush()
    session.add_all(
        [
            roles.RolePermission(role="a", permission="a:b"),
            roles.RoleInclude(role="a", included="a"),
            menu.MenuGrant(role="a", item_id=item.id),
        ]
    )


async def fill_organization(session: AsyncSession, user_id: str) -> None:
    """Rows of departments and scopes; `organization_change` has one from its migration."""
    department = organization.Department(code="a", name="a")
    scope = organization.RoleScope(role="a", resource="a", kind=ScopeKind.CUSTOM)
    session.add_all([department, scope])
    await session.flush()
    session.add_all(
        [
            organization.Member(user_id=user_id, department_id=department.id, main=True),
            organization.ScopeDepartment(scope_id=scope.id, department_id=department.id),
        ]
    )


async def fill_events(session: AsyncSession) -> None:
    """An event and its delivery."""
    now = clock.now()
    event = {
        "id": "a",
        "name": "a.b",
        "version": 1,
        "aggregate": "a",
        "data": "{}",
        "consumers": "a.b",
        "request_id": "a",
    }
    await session.execute(insert(outbox).values(published_at=now, relayed=True, position=1, **event))
    due = {"consumer": "a.b", "position": 1, "aggregate": "a", "state": "pending", "attempts": 0}
    await session.execute(insert(delivery).values(due_at=now, changed_at=now, **due))
