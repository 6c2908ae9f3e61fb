"""What a menu item must be like: which fields its kind has, below what it hangs, and that its code is free."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, NamedTuple

from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.menu.constants import MAX_ITEMS, MAX_LEVELS
from xumi.modules.menu.enums import MenuKind
from xumi.modules.menu.errors import MenuCode
from xumi.modules.menu.repository import Tree
from xumi.modules.menu.schemas import MenuBranch

# None is the top of the tree.
_HANGS_BELOW: Mapping[MenuKind, Sequence[MenuKind | None]] = {
    MenuKind.DIRECTORY: (None, MenuKind.DIRECTORY),
    MenuKind.PAGE: (None, MenuKind.DIRECTORY, MenuKind.PAGE),
    MenuKind.LINK: (None, MenuKind.DIRECTORY),
    MenuKind.ELEMENT: (MenuKind.PAGE,),
}
_MUST_HAVE: Mapping[MenuKind, Sequence[str]] = {
    MenuKind.DIRECTORY: ("path",),
    MenuKind.PAGE: ("path", "component"),
    MenuKind.LINK: ("url",),
    MenuKind.ELEMENT: (),
}
_CAN_HAVE = {**_MUST_HAVE, MenuKind.DIRECTORY: ("path", "component")}
FIELDS_OF_KINDS = ("path", "component", "url")
"""The fields that some kinds must have and others cannot have."""


class Document(NamedTuple):
    """An item of a nested document.

    Attributes:
        data: the item.
        above: the item that it is nested in; None for the outermost.
        order: its place in there.
        level: 1 for the outermost.
        prefix: what its fields' names begin with, such as `children.0.`
    """

    data: MenuBranch
    above: MenuBranch | None
    order: int
    level: int
    prefix: str


def flatten(data: MenuBranch) -> list[Document]:
    """A nested document's items, parents first."""
    documents = [Document(data, None, 0, 1, "")]
    # The list grows while it is walked through.
    for document in documents:
        for order, child in enumerate(document.data.children):
            prefix = f"{document.prefix}children.{order}."
            documents.append(Document(child, document.data, order, document.level + 1, prefix))
    return documents


def check_documents(tree: Tree, documents: Sequence[Document], parent_id: str | None) -> None:
    """See to it that the items of a document can be made below a parent.

    Raises:
        APIException: VALIDATION_FAILED, naming the fields; DUPLICATE for codes; MENU_FULL; MENU_TOO_DEEP.
    """
    outermost = documents[0].data
    check_place(tree, outermost.kind, parent_id, documents[-1].level)
    if len(tree.nodes) + len(documents) > MAX_ITEMS:
        raise APIException(MenuCode.MENU_FULL, limit=MAX_ITEMS)
    errors: list[FieldError] = []
    taken: list[FieldError] = []
    codes = {node.code for node in tree.nodes.values()}
    for data, above, _, _, prefix in documents:
        if above is not None and above.kind not in _HANGS_BELOW[data.kind]:
            errors.append(_misplaced(data.kind, f"{prefix}kind"))
        values = {name: getattr(data, name) for name in FIELDS_OF_KINDS}
        errors += _wrong_fields(data.kind, values, prefix)
        if data.code in codes:
            taken.append(_taken(f"{prefix}code"))
        codes.add(data.code)
    if errors or taken:
        raise APIException(APICode.VALIDATION_FAILED if errors else APICode.DUPLICATE, errors=errors or taken)


def check_fields(kind: MenuKind, values: Mapping[str, Any]) -> None:
    """See to it that an item has the fields of its kind.

    Args:
        kind: the kind.
        values: what it has of `FIELDS_OF_KINDS`.

    Raises:
        APIException: VALIDATION_FAILED, naming the fields.
    """
    if errors := list(_wrong_fields(kind, values, "")):
        raise APIException(APICode.VALIDATION_FAILED, errors=errors)


def check_code(tree: Tree, code: str) -> None:
    """See to it that no item has this code.

    Raises:
        APIException: DUPLICATE.
    """
    if tree.find(code) is not None:
        raise APIException(APICode.DUPLICATE, errors=[_taken("code")])


def check_place(tree: Tree, kind: MenuKind, parent_id: str | None, levels: int) -> None:
    """See to it that something can hang below a parent.

    Args:
        tree: where.
        kind: what it is.
        parent_id: the parent; None is the top.
        levels: how many levels it has, itself included.

    Raises:
        APIException: VALIDATION_FAILED for the parent; MENU_TOO_DEEP.
    """
    parent = tree.nodes.get(parent_id) if parent_id is not None else None
    error = None
    if parent is None and parent_id is not None:
        error = FieldError("parent_id", "there is no such item")
    elif (parent and parent.kind) not in _HANGS_BELOW[kind]:
        error = _misplaced(kind, "parent_id")
    if error is not None:
        raise APIException(APICode.VALIDATION_FAILED, errors=[error])
    if tree.level(parent_id) + levels > MAX_LEVELS:
        raise APIException(MenuCode.MENU_TOO_DEEP, limit=MAX_LEVELS)


def _misplaced(kind: MenuKind, field: str) -> FieldError:
    places = ["at the top" if above is None else f"below a {above}" for above in _HANGS_BELOW[kind]]
    return FieldError(field, f"an item of kind {kind} can only be {' or '.join(places)}")


def _wrong_fields(kind: MenuKind, values: Mapping[str, Any], prefix: str) -> Iterator[FieldError]:
    for name, value in values.items():
        if value is None and name in _MUST_HAVE[kind]:
            yield FieldError(prefix + name, f"an item of kind {kind} must have one")
        if value is not None and name not in _CAN_HAVE[kind]:
            yield FieldError(prefix + name, f"an item of kind {kind} has none: leave it out")


def _taken(field: str) -> FieldError:
    return FieldError(field, "is taken: choose another")
