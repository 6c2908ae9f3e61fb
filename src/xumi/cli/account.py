"""`xumi init-db` and `xumi create-admin`: from an empty database to somebody who can sign in."""

import asyncio
import sys
from typing import TYPE_CHECKING, Annotated

import typer

if TYPE_CHECKING:
    from xumi.api import Application


def init_db() -> None:
    """Bring the database to head and make the first administrator.

    The name is INITIAL_ADMIN_USERNAME; the password is INITIAL_ADMIN_PASSWORD, or a random one that is printed once.
    """
    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force

    prepare_database(create_app(settings_in_force()))
    print("The database is ready.")


def prepare_database(app: "Application") -> bool:
    """Bring the database to head, make the first administrator if there is none, and tell a password that was made up.

    Returns:
        Whether an administrator was made: nobody has used the database before.
    """
    from xumi.api import prepare

    made = asyncio.run(prepare(app))
    if made is None:
        return False
    username, password = made
    told = (
        "the password of INITIAL_ADMIN_PASSWORD"
        if password is None
        else f"password {password} (shown only now)"
    )
    print(f"The first administrator was made: {username}, {told}", flush=True)
    return True


def create_admin(
    username: Annotated[str | None, typer.Option(help="Name to sign in with; asked for if left out.")] = None,
    email: Annotated[str | None, typer.Option(help="Address; asked for if left out.")] = None,
    password: Annotated[
        str | None, typer.Option(help="Password; asked for if left out. Others can see it in `ps`.")
    ] = None,
    password_stdin: Annotated[
        bool, typer.Option("--password-stdin", help="Read the password from standard input.")
    ] = False,
) -> None:
    """Make another administrator."""
    if password_stdin:
        password = sys.stdin.readline().rstrip("\r\n")
    username = username or typer.prompt("User name")
    email = email or typer.prompt("Email")
    password = password or typer.prompt("Password", hide_input=True, confirmation_prompt=True)
    made = asyncio.run(_create_admin(username, email, password))
    print(f"Administrator {made} was made.")


async def _create_admin(username: str, email: str, password: str) -> str:
    from pydantic import ValidationError

    from xumi.api import create_app
    from xumi.cli.terminal import settings_in_force
    from xumi.kernel.db.revisions import heads_reached
    from xumi.kernel.db.session import unit_of_work
    from xumi.kernel.errors import APICode, APIException, FieldError, StartError
    from xumi.modules.account.schemas import Register
    from xumi.modules.account.service import create_administrator

    try:
        data = Register(username=username, email=email, password=password)
    except ValidationError as error:
        wrong = [FieldError(str(detail["loc"][0]), detail["msg"]) for detail in error.errors()]
        raise APIException(APICode.VALIDATION_FAILED, errors=wrong) from None
    resources = create_app(settings_in_force()).resources
    try:
        if not await heads_reached(resources.database.read.runner):
            raise StartError("The database is not up to date: run `xumi db upgrade` first.")
        with resources.context("create-admin"):
            async with unit_of_work() as work:
                return (await create_administrator(work.session, data)).username
    finally:
        await resources.database.close()
