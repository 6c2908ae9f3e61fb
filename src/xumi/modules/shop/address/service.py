"""What can be done with addresses. Other people's addresses do not exist for the caller."""

from collections.abc import Sequence

from sqlalchemy import bindparam, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.auth.principal import Principal
from xumi.kernel.db.read import fetch_all, get_one, primary
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.ids import generate_key
from xumi.modules.account.service.standing import lock_standing
from xumi.modules.shop.address.constants import MAX_ADDRESSES
from xumi.modules.shop.address.errors import AddressCode
from xumi.modules.shop.address.models import Address
from xumi.modules.shop.address.schemas import AddressInput, AddressOut, AddressSnapshot

__all__ = [
    "AddressSnapshot",
    "change",
    "create",
    "delete",
    "get_address",
    "get_own",
    "list_own",
]

_OWN = select(Address).where(Address.user_id == bindparam("user_id"))
# NULL is the main one's opposite, and databases do not agree where NULL goes.
_LIST = _OWN.order_by(Address.main.is_(None), Address.id.desc())
_ONE = _OWN.where(Address.id == bindparam("address_id"))


async def list_own(principal: Principal) -> Sequence[AddressOut]:
    """The caller's addresses: the main one, then the newest first."""
    with primary():
        return await fetch_all(_LIST, AddressOut, {"user_id": principal.user_id})


async def get_own(principal: Principal, address_id: str) -> AddressOut:
    """One of the caller's addresses.

    Raises:
        APIException: NOT_FOUND, there is none or it is somebody else's.
    """
    with primary():
        return await get_one(_ONE, AddressOut, {"user_id": principal.user_id, "address_id": address_id})


async def get_address(user_id: str, address_id: str) -> AddressSnapshot:
    """A customer's address as it is now.

    Raises:
        APIException: NOT_FOUND, there is none or it is somebody else's.
    """
    with primary():
        found = await get_one(_ONE, AddressSnapshot, {"user_id": user_id, "address_id": address_id})
    return AddressSnapshot.model_validate(found, from_attributes=True)


async def create(session: AsyncSession, principal: Principal, data: AddressInput) -> str:
    """Add an address to the caller's; returns its id.

    Raises:
        APIException: TOO_MANY_ADDRESSES; UNAUTHENTICATED, his account has just ended.
    """
    addresses = await _lock_all(session, principal.user_id)
    if len(addresses) >= MAX_ADDRESSES:
        raise APIException(AddressCode.TOO_MANY_ADDRESSES, limit=MAX_ADDRESSES)
    made = Address(id=generate_key(), user_id=principal.user_id, **data.model_dump(exclude={"main"}))
    if data.main or not addresses:
        await _make_main(session, made, addresses)
    session.add(made)
    return made.id


async def change(session: AsyncSession, principal: Principal, address_id: str, data: AddressInput) -> None:
    """Replace one of the caller's addresses. The main one stays main, whatever `data.main` says.

    Raises:
        APIException: NOT_FOUND; UNAUTHENTICATED, his account has just ended.
    """
    addresses = await _lock_all(session, principal.user_id)
    changed = _pick(addresses, address_id)
    for name, value in data.model_dump(exclude={"main"}).items():
        setattr(changed, name, value)
    if data.main:
        await _make_main(session, changed, addresses)


async def delete(session: AsyncSession, principal: Principal, address_id: str) -> None:
    """Delete one of the caller's addresses; after the main one the newest that is left becomes main.

    Raises:
        APIException: NOT_FOUND; UNAUTHENTICATED, his account has just ended.
    """
    addresses = await _lock_all(session, principal.user_id)
    deleted = _pick(addresses, address_id)
    await session.delete(deleted)
    rest = [address for address in addresses if address is not deleted]
    if deleted.main and rest:
        await session.flush()
        rest[-1].main = True


async def _lock_all(session: AsyncSession, user_id: str) -> list[Address]:
    """A customer's addresses, the oldest first; who changes them takes turns, so that counts and the main one stay true."""
    if await lock_standing(session, user_id) is None:
        raise APIException(APICode.UNAUTHENTICATED)
    statement = select(Address).where(Address.user_id == user_id).order_by(Address.id)
    return list((await session.scalars(statement)).all())


def _pick(addresses: Sequence[Address], address_id: str) -> Address:
    found = next((address for address in addresses if address.id == address_id), None)
    if found is None:
        raise APIException(APICode.NOT_FOUND)
    return found


async def _make_main(session: AsyncSession, address: Address, others: Sequence[Address]) -> None:
    """Make an address the main one. The constraint allows one at any time: the old one steps down first."""
    for other in others:
        if other is not address:
            other.main = None
    await session.flush()
    address.main = True
