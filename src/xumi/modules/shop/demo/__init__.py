"""Demo data: a shop to look around in, which `xumi demo load` makes and `xumi demo clear` takes away again.

Depends on all features of the shop; none depends on it. Rows that it makes itself have ids that begin with `00DEMO`, which no other id
does, and it puts them straight into the tables, which it knows by name only. Orders go through the services of `order` and `payment`.
Endpoint: `/demo/pictures/{name}`, the pictures of its products.
"""

from xumi.kernel.modules import Module

MODULE = Module(
    name="demo",
    title_en="Demo data",
    title_zh="演示数据",
    depends=("account", "catalog", "order", "payment", "sales", "stock"),
)
