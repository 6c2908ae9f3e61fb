"""The tree of menus: one's own part of it, and all of it as administrators manage it."""

from typing import Annotated

from fastapi import Header, Query, Response

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.query import PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.kernel.schema import RowId
from xumi.modules.menu.schemas import (
    ITEM,
    MenuChange,
    MenuCreate,
    MenuItemView,
    MenuMove,
    MenuOut,
    MenuQuery,
    MenuReorder,
    MenuReplace,
    MyMenus,
)
from xumi.modules.menu.service import item, mine, place

router = get_router(prefix="/api/v1/menus", tags=["menus"])


_MINE = {
    "menus": [
        {
            "name": "notes",
            "path": "/notes",
            "component": "notes/index",
            "meta": {
                "kind": "page",
                "title_en": "Notes",
                "title_zh": "便签",
                "icon": "notebook",
                "hidden": False,
                "keep_alive": False,
                "url": None,
            },
            "children": [],
        }
    ],
    "elements": ["notes.create-button"],
}

_TREE = [ITEM | {"roles": ["clerk"], "children": []}]


@router.get(
    "/mine",
    permission="menu:mine",
    responses={
        200: {
            "description": "The caller's part of the tree.",
            "content": {"application/json": {"example": _MINE}},
        },
        304: {"description": "It is what the entity tag in `If-None-Match` stands for."},
    },
)
async def read_my_menus(
    principal: CurrentPrincipal,
    response: Response,
    if_none_match: Annotated[str, Header()] = "",
) -> MyMenus:
    """The routes and buttons that the caller sees, at most 5 s after another worker changed them."""
    menus = await mine.read_menus(principal)
    etag = mine.make_etag(menus)
    response.headers.update({"ETag": etag, "Cache-Control": "private, no-cache"})
    if mine.is_known(etag, if_none_match):
        response.status_code = 304
    return menus


@router.get("", permission="menu:list")
async def list_menus(query: Annotated[MenuQuery, Query()]) -> PaginateResponse[MenuOut]:
    """A page of items, by code, or all that match as a file."""
    return await item.list_items(query)


@router.get(
    "/tree",
    permission="menu:list",
    responses={200: {"content": {"application/json": {"example": _TREE}}}},
)
async def read_tree() -> list[MenuItemView]:
    """The whole tree, also what is disabled, with the roles that are granted each item."""
    return await item.read_tree()


@router.get("/{menu_id}", permission="menu:read")
async def get_menu(menu_id: str) -> MenuOut:
    """One item."""
    return await item.get_item(menu_id)


@router.post("", permission="menu:create", status_code=201)
async def create_menu(session: Session, body: MenuCreate) -> RowId:
    """Make an item, the last at its place, with all that is nested in it; `data` is its id."""
    return await item.create(session, body)


@router.put("/{menu_id}", permission="menu:replace", status_code=204)
async def replace_menu(session: Session, menu_id: str, body: MenuReplace) -> None:
    """Set everything of an item but its kind and its place."""
    await item.replace(session, menu_id, body)


@router.patch("/{menu_id}", permission="menu:update", status_code=204)
async def update_menu(session: Session, menu_id: str, body: MenuChange) -> None:
    """Set some of an item; what is left out stays."""
    await item.change(session, menu_id, body)


@router.post("/{menu_id}/enable", permission="menu:enable", status_code=204)
async def enable_menu(session: Session, menu_id: str) -> None:
    """Show an item again to those who may see it."""
    await item.change(session, menu_id, MenuChange(enabled=True))


@router.post("/{menu_id}/disable", permission="menu:disable", status_code=204)
async def disable_menu(session: Session, menu_id: str) -> None:
    """Show an item, and what is below it, to nobody."""
    await item.change(session, menu_id, MenuChange(enabled=False))


@router.post("/{menu_id}/move", permission="menu:move", status_code=204)
async def move_menu(session: Session, menu_id: str, body: MenuMove) -> None:
    """Hang an item, with all below it, elsewhere. It cannot come to hang below itself."""
    await place.move(session, menu_id, body)


@router.post("/reorder", permission="menu:reorder", status_code=204)
async def reorder_menus(session: Session, body: MenuReorder) -> None:
    """Give all items at one place another order."""
    await place.reorder(session, body)


@router.delete("/{menu_id}", permission="menu:delete", status_code=204)
async def delete_menu(
    session: Session,
    menu_id: str,
    with_children: Annotated[bool, Query(description="Delete what is below it as well.")] = False,
) -> None:
    """Delete an item; one with others below it only where that is asked for."""
    await item.remove(session, menu_id, with_children=with_children)
