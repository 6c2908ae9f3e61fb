"""Configuration: one frozen typed tree from environment > `dev.env` > `.env` > `config.yaml` > defaults.

`CONFIG` is the settings in force, `CONSTANTS` what no environment changes. A feature declares its own group:

    class ShopSettings(Section):
        order_expire_seconds: int = 1800          # SHOP__ORDER_EXPIRE_SECONDS, or shop: {order_expire_seconds: …}

    section(ShopSettings).order_expire_seconds
"""

from xumi.kernel.config.keyring import Key, key_ring, secret_weakness
from xumi.kernel.config.load import Loaded, load
from xumi.kernel.config.production import check_production
from xumi.kernel.config.registry import register_section, registered_sections
from xumi.kernel.config.running import CONFIG, check_sections, running_settings, section, use
from xumi.kernel.config.settings import CONSTANTS, Constants, Section, Settings
from xumi.kernel.config.sources import looks_secret

__all__ = [
    "CONFIG",
    "CONSTANTS",
    "Constants",
    "Key",
    "Loaded",
    "Section",
    "Settings",
    "check_production",
    "check_sections",
    "key_ring",
    "load",
    "looks_secret",
    "register_section",
    "registered_sections",
    "running_settings",
    "secret_weakness",
    "section",
    "use",
]
