"""The catalogue: categories, products and their SKUs, themes and banners.

Tables: `shop_category`, `shop_product`, `shop_product_search`, `shop_sku`, `shop_theme`, `shop_theme_product`, `shop_banner`,
`shop_banner_item`. Depends on
`freight` for the templates that products name and on `stock` for what is left.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="catalog",
    title_en="Catalogue",
    title_zh="商品",
    depends=("audit", "freight", "stock"),
)
