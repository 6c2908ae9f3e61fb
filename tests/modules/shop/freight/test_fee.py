"""The arithmetic of freight, attacked with generated templates and parcels."""

from collections.abc import Sequence
from math import ceil

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.siege.scale import scaled
from xumi.kernel.errors import APIException
from xumi.modules.shop.freight.enums import FreightUnit
from xumi.modules.shop.freight.schemas import MAX_FEN, MAX_UNITS, Parcel, Rule, Template
from xumi.modules.shop.freight.service.fee import count_fee

PROVINCES = ["浙江", "上海", "新疆", "西藏"]

units = st.integers(0, MAX_UNITS)
fen = st.integers(0, MAX_FEN)
costs = st.tuples(units, fen, st.integers(1, MAX_UNITS), fen)


@st.composite
def templates(draw: st.DrawFn) -> dict[str, Template]:
    """Two templates whose rules share the provinces among them, or leave some to the rule for all others."""
    made = {}
    for name in ("a", "b"):
        named = draw(st.lists(st.sampled_from(PROVINCES), unique=True))
        at = draw(st.integers(0, len(named)))
        groups = [group for group in (named[:at], named[at:]) if group]
        if draw(st.booleans()):
            groups.insert(draw(st.integers(0, len(groups))), [])
        rules = [Rule(group, *draw(costs)) for group in groups]
        unit = draw(st.sampled_from(FreightUnit))
        made[name] = Template(name, unit, draw(st.none() | fen), rules)
    return made


parcels = st.lists(
    st.builds(
        Parcel,
        template_id=st.sampled_from(["a", "b", None]),
        quantity=st.integers(1, 1000),
        weight_grams=st.integers(0, 100_000),
        goods_fen=fen,
    ),
    max_size=6,
)


def expect(template: Template, lines: Sequence[Parcel], province: str) -> int | None:
    """The same by other means: the price of each step, one list of all units; None where nothing is sent."""
    fitting = [rule for rule in template.rules if province in rule.provinces]
    fitting += [rule for rule in template.rules if len(rule.provinces) == 0]
    if not fitting:
        return None
    if template.free_from_fen is not None and template.free_from_fen <= sum(line.goods_fen for line in lines):
        return 0
    weights = [line.weight_grams if template.unit is FreightUnit.GRAM else 1 for line in lines]
    total = sum(line.quantity * weight for line, weight in zip(lines, weights, strict=True))
    rule = fitting[0]
    # Small enough for exact division: at most 6 * 1000 * 100 kg.
    further = ceil((total - rule.first) / rule.step) if total > rule.first else 0
    return rule.first_fen + further * rule.step_fen


@settings(max_examples=scaled(1000), deadline=None)
@given(templates(), parcels, st.sampled_from(PROVINCES))
def test_fee_is_what_the_rules_say(known: dict[str, Template], sent: list[Parcel], province: str) -> None:
    wanted = []
    for name, template in known.items():
        if lines := [parcel for parcel in sent if parcel.template_id == name]:
            wanted.append(expect(template, lines, province))
    if None in wanted:
        with pytest.raises(APIException, match="NOT_DELIVERED"):
            count_fee(known, sent, province)
    else:
        fee = count_fee(known, sent, province)
        assert type(fee) is int
        assert fee == sum(each or 0 for each in wanted)


@settings(max_examples=scaled(500), deadline=None)
@given(templates(), parcels, st.sampled_from(PROVINCES))
def test_fee_does_not_depend_on_the_order_or_the_split_of_lines(
    known: dict[str, Template], sent: list[Parcel], province: str
) -> None:
    split = [
        Parcel(parcel.template_id, quantity, parcel.weight_grams, goods_fen)
        for parcel in reversed(sent)
        for quantity, goods_fen in ((parcel.quantity - 1, 0), (1, parcel.goods_fen))
        if quantity
    ]

    def count(lines: list[Parcel]) -> int | None:
        try:
            return count_fee(known, lines, province)
        except APIException:
            return None

    assert count(split) == count(sent)
