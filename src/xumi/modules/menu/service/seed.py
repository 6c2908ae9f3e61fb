"""Menu items that features declare: each is put in once, and from then on is the administrators' to change or delete."""

from collections.abc import Iterator, Sequence

from pydantic import ValidationError
from sqlalchemy import select
from sqlalchemy.ext.asyncio import AsyncSession

from xumi.kernel.errors import APIException, StartError
from xumi.kernel.log import logger
from xumi.kernel.modules import Feature
from xumi.modules.audit.service import record
from xumi.modules.menu.models import MenuTree
from xumi.modules.menu.repository import Tree, forget_items
from xumi.modules.menu.schemas import MenuBranch, MenuDeclaration
from xumi.modules.menu.service import rules
from xumi.modules.menu.service.item import add_branch


async def seed(session: AsyncSession, features: Sequence[Feature]) -> None:
    """Put in what was never put in before; safe when two processes start at once.

    An item whose parent is gone, or whose place has become impossible, is left out: administrators have the last word.

    Raises:
        StartError: a feature declares an item that is not valid.
    """
    declared = list(_declared(features))
    known = await session.scalar(select(MenuTree.seeded))
    if {data.code for data, _ in declared} <= set(known or ()):
        return
    tree = await Tree.lock(session)
    waiting = [entry for entry in declared if entry[0].code not in tree.row.seeded]
    seeded, tried = list(tree.row.seeded), None
    # What hangs below another feature's item may be declared before it: those that found no parent try again.
    while len(waiting) != tried:
        tried = len(waiting)
        waiting = [entry for entry in waiting if not await _put_in(session, tree, seeded, *entry)]
    if count := len(seeded) - len(tree.row.seeded):
        tree.row.seeded = seeded
        record(session, "menus.seeded", "menu:top", None, {"items": count})
        await forget_items()


async def _put_in(
    session: AsyncSession, tree: Tree, seeded: list[str], data: MenuBranch, parent: str | None
) -> bool:
    """Put an item in, unless it cannot be where it is declared, and note its code; False where its parent is not there."""
    above = tree.find(parent) if parent is not None else None
    if parent is not None and above is None:
        return False
    try:
        if tree.find(data.code) is None:
            await add_branch(session, tree, data, above.id if above is not None else None)
        seeded.append(data.code)
    except APIException as error:
        logger.warning("a menu item that a module declares was left out", code=data.code, error=error)
    return True


def _declared(features: Sequence[Feature]) -> Iterator[tuple[MenuBranch, str | None]]:
    """Each declared item without what is nested in it, and the code of its parent; parents first."""
    for feature in features:
        for values in feature.module.menus:
            try:
                declaration = MenuDeclaration.model_validate(values)
            except ValidationError as error:
                (first, *_) = error.errors()
                where = ".".join(map(str, first["loc"]))
                raise StartError(
                    f"{feature.package}: MODULE.menus has an item {values.get('code')!r} whose {where} is wrong: {first['msg'].removeprefix('Value error, ')}."
                ) from error
            for document in rules.flatten(declaration):
                parent = document.above.code if document.above is not None else declaration.parent
                yield document.data.model_copy(update={"children": []}), parent
