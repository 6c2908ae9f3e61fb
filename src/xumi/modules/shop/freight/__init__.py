"""Freight: what sending goods costs, by region and by weight or piece.

Tables: `shop_freight_template` and `shop_freight_rule`. Depends on `audit`. Endpoints: `/api/v1/shop/freight-templates`.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="freight",
    title_en="Freight",
    title_zh="运费",
    depends=("audit",),
)
