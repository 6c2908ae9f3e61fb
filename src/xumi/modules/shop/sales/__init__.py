"""Figures of sales by day, for a dashboard.

Tables: `shop_daily_sales`, `shop_daily_product` and `shop_customer`. Depends on `order`, whose events it counts, and on `catalog` for the
names of products. Endpoints: `/api/v1/shop/sales`. A day is a calendar day in China. `xumi shop recount` holds the figures against the
orders.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="sales",
    title_en="Sales",
    title_zh="销售统计",
    depends=("catalog", "order"),
    permissions={"sales:read": ("See figures of sales", "查看销售统计")},
)
