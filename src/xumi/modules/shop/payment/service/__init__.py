"""What payments do; other features use what is named here."""

from xumi.modules.shop.payment.service.provider import (
    Notification,
    OfflineProvider,
    PaymentProvider,
    register_provider,
)
from xumi.modules.shop.payment.service.settlement import settle

__all__ = ["Notification", "OfflineProvider", "PaymentProvider", "register_provider", "settle"]
