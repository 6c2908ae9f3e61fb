"""Fixed sets of menus."""

from enum import StrEnum


class MenuKind(StrEnum):
    """What a menu item is: a folder of the sidebar, a page of the console, a button on a page, or an address elsewhere."""

    DIRECTORY = "directory"
    PAGE = "page"
    ELEMENT = "element"
    LINK = "link"
