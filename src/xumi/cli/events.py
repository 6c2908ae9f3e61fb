"""`xumi events`: what was delivered, what was not, and the dead letters."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import TYPE_CHECKING, Annotated, TypeVar

import typer

if TYPE_CHECKING:
    from xumi.kernel.db.session import UnitOfWork
    from xumi.kernel.resources import Resources

T = TypeVar("T")

app = typer.Typer(help="Look after events and their delivery.", no_args_is_help=True)


@app.command()
def dead(limit: Annotated[int, typer.Option(help="How many at most.")] = 100) -> None:
    """List deliveries that were given up, the oldest event first."""
    from xumi.cli.terminal import print_table
    from xumi.kernel.events import dead_letter

    found = _run(lambda work, _: dead_letter.list_dead(work.session, limit))
    if not found:
        print("No delivery was given up.")
        return
    rows = [
        (
            each.event,
            each.consumer,
            each.name,
            each.aggregate,
            str(each.attempts),
            f"{each.died_at:%Y-%m-%dT%H:%M:%SZ}",
            each.error.partition("\n")[0],
        )
        for each in found
    ]
    print_table([("EVENT", "CONSUMER", "NAME", "AGGREGATE", "ATTEMPTS", "GIVEN UP", "ERROR"), *rows])


@app.command()
def show(event: Annotated[str, typer.Argument(help="The event's id.")]) -> None:
    """Print an event and what became of it at each consumer."""
    from xumi.kernel.errors import StartError
    from xumi.kernel.events import dead_letter

    found = _run(lambda work, _: dead_letter.show(work.session, event))
    if found is None:
        raise StartError(f"There is no event {event!r}; delivered ones are kept for some days only.")
    head, deliveries = found
    for name, value in head.items():
        print(f"{name:14}{value}")
    for each in deliveries:
        told = f", {each['attempts']} attempts" if each["attempts"] else ""
        error = f": {each['error']}" if each["error"] else ""
        print(f"{each['state']:8}{each['consumer']}{told}, {each['changed_at']:%Y-%m-%dT%H:%M:%SZ}{error}")


@app.command()
def replay(
    event: Annotated[str | None, typer.Argument(help="The event's id.")] = None,
    every: Annotated[bool, typer.Option("--all", help="All deliveries that were given up.")] = False,
    consumer: Annotated[str | None, typer.Option(help="Only to this consumer.")] = None,
) -> None:
    """Deliver again what was given up; it comes after younger events of its aggregate."""
    from xumi.kernel.events import dead_letter

    if (event is None) is not every:
        raise typer.BadParameter("give an event's id, or --all")
    count = _run(lambda work, held: dead_letter.replay(work, held, event=event, consumer=consumer))
    print(f"{count} {'delivery begins' if count == 1 else 'deliveries begin'} again.")


@app.command()
def lag() -> None:
    """Tell for each consumer how much waits, since when, and how much was given up."""
    from xumi.cli.terminal import print_table
    from xumi.kernel.events import dead_letter
    from xumi.kernel.events.consumer import consumers, find_consumer

    async def look(work: "UnitOfWork", _: "Resources") -> "tuple[list[dead_letter.Backlog], int]":
        names = [each.name for each in consumers()]
        session = work.session
        return await dead_letter.backlogs(session, names), await dead_letter.count_unsorted(session)

    backlogs, unsorted = _run(look)
    rows = [
        (
            each.consumer + ("" if find_consumer(each.consumer) else " (not in this program)"),
            str(each.pending),
            f"{each.oldest_seconds:.1f} s",
            str(each.dead),
        )
        for each in backlogs
    ]
    print_table([("CONSUMER", "PENDING", "OLDEST", "GIVEN UP"), *rows])
    print(f"{unsorted} events wait to be handed out.")


def _run(work: "Callable[[UnitOfWork, Resources], Awaitable[T]]") -> T:
    """Run with the application's database, in a transaction."""
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel import log
    from xumi.kernel.config import check_sections
    from xumi.kernel.db.session import unit_of_work
    from xumi.kernel.modules import discover
    from xumi.kernel.resources import Resources

    settings = settings_in_force()
    log.configure(settings.log_level, settings.log_format)
    features = discover(settings.modules)
    check_sections(settings)
    resources = Resources(settings, features)

    async def run() -> T:
        try:
            with resources.context("xumi events"):
                async with unit_of_work() as unit:
                    return await work(unit, resources)
        finally:
            await resources.database.close()

    return asyncio.run(run())
