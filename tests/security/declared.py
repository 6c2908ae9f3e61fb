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

from tests.security import makers
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
    "DELETE /api/v1/users ids": Object(makers.find_account, shared=True),
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
    # A sample of rows under a data scope, tests/modules/organization/shop.py.
    "/api/v1/orders/{order_id}": Object(makers.make_order),
    "POST /api/v1/orders department_id": Object(makers.find_sales, shared=True),
    "/docs/assets/{name}": Object(makers.find_asset, shared=True),
}
