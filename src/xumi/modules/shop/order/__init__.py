"""Orders: preview, placing, the states until completion, shipments.

Tables: `shop_order`, `shop_order_line`, `shop_order_change`, `shop_shipment`, `shop_shipment_line`, `shop_purchase`. Tells of:
`OrderPlaced`, `OrderPaid`, `OrderShipped`, `OrderCancelled`, `OrderExpired`. Depends on `address`, `cart`, `catalog`, `freight`, `stock`,
`account`, `audit` and `organization`.
"""

from xumi.kernel.modules import Module
from xumi.modules.shop.order.settings import OrderSettings

MODULE = Module(
    name="order",
    title_en="Orders",
    title_zh="订单",
    depends=("account", "address", "audit", "cart", "catalog", "freight", "organization", "stock"),
    settings=OrderSettings,
    grants={"user": ("order:place", "order:list", "order:cancel", "order:confirm")},
)
