"""What freight does; other features use what is named here."""

from xumi.modules.shop.freight.schemas import Parcel
from xumi.modules.shop.freight.service.template import count_freight, has_template

__all__ = ["Parcel", "count_freight", "has_template"]
