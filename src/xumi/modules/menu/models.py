"""The tables of menus: the items of the tree, which roles see them, and the tree as a whole."""

from __future__ import annotations

from sqlalchemy import ForeignKey, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from xumi.kernel.db.model import ModelBase, ModelTimeColumns
from xumi.modules.menu.enums import MenuKind


class MenuItem(ModelBase, ModelTimeColumns):
    """A directory, page, link or element (button) of the console."""

    __tablename__ = "menu_item"

    parent_id: Mapped[str | None] = mapped_column(ForeignKey("menu_item.id"), index=True)
    kind: Mapped[MenuKind]
    code: Mapped[str] = mapped_column(String(64), unique=True)
    title_en: Mapped[str] = mapped_column(String(100))
    title_zh: Mapped[str] = mapped_column(String(100))
    icon: Mapped[str | None] = mapped_column(String(64))
    path: Mapped[str | None] = mapped_column(String(200))
    component: Mapped[str | None] = mapped_column(String(200))
    url: Mapped[str | None] = mapped_column(String(2000))
    """Where a link leads."""
    permission: Mapped[str | None] = mapped_column(String(100))
    """What the caller must hold to see the item."""
    hidden: Mapped[bool] = mapped_column(default=False)
    """The page exists, but not in the sidebar."""
    keep_alive: Mapped[bool] = mapped_column(default=False)
    """The console keeps the page's state while another one is shown."""
    enabled: Mapped[bool] = mapped_column(default=True)
    order: Mapped[int]
    """Place among its siblings, from 0."""


class MenuGrant(ModelBase):
    """A role sees an item."""

    __tablename__ = "menu_grant"

    role: Mapped[str] = mapped_column(ForeignKey("access_role.code", ondelete="CASCADE"))
    item_id: Mapped[str] = mapped_column(ForeignKey("menu_item.id", ondelete="CASCADE"), index=True)

    __table_args__ = (UniqueConstraint("role", "item_id"),)


class MenuTree(ModelBase):
    """The tree as a whole: one row, which whoever changes menus locks, so that changes happen one after the other."""

    __tablename__ = "menu_tree"

    seeded: Mapped[list[str]]
    """Codes of the items that modules declare and that were put in; they are not put in again when they are deleted."""
