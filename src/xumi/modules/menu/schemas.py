"""What goes in and out of the menu endpoints."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Annotated, Any

import msgspec
from pydantic import AfterValidator, ConfigDict, Field, field_validator

from xumi.kernel.db.query import PaginateRequest
from xumi.kernel.ids import KEY_LENGTH
from xumi.kernel.schema import InputSchema, SchemaBase
from xumi.modules.menu.constants import MAX_DOCUMENT_LEVELS, MAX_ITEMS
from xumi.modules.menu.enums import MenuKind


def _like(pattern: str, advice: str) -> AfterValidator:
    """Refuse texts that do not match as a whole."""
    matches = re.compile(pattern).fullmatch

    def check(text: str) -> str:
        if not matches(text):
            raise ValueError(f"must be {advice}")
        return text

    return AfterValidator(check)


_CODE = _like(
    r"[a-z][a-z0-9-]*(\.[a-z0-9][a-z0-9-]*)*", "lower case words with dots, as in user.create-button"
)
_TITLE = _like(r"(?=.*\S)[^\x00-\x1f\x7f]+", "one line of text")
_ICON = _like(
    r"[A-Za-z][A-Za-z0-9]*([:_-][A-Za-z0-9]+)*", "the name of an icon, as in office-building or ep:user"
)
# No segment begins with a dot and none is empty, so that a path neither climbs nor leads to another host.
_SEGMENT = r":?[A-Za-z0-9_~-][A-Za-z0-9._~-]*\??"
_PATH = _like(rf"/|/?{_SEGMENT}(/{_SEGMENT})*", "a path of the console, as in /system/users/:id")
_COMPONENT = _like(
    r"[A-Za-z0-9_-]+(/[A-Za-z0-9_-]+)*(\.vue)?",
    "a component's path inside the console, as in system/users/index",
)
_URL = _like(
    r"(?i:https?)://([\w.-]+|\[[0-9A-Fa-f:.]+\])(:[0-9]{1,5})?([/?#][^\s\\<>\"'`{}|^\x00-\x1f\x7f]*)?",
    "an address that begins with https:// or http:// and names a host",
)
_PERMISSION = _like(r"[a-z][a-z0-9_-]*(:[a-z][a-z0-9_-]*)+", "a permission, as in user:list")

_SOME_ID = "01KAGZ7C2F4G6H8J0K1M3N5P7Q"

Id = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH)]
Code = Annotated[str, Field(max_length=64, examples=["user.create-button"]), _CODE]
Title = Annotated[str, Field(max_length=100, examples=["Accounts"]), _TITLE]
Icon = Annotated[str, Field(max_length=64, examples=["user"]), _ICON]
Path = Annotated[str, Field(max_length=200, examples=["/system/users"]), _PATH]
Component = Annotated[str, Field(max_length=200, examples=["system/users/index"]), _COMPONENT]
Url = Annotated[str, Field(max_length=2000, examples=["https://example.com/help"]), _URL]
Permission = Annotated[str, Field(max_length=100, examples=["user:list"]), _PERMISSION]


_PAGE: dict[str, Any] = {
    "code": "notes",
    "title_en": "Notes",
    "title_zh": "便签",
    "icon": "notebook",
    "path": "/notes",
    "component": "notes/index",
    "permission": "note:list",
}
_BRANCH: dict[str, Any] = _PAGE | {
    "kind": "page",
    "children": [
        {
            "kind": "element",
            "code": "notes.create-button",
            "title_en": "New note",
            "title_zh": "新建便签",
            "permission": "note:create",
        }
    ],
}

ITEM: dict[str, Any] = _PAGE | {
    "id": _SOME_ID,
    "parent_id": None,
    "kind": "page",
    "url": None,
    "hidden": False,
    "keep_alive": False,
    "enabled": True,
    "order": 0,
    "created_at": "2026-11-21T09:30:00Z",
    "updated_at": "2026-11-21T09:30:00Z",
}
"""An item as the documentation shows it."""


class MenuReplace(InputSchema):
    """Everything about an item that can be set (PUT); its kind stays, and its place is changed by moving it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_PAGE]})

    code: Code = Field(description="Unique; the console's name of the route or button.")
    title_en: Title
    title_zh: Title
    icon: Icon | None = None
    path: Path | None = Field(None, description="Of directories and pages, which must have one.")
    component: Component | None = Field(None, description="Of pages, which must have one, and directories.")
    url: Url | None = Field(None, description="Of links, which must have one.")
    permission: Permission | None = Field(None, description="What the caller must hold to see it.")
    hidden: bool = Field(False, description="The page exists, but not in the sidebar.")
    keep_alive: bool = Field(False, description="The console keeps the page's state while another is shown.")
    enabled: bool = Field(True, description="Off: nobody sees it, nor what is below it.")


