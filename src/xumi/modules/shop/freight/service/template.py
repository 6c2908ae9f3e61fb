"""Freight templates: what staff keep, and what orders are counted by."""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import bindparam, delete, select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.db.filters import FilterTypeEnum, add_filters
from xumi.kernel.db.query import PaginateResponse, paginate_query
from xumi.kernel.db.read import fetch_all, get_one, primary
from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.kernel.ids import generate_key
from xumi.kernel.schema import SchemaBase
from xumi.modules.audit.service import record
from xumi.modules.shop.freight.enums import FreightUnit
from xumi.modules.shop.freight.models import FreightRule, FreightTemplate
from xumi.modules.shop.freight.schemas import (
    Parcel,
    Rule,
    RuleIn,
    RuleOut,
    Template,
    TemplateIn,
    TemplateListed,
    TemplateOut,
    TemplateQuery,
)
from xumi.modules.shop.freight.service.fee import count_fee

_WITH_RULES = (
    select(
        FreightTemplate.id,
        FreightTemplate.unit,
        FreightTemplate.free_from_fen,
        FreightRule.provinces,
        FreightRule.first,
        FreightRule.first_fen,
        FreightRule.step,
        FreightRule.step_fen,
    )
    .join(FreightRule, FreightRule.template_id == FreightTemplate.id)
    .where(FreightTemplate.id.in_(bindparam("ids", expanding=True)))
)
_RULES = select(FreightRule)


class _Row(SchemaBase):
    """A rule with its template."""

    id: str
    unit: FreightUnit
    free_from_fen: int | None
    provinces: list[Any]
    first: int
    first_fen: int
    step: int
    step_fen: int


async def count_freight(parcels: Sequence[Parcel], province: str) -> int:
    """What it costs to send these to a province, in fen.

    Raises:
        APIException: NOT_DELIVERED, some of it is not sent there.
    """
    ids = {parcel.template_id for parcel in parcels if parcel.template_id is not None}
    if not ids:
        return 0
    with primary():
        return count_fee(await _read_templates(ids), parcels, province)


async def _read_templates(ids: Iterable[str]) -> dict[str, Template]:
    rules: dict[str, list[Rule]] = {}
    found: dict[str, Template] = {}
    for row in await fetch_all(_WITH_RULES, _Row, {"ids": sorted(ids)}):
        known = rules.setdefault(row.id, [])
        known.append(Rule(row.provinces, row.first, row.first_fen, row.step, row.step_fen))
        found[row.id] = Template(row.id, row.unit, row.free_from_fen, known)
    return found


async def has_template(session: AsyncSession, template_id: str) -> bool:
    """Whether there is such a template."""
    found = await session.scalar(select(FreightTemplate.id).where(FreightTemplate.id == template_id))
    return found is not None


async def list_templates(query: TemplateQuery) -> PaginateResponse[TemplateListed]:
    """The templates that are wanted, by name."""
    statement = add_filters(select(FreightTemplate), query, {FreightTemplate.name: FilterTypeEnum.Like})
    sortable = [FreightTemplate.name, FreightTemplate.created_at]
    return await paginate_query(statement, query, TemplateListed, sortable=sortable, default_sort="name")


async def get_template(template_id: str) -> TemplateOut:
    """One template.

    Raises:
        APIException: NOT_FOUND.
    """
    with primary():
        found = await get_one(
            select(FreightTemplate).where(FreightTemplate.id == template_id), TemplateListed
        )
        rules = await fetch_all(_RULES.where(FreightRule.template_id == template_id), RuleOut)
    values = {name: getattr(found, name) for name in TemplateListed.model_fields}
    # What is for all others comes last.
    rules.sort(key=lambda rule: (not rule.provinces, rule.provinces))
    return TemplateOut(**values, rules=[RuleOut.model_validate(rule) for rule in rules])


async def create(session: AsyncSession, data: TemplateIn) -> str:
    """Make a template; returns its id.

    Raises:
        APIException: VALIDATION_FAILED (`rules`), DUPLICATE (`name`).
    """
    _check_rules(data.rules)
    await _check_name(session, data.name, "")
    template_id = generate_key()
    session.add(FreightTemplate(id=template_id, **data.model_dump(exclude={"rules"})))
    await session.flush()
    _add_rules(session, template_id, data.rules)
    subject = f"freight-template:{template_id}"
    record(session, "freight-template.created", subject, None, data.model_dump(mode="json"))
    return template_id


async def replace(session: AsyncSession, template_id: str, data: TemplateIn) -> None:
    """Set all of a template. Orders that were placed keep their freight.

    Raises:
        APIException: NOT_FOUND, VALIDATION_FAILED (`rules`), DUPLICATE (`name`).
    """
    _check_rules(data.rules)
    template = await _get_for_change(session, template_id)
    await _check_name(session, data.name, template_id)
    before = (await get_template(template_id)).model_dump(mode="json", exclude={"id"})
    for name, value in data.model_dump(exclude={"rules"}).items():
        setattr(template, name, value)
    await session.execute(delete(FreightRule).where(FreightRule.template_id == template_id))
    _add_rules(session, template_id, data.rules)
    subject = f"freight-template:{template_id}"
    record(session, "freight-template.replaced", subject, before, data.model_dump(mode="json"))


async def remove(session: AsyncSession, template_id: str) -> None:
    """Delete a template that no product names.

    Raises:
        APIException: NOT_FOUND; REFERENCED, a product names it.
    """
    template = await _get_for_change(session, template_id)
    subject = f"freight-template:{template_id}"
    record(session, "freight-template.deleted", subject, {"name": template.name}, None)
    await session.delete(template)
    await session.flush()


async def _get_for_change(session: AsyncSession, template_id: str) -> FreightTemplate:
    template = await session.get(FreightTemplate, template_id, with_for_update=True, populate_existing=True)
    if template is None:
        raise APIException(APICode.NOT_FOUND)
    return template


def _add_rules(session: AsyncSession, template_id: str, rules: Iterable[RuleIn]) -> None:
    session.add_all(FreightRule(template_id=template_id, **rule.model_dump()) for rule in rules)


def _check_rules(rules: Sequence[RuleIn]) -> None:
    """Every province is for one rule, and what no rule names for one as well."""
    seen: set[str] = set()
    has_fallback = False
    for index, rule in enumerate(rules):
        field = f"rules.{index}.provinces"
        if not rule.provinces:
            if has_fallback:
                raise _refuse(field, "only one rule may be without provinces")
            has_fallback = True
        for province in rule.provinces:
            if province in seen:
                raise _refuse(field, f"{province} comes twice")
            seen.add(province)


async def _check_name(session: AsyncSession, name: str, template_id: str) -> None:
    taken = select(FreightTemplate.id).where(FreightTemplate.name == name, FreightTemplate.id != template_id)
    if await session.scalar(taken) is not None:
        raise APIException(APICode.DUPLICATE, errors=[FieldError("name", "is taken: choose another")])


def _refuse(field: str, reason: str) -> APIException:
    return APIException(APICode.VALIDATION_FAILED, errors=[FieldError(field, reason)])
