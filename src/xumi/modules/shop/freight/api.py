"""Freight templates, for the staff."""

from typing import Annotated

from fastapi import Query

from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.shop.freight.schemas import TemplateIn, TemplateListed, TemplateOut, TemplateQuery
from xumi.modules.shop.freight.service import template

router = get_router(prefix="/api/v1/shop/freight-templates", tags=["shop-freight"])


@router.get("", permission="freight-template:list")
async def list_freight_templates(
    query: Annotated[TemplateQuery, Query()],
) -> PaginateResponse[TemplateListed]:
    """A page of freight templates, by name."""
    return await template.list_templates(query)


@router.post("", permission="freight-template:create", status_code=201)
async def create_freight_template(session: Session, body: TemplateIn) -> RowId:
    """Make a freight template; `data` is its id."""
    return await template.create(session, body)


@router.get("/{template_id}", permission="freight-template:read")
async def get_freight_template(template_id: str) -> TemplateOut:
    """One freight template with its rules."""
    return await template.get_template(template_id)


@router.put("/{template_id}", permission="freight-template:replace", status_code=204)
async def replace_freight_template(session: Session, template_id: str, body: TemplateIn) -> None:
    """Set all of a freight template. Orders that were placed keep their freight."""
    await template.replace(session, template_id, body)


@router.delete("/{template_id}", permission="freight-template:delete", status_code=204)
async def delete_freight_template(session: Session, template_id: str) -> None:
    """Delete a freight template that no product names."""
    await template.remove(session, template_id)
