"""Payments of orders by providers, and the money that came too late.

Tables: `shop_payment` and `shop_refund`. Depends on `order` and `audit`; takes its `OrderCancelled` and `OrderExpired`. Who takes
money is a `PaymentProvider` of `service/provider.py`.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="payment",
    title_en="Payments",
    title_zh="支付",
    depends=("audit", "order"),
    grants={"user": ("payment:create", "payment:list")},
)
