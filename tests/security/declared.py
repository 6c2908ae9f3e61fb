"""What the attacks on all routes must be told about the ids in each: here a new route gets its lines.

`OBJECTS`: whose object an id names. A path is looked up by itself up to the parameter, `/api/v1/jobs/{job_id}`, which then holds
for all routes below it, or as a whole; a field of a query or a body as `METHOD /path field`.

    "/api/v1/notes/{note_id}": Object(make_note),                            # other people's notes do not exist
    "/api/v1/menus/{menu_id}": Object(make_menu, shared=True),               # who holds the permission may name any

The maker is `async def make_note(world: World) -> str`, in `makers.py`; it makes one that belongs to `world.people["owner"]` and
returns its id. What else a route takes, where an example made from its schema would not do, is in `inputs.py`.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.security import makers, shop_catalog, shop_customer, shop_order, shop_payment
from tests.security.world import World


@dataclass(frozen=True)
class Object:
    """Whose object a parameter names.

    Attributes:
        make: makes one of the owner's and returns its id; None for what names nobody's and is left out of good requests.
        shared: whoever holds the route's permission may name anybody's.
    """

    make: Callable[[World], Awaitable[str]] | None
    shared: bool = False


OBJECTS: dict[str, Object] = {
    "/auth/profile/{user_id}": Object(makers.find_account),
    "/auth/sessions/{session_id}": Object(makers.find_session),
    "/auth/identities/{identity_id}": Object(makers.make_identity),
    "POST /auth/login captcha_id": Object(None, shared=True),
    "/api/v1/users/{user_id}": Object(makers.find_account, shared=True),
    "/api/v1/users/{user_id}/identities/{identity_id}": Object(makers.make_identity, shared=True),
    "DELETE /api/v1/users ids": Object(shop_payment.make_account, shared=True),
    "DELETE /api/v1/users/{user_id}": Object(shop_payment.make_account, shared=True),
    "/api/v1/sessions/{session_id}": Object(makers.find_session, shared=True),
    "GET /api/v1/sessions user_id": Object(makers.find_account, shared=True),
    "/api/v1/invitations/{invitation_id}": Object(makers.make_invitation, shared=True),
    "/auth/api-keys/{key_id}": Object(makers.make_api_key),
    "/api/v1/api-keys/{key_id}": Object(makers.make_api_key, shared=True),
    "GET /api/v1/api-keys user_id": Object(makers.find_account, shared=True),
    "/auth/oidc/{provider}": Object(makers.find_provider, shared=True),
    "/api/v1/roles/{code}": Object(makers.make_role, shared=True),
    "/api/v1/roles/{role}": Object(makers.make_role, shared=True),
    "PUT /api/v1/roles/{role}/menus menu_ids": Object(makers.make_menu, shared=True),
    "POST /api/v1/roles/{role}/menus menu_ids": Object(makers.make_menu, shared=True),
    "DELETE /api/v1/roles/{role}/menus menu_ids": Object(makers.make_menu, shared=True),
    "/api/v1/menus/{menu_id}": Object(makers.make_menu, shared=True),
    "GET /api/v1/menus parent_id": Object(makers.make_directory, shared=True),
    "POST /api/v1/menus parent_id": Object(makers.make_directory, shared=True),
    "POST /api/v1/menus/{menu_id}/move parent_id": Object(makers.make_directory, shared=True),
    "POST /api/v1/menus/reorder ids": Object(makers.make_menu, shared=True),
    "POST /api/v1/menus/reorder parent_id": Object(makers.find_directory, shared=True),
    "/api/v1/departments/{department_id}": Object(makers.make_department, shared=True),
    "POST /api/v1/departments parent_id": Object(makers.make_department, shared=True),
    "POST /api/v1/departments/{department_id}/move parent_id": Object(makers.make_department, shared=True),
    "PUT /api/v1/departments/{department_id}/members user_ids": Object(makers.find_account, shared=True),
    "GET /api/v1/audit actor_id": Object(makers.find_account, shared=True),
    "/api/v1/jobs/{job_id}": Object(makers.make_failed_job),
    "/api/v1/jobs/{job_id}/retry": Object(makers.make_failed_job, shared=True),
    "/api/v1/jobs/{job_id}/cancel": Object(makers.make_queued_job, shared=True),
    "GET /api/v1/jobs created_by": Object(makers.find_account, shared=True),
    "/api/v1/products/{product_id}": Object(shop_catalog.make_product, shared=True),
    "GET /api/v1/products category_id": Object(shop_catalog.make_category, shared=True),
    "GET /api/v1/products theme_id": Object(shop_catalog.make_theme, shared=True),
    "/api/v1/themes/{theme_id}": Object(shop_catalog.make_theme, shared=True),
    "/api/v1/banners/{code}": Object(shop_catalog.make_banner_code, shared=True),
    "/api/v1/shop/categories/{category_id}": Object(shop_catalog.make_category, shared=True),
    "POST /api/v1/shop/categories parent_id": Object(shop_catalog.make_category, shared=True),
    "POST /api/v1/shop/categories/{category_id}/move parent_id": Object(
        shop_catalog.make_category, shared=True
    ),
    "/api/v1/shop/products/{product_id}": Object(shop_catalog.make_product, shared=True),
    "GET /api/v1/shop/products category_id": Object(shop_catalog.make_category, shared=True),
    "POST /api/v1/shop/products category_id": Object(shop_catalog.make_category, shared=True),
    "POST /api/v1/shop/products freight_template_id": Object(shop_catalog.make_freight_template, shared=True),
    "PATCH /api/v1/shop/products/{product_id} category_id": Object(shop_catalog.make_category, shared=True),
    "PATCH /api/v1/shop/products/{product_id} freight_template_id": Object(
        shop_catalog.make_freight_template, shared=True
    ),
    "/api/v1/shop/skus/{sku_id}": Object(shop_catalog.make_sku, shared=True),
    "/api/v1/shop/themes/{theme_id}": Object(shop_catalog.make_theme, shared=True),
    "PUT /api/v1/shop/themes/{theme_id}/products product_ids": Object(shop_catalog.make_product, shared=True),
    "/api/v1/shop/banners/{banner_id}": Object(shop_catalog.make_banner, shared=True),
    "PUT /api/v1/shop/banners/{banner_id}/items target_id": Object(shop_catalog.make_product, shared=True),
    "/api/v1/shop/freight-templates/{template_id}": Object(shop_catalog.make_freight_template, shared=True),
    "/api/v1/orders/{number}": Object(shop_order.make_order),
    "/api/v1/orders/{number}/confirm": Object(shop_order.make_shipped_order),
    "POST /api/v1/orders address_id": Object(shop_order.make_address),
    "POST /api/v1/orders sku_id": Object(shop_order.make_sku, shared=True),
    "POST /api/v1/orders/preview address_id": Object(shop_order.make_address),
    "POST /api/v1/orders/preview sku_id": Object(shop_order.make_sku, shared=True),
    "/api/v1/shop/orders/{number}": Object(shop_order.make_order, shared=True),
    "/api/v1/shop/orders/{number}/ship": Object(shop_payment.make_paid_order, shared=True),
    "GET /api/v1/shop/orders user_id": Object(makers.find_account, shared=True),
    "GET /api/v1/shop/orders department_id": Object(makers.make_department, shared=True),
    "POST /api/v1/shop/orders/{number}/ship sku_id": Object(shop_payment.find_ordered_sku, shared=True),
    "PUT /api/v1/shop/orders/{number}/department department_id": Object(makers.make_department, shared=True),
    "/api/v1/shop/stock/{sku_id}": Object(shop_order.make_sku, shared=True),
    "GET /api/v1/shop/stock sku_id": Object(shop_order.make_sku, shared=True),
    "/api/v1/addresses/{address_id}": Object(shop_order.make_address),
    "/api/v1/cart/lines/{sku_id}": Object(shop_order.make_sku, shared=True),
    "POST /api/v1/cart/merge sku_id": Object(shop_order.make_sku, shared=True),
    "/api/v1/favourites/{product_id}": Object(shop_catalog.make_product, shared=True),
    "/demo/pictures/{name}": Object(shop_customer.find_picture, shared=True),
    # A sample of rows under a data scope, tests/modules/organization/deal.py.
    "/api/v1/deals/{deal_id}": Object(makers.make_deal),
    "POST /api/v1/deals department_id": Object(makers.find_sales, shared=True),
    "/docs/assets/{name}": Object(makers.find_asset, shared=True),
}
