"""`xumi shop`: whether the shop's numbers and figures agree."""

import asyncio
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xumi.modules.shop.sales.schemas import Difference
    from xumi.modules.shop.verification.service import Verdict

_SHOWN = 5

app = typer.Typer(help="Look after the shop.", no_args_is_help=True)


@app.command()
def verify() -> None:
    """Ask the database whether stock, orders and payments agree; exit code 1 if an invariant is broken.

    Prints each invariant with the number of rows that break it. The shop may go on selling meanwhile.
    """
    from xumi.cli.terminal import print_table

    verdicts = asyncio.run(_verify())
    print_table(
        (str(len(each.broken)), each.invariant.name, each.invariant.meaning if each.broken else "")
        for each in verdicts
    )
    for each in verdicts:
        for row in each.broken[:_SHOWN]:
            print(f"{each.invariant.name}: {', '.join(f'{name}={value}' for name, value in row.items())}")
        if (more := len(each.broken) - _SHOWN) > 0:
            print(f"{each.invariant.name}: and {more} more")
    if any(each.broken for each in verdicts):
        raise typer.Exit(1)


@app.command()
def recount(
    check: Annotated[
        bool, typer.Option("--check", help="Repair nothing; exit code 1 if something differs.")
    ] = False,
) -> None:
    """Hold the figures of sales against the orders, and repair what differs. The shop may go on selling meanwhile."""
    differences = asyncio.run(_recount(repair=not check))
    for each in differences:
        print(f"{each.figure}: {each.counted}, but the orders say {each.actual}")
    if not differences:
        print("The figures of sales are what the orders say.")
    elif check:
        raise typer.Exit(1)
    else:
        print(f"{len(differences)} figures were repaired.")


async def _recount(*, repair: bool) -> "list[Difference]":
    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.errors import StartError
    from xumi.modules.shop.sales import service

    resources = create_app(settings_in_force()).resources
    try:
        if not await heads_reached(resources.database.read.runner):
            raise StartError("The database is not up to date: run `xumi db upgrade` first.")
        with resources.context("xumi shop recount"):
            return await service.recount(repair=repair)
    finally:
        await resources.database.close()


async def _verify() -> "list[Verdict]":
    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.errors import StartError
    from xumi.modules.shop.verification import service

    resources = create_app(settings_in_force()).resources
    try:
        if not await heads_reached(resources.database.read.runner):
            raise StartError("The database is not up to date: run `xumi db upgrade` first.")
        with resources.context("xumi shop verify"):
            return [verdict async for verdict in service.verify()]
    finally:
        await resources.database.close()
