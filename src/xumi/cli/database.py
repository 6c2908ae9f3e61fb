"""`xumi db`: migrations of the library (`xumi_version`) and of the project (`migrations/versions`)."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xumi.kernel.db.revisions import OwnerName

app = typer.Typer(help="Bring the database's schema up to date, or back.", no_args_is_help=True)

Owner = Annotated[str | None, typer.Option(help="Whose revisions: library or project.")]


@app.command()
def upgrade(
    revision: Annotated[str, typer.Argument(help="Go no further than this revision.")] = "head",
) -> None:
    """Apply what is missing, of the library first and then of the project."""
    from xumi.kernel.db import migrate

    url = _url()
    asyncio.run(migrate.upgrade(url, revision))
    _print_status(url)


@app.command(context_settings={"ignore_unknown_options": True})
def downgrade(
    revision: Annotated[
        str, typer.Argument(help="What remains applied: a revision, base, or -1 for one step.")
    ],
    owner: Owner = None,
) -> None:
    """Take revisions back, and with them the data in what they had added.

    `base` and steps are the project's if it has revisions, else the library's; --owner says otherwise.
    """
    from xumi.kernel.db import migrate

    url = _url()
    asyncio.run(migrate.downgrade(url, revision, owner=None if owner is None else _owner(owner)))
    _print_status(url)


@app.command()
def revision(
    message: Annotated[str, typer.Argument(help="What the revision does, in a few words.")],
    empty: Annotated[bool, typer.Option("--empty", help="Write an empty one, to be filled by hand.")] = False,
) -> None:
    """Write a revision of the project, filled with what the models have and the database lacks. Read it before you commit it."""
    from xumi.kernel.db import migrate

    print(asyncio.run(migrate.revision(_url(), message, autogenerate=not empty)))


@app.command()
def plan() -> None:
    """Print the SQL that `upgrade` would run, and on standard error what is dangerous in it."""
    from xumi.kernel.db import migrate

    planned = asyncio.run(migrate.plan(_url()))
    print(planned.sql or "-- Nothing to do: the database is at head.")
    for finding in planned.findings:
        print(finding, file=sys.stderr)


@app.command()
def status() -> None:
    """Tell which revisions the database has, and which are missing."""
    _print_status(_url())


@app.command()
def drift() -> None:
    """Tell how the database differs from the models; exit code 1 if it does."""
    from xumi.kernel.db import migrate

    differences = asyncio.run(migrate.drift(_url()))
    print("\n".join(differences) or "The database is what the models say.")
    if differences:
        raise typer.Exit(1)


@app.command()
def stamp(
    owner: Annotated[str, typer.Argument(help="Whose revisions: library or project.")],
    revision: Annotated[str, typer.Argument(help="What the tables correspond to.")] = "head",
) -> None:
    """Note a revision without running it: to adopt tables that exist already."""
    from xumi.kernel.db import migrate

    url = _url()
    asyncio.run(migrate.stamp(url, _owner(owner), revision))
    _print_status(url)


def _url() -> str:
    """The database, with all models imported, so that they can be compared with it."""
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel import log
    from xumi.kernel.config import check_sections
    from xumi.kernel.modules import discover

    settings = settings_in_force()
    log.configure(settings.log_level, settings.log_format)
    discover(settings.modules)
    check_sections(settings)
    return settings.database_url


def _owner(name: str) -> "OwnerName":
    if name == "library":
        return "library"
    if name == "project":
        return "project"
    raise typer.BadParameter(f"{name!r} is neither library nor project")


def _print_status(url: str) -> None:
    from xumi.cli.terminal import print_table
    from xumi.kernel.db import migrate

    found = asyncio.run(migrate.status(url))
    rows = [
        (each.owner, each.current or "none", each.head or "none", str(len(each.pending))) for each in found
    ]
    print_table([("OWNER", "CURRENT", "HEAD", "MISSING"), *rows])
    for each in found:
        for number, title in each.pending:
            print(f"missing  {each.owner}  {number}  {title}")
        if each.adoptable:
            print(
                f"Tables of {each.owner} exist although no revision is noted: `xumi db drift` tells how they differ, "
                f"`xumi db stamp {each.owner}` adopts them as they are."
            )
