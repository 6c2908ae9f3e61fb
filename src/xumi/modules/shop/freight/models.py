"""The tables of freight."""

from sqlalchemy import CheckConstraint, ForeignKey, String
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.modules.shop.freight.enums import FreightUnit


class FreightTemplate(ModelBase, ModelTimeColumns):
    """A way to count freight, which products name."""

    __tablename__ = "shop_freight_template"

    name: Mapped[str] = mapped_column(String(64), unique=True)
    unit: Mapped[FreightUnit]
    free_from_fen: Mapped[int | None]
    """Goods of this template that cost so much or more are sent free."""

    __table_args__ = (CheckConstraint("free_from_fen >= 0", name="free_from"),)


class FreightRule(ModelBase):
    """What a template asks for some provinces; the rule without provinces is for all others."""

    __tablename__ = "shop_freight_rule"

    template_id: Mapped[str] = mapped_column(
        ForeignKey("shop_freight_template.id", ondelete="CASCADE"), index=True
    )
    provinces: Mapped[list[str]]
    first: Mapped[int]
    """So many units, or fewer, cost `first_fen`."""
    first_fen: Mapped[int]
    step: Mapped[int]
    """Each further step, begun or whole, costs `step_fen`."""
    step_fen: Mapped[int]

    __table_args__ = (
        CheckConstraint("first >= 0 AND step > 0", name="units"),
        CheckConstraint("first_fen >= 0 AND step_fen >= 0", name="fen"),
    )
