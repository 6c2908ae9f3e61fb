"""What goes in and out of the endpoints of freight, and of its arithmetic."""

from collections.abc import Sequence
from typing import Annotated

import msgspec
from pydantic import Field

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.schema import InputSchema, RowId, SchemaBase
from xumi.modules.shop.freight.enums import FreightUnit

MAX_FEN = 10_000_000_000
MAX_UNITS = 1_000_000_000

Fen = Annotated[int, Field(ge=0, le=MAX_FEN)]
Name = Annotated[str, Field(min_length=1, max_length=64)]
Province = Annotated[str, Field(min_length=1, max_length=32)]

_RULES = [
    {"provinces": ["新疆", "西藏"], "first": 1, "first_fen": 3000, "step": 1, "step_fen": 1500},
    {"provinces": [], "first": 1, "first_fen": 800, "step": 1, "step_fen": 200},
]


class Parcel(msgspec.Struct, frozen=True):
    """A line of an order as freight sees it.

    Attributes:
        template_id: its freight template; None is free.
        quantity: how many pieces.
        weight_grams: of one piece.
        goods_fen: what the whole line costs.
    """

    template_id: str | None
    quantity: int
    weight_grams: int
    goods_fen: int


class Rule(msgspec.Struct, frozen=True):
    """What a template asks for some provinces; without provinces, for all that no other rule names."""

    provinces: Sequence[str]
    first: int
    first_fen: int
    step: int
    step_fen: int


class Template(msgspec.Struct, frozen=True):
    """A freight template with its rules."""

    id: str
    unit: FreightUnit
    free_from_fen: int | None
    rules: Sequence[Rule]


class RuleIn(InputSchema):
    """What freight costs to some provinces."""

    provinces: list[Province] = Field(
        max_length=100,
        description="As customers' addresses name them. One rule may name none: it is for all that no other rule names; "
        "without such a rule nothing is sent there.",
    )
    first: int = Field(ge=0, le=MAX_UNITS, description="So many pieces or grams, or fewer, cost `first_fen`.")
    first_fen: Fen
    step: int = Field(gt=0, le=MAX_UNITS, description="Each further step, begun or whole, costs `step_fen`.")
    step_fen: Fen


class TemplateIn(InputSchema):
    """A freight template, all of it."""

    name: Name = Field(description="Unique.", examples=["Parcel"])
    unit: FreightUnit = Field(description="What steps count: pieces or grams.", examples=["piece"])
    free_from_fen: Fen | None = Field(
        None, description="Goods of this template that cost so much together are sent free.", examples=[9900]
    )
    rules: list[RuleIn] = Field(min_length=1, max_length=50, examples=[_RULES])


class TemplateQuery(PaginateRequest):
    """Which templates are wanted; sorted by `name`."""

    name: str | None = Field(None, max_length=64, description="Part of the name, in either case.")


class TemplateListed(SchemaBase):
    """A freight template in a list."""

    id: RowId
    name: str = Field(examples=["Bamboo cup"])
    unit: FreightUnit
    free_from_fen: int | None = Field(examples=[9900])


class RuleOut(SchemaBase):
    """What freight costs to some provinces."""

    provinces: list[str] = Field(examples=[["新疆"]])
    first: int = Field(examples=[1])
    first_fen: int = Field(examples=[800])
    step: int = Field(examples=[1])
    step_fen: int = Field(examples=[200])


class TemplateOut(TemplateListed):
    """A freight template."""

    rules: list[RuleOut]
