"""API keys as their owners and administrators manage them."""

from collections.abc import Set
from datetime import timedelta

from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel import clock
from xumi.kernel.auth.apikey import SHOWN_LENGTH, make_key
from xumi.kernel.auth.principal import Principal
from xumi.kernel.auth.refresh import digest
from xumi.kernel.context import current
from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateRequest, PaginateResponse, paginate_query
from xumi.kernel.db.read import primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.modules.account.service.access import end_session
from xumi.modules.account.service.standing import lock_standing
from xumi.modules.apikey.constants import KEPT_FOR_PEOPLE, MAX_KEYS
from xumi.modules.apikey.errors import ApiKeyCode
from xumi.modules.apikey.models import ApiKey
from xumi.modules.apikey.schemas import ApiKeyCreate, ApiKeyCreated, ApiKeyOut, ApiKeyQuery
from xumi.modules.apikey.service.follow import make_grant
from xumi.modules.audit.service import record

_SORTABLE = {"id": ApiKey.id, "expires_at": ApiKey.expires_at, "last_used_at": ApiKey.last_used_at}


async def create(session: AsyncSession, principal: Principal, data: ApiKeyCreate) -> ApiKeyCreated:
    """Make a key for the caller.

    Raises:
        APIException: VALIDATION_FAILED or FORBIDDEN, naming `permissions` that no key can have, that do not exist or that
            the caller does not hold; TOO_MANY_KEYS; UNAUTHENTICATED where his account has just ended.
    """
    _check_permissions(principal, data.permissions)
    # Locked, so that two at once count one after the other.
    owner = await lock_standing(session, principal.user_id)
    if owner is None:
        raise APIException(APICode.UNAUTHENTICATED)
    now = clock.now()
    living = select(func.count()).where(
        ApiKey.user_id == owner.id, ApiKey.revoked_at.is_(None), ApiKey.expires_at > now
    )
    if (await session.scalar(living) or 0) >= MAX_KEYS:
        raise APIException(ApiKeyCode.TOO_MANY_KEYS, limit=MAX_KEYS)
    text = make_key()
    key = ApiKey(
        id=generate_key(),
        user_id=owner.id,
        name=data.name,
        prefix=text[:SHOWN_LENGTH],
        digest=digest(text),
        permissions=sorted(data.permissions),
        networks=data.networks,
        created_at=now,
        expires_at=now + timedelta(days=data.expires_in_days),
        changed_at=now,
    )
    session.add(key)
    record(session, "apikey.created", f"apikey:{key.id}", None, _facts(key))
    context, grant = current(), make_grant(key, owner)
    if context.unit_of_work is not None:
        keys = context.resources.api_keys
        context.unit_of_work.after_commit(lambda: keys.put(key.digest, grant))
    return ApiKeyCreated(id=key.id, key=text, expires_at=key.expires_at)


async def list_own(principal: Principal, query: PaginateRequest) -> PaginateResponse[ApiKeyOut]:
    """The caller's keys, the newest first."""
    statement = select(ApiKey).where(ApiKey.user_id == principal.user_id)
    with primary():
        return await paginate_query(statement, query, ApiKeyOut, sortable=_SORTABLE, default_sort="-id")


async def list_all(query: ApiKeyQuery) -> PaginateResponse[ApiKeyOut]:
    """Everybody's keys, the newest first."""
    statement = add_filters(select(ApiKey), query, {ApiKey.user_id: FilterTypeEnum.Equals})
    with primary():
        return await paginate_query(statement, query, ApiKeyOut, sortable=_SORTABLE, default_sort="-id")


async def revoke(session: AsyncSession, key_id: str, *, owner_id: str | None = None) -> None:
    """End a key. Doing it twice changes nothing.

    Args:
        session: the transaction.
        key_id: which one.
        owner_id: only if it belongs to this account.

    Raises:
        APIException: NOT_FOUND.
    """
    statement = select(ApiKey).where(ApiKey.id == key_id).with_for_update()
    if owner_id is not None:
        statement = statement.where(ApiKey.user_id == owner_id)
    key = await session.scalar(statement)
    if key is None:
        raise APIException(APICode.NOT_FOUND)
    if key.revoked_at is not None:
        return
    key.revoked_at = key.changed_at = clock.now()
    record(session, "apikey.revoked", f"apikey:{key.id}", _facts(key), None)
    # The workers know a key as a session of its owner: they end it as they end a session, until they have forgotten it.
    end_session(session, key.id)


def _facts(key: ApiKey) -> dict[str, object]:
    return {
        "user_id": key.user_id,
        "name": key.name,
        "prefix": key.prefix,
        "permissions": key.permissions,
        "networks": key.networks,
        "expires_at": key.expires_at.isoformat(),
    }


def _check_permissions(principal: Principal, wanted: Set[str]) -> None:
    """Refuse what no key may do, what does not exist and what the caller may not do himself."""
    resources = current().resources
    known = {route.policy.permission for feature in resources.features for route in feature.routes}
    problems = [
        FieldError("permissions", f"{permission}: no API key can have this")
        if permission.startswith(KEPT_FOR_PEOPLE)
        else FieldError("permissions", f"{permission}: there is no such permission")
        for permission in sorted(wanted)
        if permission.startswith(KEPT_FOR_PEOPLE) or permission not in known
    ]
    if problems:
        raise APIException(APICode.VALIDATION_FAILED, errors=problems)
    if missing := sorted(name for name in wanted if not resources.access.allows(principal, name)):
        errors = [FieldError("permissions", f"{name}: you do not hold it yourself") for name in missing]
        raise APIException(APICode.FORBIDDEN, errors=errors)
