"""What orders do; other features use what is named here."""

from xumi.modules.shop.order.service.change import cancel, check_payable, pay
from xumi.modules.shop.order.service.discount import Priced, register, unregister
from xumi.modules.shop.order.service.expiry import expire
from xumi.modules.shop.order.service.machine import lock_by_id, lock_order
from xumi.modules.shop.order.service.placing import place
from xumi.modules.shop.order.service.shipment import complete, ship

__all__ = [
    "Priced",
    "cancel",
    "check_payable",
    "complete",
    "expire",
    "lock_by_id",
    "lock_order",
    "pay",
    "place",
    "register",
    "ship",
    "unregister",
]
