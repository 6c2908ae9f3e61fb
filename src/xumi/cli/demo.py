"""`xumi demo`: a shop to look around in."""

import asyncio
import sys
from collections.abc import Awaitable, Callable
from typing import Annotated, Literal

import typer

app = typer.Typer(help="Load demo data for the shop, and clear it away.", no_args_is_help=True)

Force = Annotated[bool, typer.Option("--force", help="Do it in production too.")]


@app.command()
def load(
    language: Annotated[Literal["zh", "en"], typer.Option(help="Of names and texts.")] = "zh",
    force: Force = False,
) -> None:
    """Fill the shop with categories, products, customers and the orders of 90 days.

    All of it is loaded or nothing. The customers are called demo01 to demo40, and nobody can sign in as one.
    """

    async def work() -> bool:
        from xumi.modules.shop.demo import service

        return await service.load(language, _tell if sys.stderr.isatty() else _tell_some)

    print("Demo data is loaded." if _run("load", work, force) else "Demo data is there already.")


@app.command()
def clear(
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Force = False,
) -> None:
    """Delete the demo data and every order of its customers or of its products, and nothing else."""
    if not yes:
        typer.confirm("Delete the demo data with all orders of its customers and products?", abort=True)

    async def work() -> bool:
        from xumi.modules.shop.demo import service

        return await service.clear()

    print("Demo data is cleared." if _run("clear", work, force) else "There is no demo data.")


def _tell(done: int, steps: int) -> None:
    if done % 10 == 0 or done == steps:
        print(
            f"\r{done} of {steps} steps of orders",
            end="\n" if done == steps else "",
            file=sys.stderr,
            flush=True,
        )


def _tell_some(done: int, steps: int) -> None:
    if done % 200 == 0 or done == steps:
        print(f"{done} of {steps} steps of orders", file=sys.stderr, flush=True)


def _run(command: str, work: Callable[[], Awaitable[bool]], force: bool) -> bool:
    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.errors import StartError

    settings = settings_in_force(worker_enabled=False)
    if settings.app_env == "production" and not force:
        raise StartError(f"This is production: `xumi demo {command} --force` does it all the same.")

    async def run() -> bool:
        resources = create_app(settings).resources
        try:
            if not await heads_reached(resources.database.read.runner):
                raise StartError("The database is not up to date: run `xumi db upgrade` first.")
            await resources.start()
            with resources.context(f"demo {command}"):
                return await work()
        finally:
            await resources.close()

    return asyncio.run(run())