class MenuChange(InputSchema):
    """What shall be different about an item (PATCH); what is left out stays, and null empties what can be empty."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"title_en": "My notes", "keep_alive": True}]})

    code: Code | None = None
    title_en: Title | None = None
    title_zh: Title | None = None
    icon: Icon | None = None
    path: Path | None = None
    component: Component | None = None
    url: Url | None = None
    permission: Permission | None = None
    hidden: bool | None = None
    keep_alive: bool | None = None
    enabled: bool | None = None


class MenuBranch(MenuReplace):
    """A new item with what is below it."""

    model_config = ConfigDict(json_schema_extra={"examples": [_BRANCH]})

    kind: MenuKind
    children: list[MenuBranch] = Field([], max_length=MAX_ITEMS, description="Items to make below it.")


class MenuCreate(MenuBranch):
    """A new item, the last below its parent."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"parent_id": None} | _BRANCH]})

    parent_id: Id | None = Field(None, description="Where it hangs; null is the top.")

    @field_validator("children")
    @classmethod
    def _check_depth(cls, children: list[MenuBranch]) -> list[MenuBranch]:
        level, depth = children, 1
        while level:
            depth += 1
            if depth > MAX_DOCUMENT_LEVELS:
                raise ValueError(f"must not nest deeper than {MAX_DOCUMENT_LEVELS} levels")
            level = [child for item in level for child in item.children]
        return children


class MenuDeclaration(MenuBranch):
    """An item that a module declares in `MODULE.menus`."""

    parent: Code | None = Field(None, description="Code of the item that it hangs below; None is the top.")


class MenuMove(InputSchema):
    """Where an item shall hang."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"parent_id": _SOME_ID, "order": 0}]})

    parent_id: Id | None = Field(description="The new parent; null is the top.")
    order: int | None = Field(
        None, ge=0, le=MAX_ITEMS, description="Place among its new siblings, from 0; left out: the last."
    )


class MenuReorder(InputSchema):
    """The items at one place, in their new order."""

    model_config = ConfigDict(json_schema_extra={"examples": [{"parent_id": None, "ids": [_SOME_ID]}]})

    parent_id: Id | None = Field(description="The parent of them all; null is the top.")
    ids: list[Id] = Field(min_length=1, max_length=MAX_ITEMS, description="Each of its children once.")


class MenuIds(InputSchema):
    """Items, by id."""

    menu_ids: list[Id] = Field(max_length=MAX_ITEMS, examples=[[_SOME_ID]])


class RoleMenus(SchemaBase):
    """What a role is granted."""

    role: str = Field(examples=["clerk"])
    menu_ids: list[str] = Field(examples=[[_SOME_ID]])


class MenuOut(SchemaBase):
    """An item as administrators see it."""

    model_config = ConfigDict(json_schema_extra={"examples": [ITEM]})

    id: str
    parent_id: str | None
    kind: MenuKind
    code: str
    title_en: str
    title_zh: str
    icon: str | None
    path: str | None
    component: str | None
    url: str | None
    permission: str | None
    hidden: bool
    keep_alive: bool
    enabled: bool
    order: int
    created_at: datetime
    updated_at: datetime


class MenuQuery(PaginateRequest):
    """Which items are wanted; sorted by `code`, `kind`, `order`, `created_at` or `updated_at`."""

    code: str | None = Field(None, max_length=64, description="Part of the code, in either case.")
    title_en: str | None = Field(None, max_length=100, description="Part of the English title.")
    title_zh: str | None = Field(None, max_length=100, description="Part of the Chinese title.")
    kind: MenuKind | None = None
    permission: str | None = Field(None, max_length=100, description="The permission that it asks for.")
    parent_id: str | None = Field(None, max_length=KEY_LENGTH, description="Where it hangs.")
    enabled: bool | None = None


class MenuRow(MenuOut):
    """An item with the roles that are granted it, joined with commas, as it is read for the tree."""

    roles: str | None


class MenuItemView(msgspec.Struct):
    """An item of the whole tree; `roles` are those that are granted it."""

    id: str
    parent_id: str | None
    kind: MenuKind
    code: str
    title_en: str
    title_zh: str
    icon: str | None
    path: str | None
    component: str | None
    url: str | None
    permission: str | None
    hidden: bool
    keep_alive: bool
    enabled: bool
    order: int
    created_at: datetime
    updated_at: datetime
    roles: list[str]
    children: list[MenuItemView] = []


class RouteMeta(msgspec.Struct):
    """What the console shows of a route."""

    kind: MenuKind
    title_en: str
    title_zh: str
    icon: str | None
    hidden: bool
    keep_alive: bool
    url: str | None


class RouteView(msgspec.Struct):
    """A route as the console's router takes it; `name` is the item's code."""

    name: str
    path: str | None
    component: str | None
    meta: RouteMeta
    children: list[RouteView] = []


class MyMenus(msgspec.Struct):
    """The caller's routes, and the codes of the buttons that he sees."""

    menus: list[RouteView]
    elements: list[str]
