"""One's own addresses."""

from collections.abc import Sequence

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.address import service
from xumi.modules.shop.address.schemas import AddressInput, AddressOut

router = get_router(prefix="/api/v1/addresses", tags=["addresses"])


@router.get("", permission="address:list")
async def list_addresses(principal: CurrentPrincipal) -> Sequence[AddressOut]:
    """One's own addresses: the main one, then the newest first."""
    return await service.list_own(principal)


@router.post("", permission="address:create", status_code=201, idempotent=True)
async def create_address(session: Session, principal: CurrentPrincipal, body: AddressInput) -> RowId:
    """Add an address, 20 at most; `data` is its id. The first one becomes the main one."""
    return await service.create(session, principal, body)


@router.get("/{address_id}", permission="address:read")
async def get_address(principal: CurrentPrincipal, address_id: str) -> AddressOut:
    """One of one's own addresses."""
    return await service.get_own(principal, address_id)


@router.put("/{address_id}", permission="address:update", status_code=204)
async def update_address(
    session: Session, principal: CurrentPrincipal, address_id: str, body: AddressInput
) -> None:
    """Replace one of one's own addresses."""
    await service.change(session, principal, address_id, body)


@router.delete("/{address_id}", permission="address:delete", status_code=204)
async def delete_address(session: Session, principal: CurrentPrincipal, address_id: str) -> None:
    """Delete one of one's own addresses; after the main one the newest that is left becomes main."""
    await service.delete(session, principal, address_id)
