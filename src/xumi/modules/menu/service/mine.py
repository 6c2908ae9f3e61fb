"""What one caller sees of the menus. Whatever nobody was given, nobody sees but who may do everything."""

from collections.abc import Sequence, Set
from functools import lru_cache
from hashlib import blake2b

import msgspec

from xumi.kernel.auth import EVERYTHING
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import current
from xumi.kernel.ids import derive_key
from xumi.modules.menu.constants import CACHE_SECONDS, MENUS_TAG
from xumi.modules.menu.enums import MenuKind
from xumi.modules.menu.repository import read_items
from xumi.modules.menu.schemas import MenuRow, MyMenus, RouteMeta, RouteView


async def read_menus(principal: Principal) -> MyMenus:
    """The caller's menus, at most `CACHE_SECONDS` after another worker changed them."""
    resources = current().resources
    roles = resources.access.roles_of(principal)

    async def compute() -> MyMenus:
        return prune(await read_items(), roles, principal.permissions)

    key = f"menu:mine:{_digest(roles, principal.permissions)}"
    cached: MyMenus = await resources.cache.get_or_compute(
        key, compute, MyMenus, ttl_seconds=CACHE_SECONDS, tags=(MENUS_TAG,)
    )
    return cached


@lru_cache(maxsize=256)
def _digest(roles: frozenset[str], permissions: frozenset[str]) -> str:
    """The same for all who see the same. Whoever holds a role shares its set of permissions: it is found at once."""
    return derive_key(*(name.encode() for name in (*sorted(roles), "", *sorted(permissions))))


def make_etag(menus: MyMenus) -> str:
    """A strong entity tag: the same for equal menus in every process."""
    return f'"{blake2b(msgspec.json.encode(menus), digest_size=16).hexdigest()}"'


def is_known(etag: str, if_none_match: str) -> bool:
    """Whether a client that sends this header has what the entity tag stands for (RFC 9110 §13.1.2, weak comparison)."""
    given = [tag.strip().removeprefix("W/") for tag in if_none_match.split(",")]
    return etag in given or "*" in given


def prune(items: Sequence[MenuRow], roles: Set[str], permissions: Set[str]) -> MyMenus:
    """Of all items, parents first and siblings in order, those that somebody of these roles and permissions sees."""
    sees_all = EVERYTHING in permissions
    routes: dict[str, RouteView] = {}
    elements: list[str] = []
    for item in items:
        if item.parent_id is not None and item.parent_id not in routes:
            continue
        if not item.enabled or not (sees_all or _may_see(item, roles, permissions)):
            continue
        if item.kind is MenuKind.ELEMENT:
            elements.append(item.code)
        else:
            routes[item.id] = _route(item)
    return MyMenus(_nest(items, routes, keep_empty=sees_all), elements)


def _may_see(item: MenuRow, roles: Set[str], permissions: Set[str]) -> bool:
    """Whether the caller sees an item if he sees its parent; a directory for which nothing is said, if he sees what is in it."""
    if item.permission is not None and item.permission not in permissions:
        return False
    if item.roles:
        return not roles.isdisjoint(item.roles.split(","))
    return item.permission is not None or item.kind is MenuKind.DIRECTORY


def _nest(items: Sequence[MenuRow], routes: dict[str, RouteView], *, keep_empty: bool) -> list[RouteView]:
    """The routes as a tree, without directories that lead nowhere. Children come before parents here, the last first."""
    top: list[RouteView] = []
    for item in reversed(items):
        route = routes.get(item.id)
        if route is None:
            continue
        route.children.reverse()
        if item.kind is MenuKind.DIRECTORY and not route.children and not keep_empty:
            continue
        (top if item.parent_id is None else routes[item.parent_id].children).append(route)
    return top[::-1]


def _route(item: MenuRow) -> RouteView:
    meta = RouteMeta(
        item.kind, item.title_en, item.title_zh, item.icon, item.hidden, item.keep_alive, item.url
    )
    return RouteView(item.code, item.path, item.component, meta)
