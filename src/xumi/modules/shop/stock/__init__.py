"""Stock: how many of each SKU can be sold, are reserved and were sold, as a ledger.

Tables: `shop_stock` and `shop_stock_movement`. It knows no products: a stock has the id of its SKU. Tells of: `StockLow`. Depends on `audit`.
Endpoints: `/api/v1/shop/stock`.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="stock",
    title_en="Stock",
    title_zh="库存",
    depends=("audit",),
)
