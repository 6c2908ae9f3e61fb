"""The arithmetic of freight, in fen; no database, no rounding but of begun steps."""

from collections.abc import Iterable, Mapping, Sequence

from xumi.kernel.errors import APIException, FieldError
from xumi.modules.shop.freight.enums import FreightUnit
from xumi.modules.shop.freight.errors import FreightCode
from xumi.modules.shop.freight.schemas import Parcel, Rule, Template


def count_fee(templates: Mapping[str, Template], parcels: Iterable[Parcel], province: str) -> int:
    """What it costs to send these to a province: lines of one template are counted together, and templates add up.

    Raises:
        APIException: NOT_DELIVERED, a template has no rule for this province.
        KeyError: a template is not among these.
    """
    by_template: dict[str, list[Parcel]] = {}
    for parcel in parcels:
        if parcel.template_id is not None:
            by_template.setdefault(parcel.template_id, []).append(parcel)
    return sum(_count_template(templates[name], lines, province) for name, lines in by_template.items())


def _count_template(template: Template, parcels: Sequence[Parcel], province: str) -> int:
    rule = _find_rule(template.rules, province)
    if rule is None:
        reason = f"there is no freight to {province}"
        raise APIException(
            FreightCode.NOT_DELIVERED, errors=[FieldError("province", reason)], province=province
        )
    if template.free_from_fen is not None:
        goods_fen = sum(parcel.goods_fen for parcel in parcels)
        if goods_fen >= template.free_from_fen:
            return 0
    by_weight = template.unit is FreightUnit.GRAM
    units = sum(parcel.quantity * (parcel.weight_grams if by_weight else 1) for parcel in parcels)
    begun = -(-max(0, units - rule.first) // rule.step)
    return rule.first_fen + begun * rule.step_fen


def _find_rule(rules: Iterable[Rule], province: str) -> Rule | None:
    fallback = None
    for rule in rules:
        if province in rule.provinces:
            return rule
        if not rule.provinces:
            fallback = rule
    return fallback
