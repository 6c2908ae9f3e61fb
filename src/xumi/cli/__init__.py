"""The command `xumi`. Each group of commands has its own file; what is heavy is imported when it runs."""

import sys
from collections.abc import Sequence

import typer

from xumi.cli import account, command, config, database, demo, doctor, events, jobs, routes, run, shop, worker
from xumi.kernel.errors import APIException, StartError

REFUSED, FAILED = 2, 1

app = typer.Typer(
    name="xumi",
    help="Runs and looks after a Xumi back end.",
    add_completion=False,
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
)
app.command("run")(run.run)
app.command("worker")(worker.worker)
app.command("routes")(routes.routes)
app.command("doctor")(doctor.doctor)
app.command("command", context_settings=command.PASS_ON)(command.command)
app.command("init-db")(account.init_db)
app.command("create-admin")(account.create_admin)
app.add_typer(config.app, name="config")
app.add_typer(database.app, name="db")
app.add_typer(demo.app, name="demo")
app.add_typer(events.app, name="events")
app.add_typer(jobs.app, name="jobs")
app.add_typer(jobs.schedule, name="schedule")
app.add_typer(shop.app, name="shop")


def _show_version(wanted: bool) -> None:
    if wanted:
        from xumi import __version__

        print(f"xumi {__version__}")
        raise typer.Exit


@app.callback()
def _root(
    version: bool = typer.Option(
        False, "--version", callback=_show_version, is_eager=True, help="Print the version."
    ),
) -> None: ...


def main(arguments: Sequence[str] | None = None) -> None:
    """Run `xumi` with these arguments, the process's by default, and end the process.

    A refusal to start is one readable message and exit code 2, a refused action one and exit code 1.
    """
    try:
        app(args=None if arguments is None else list(arguments), prog_name="xumi")
    except StartError as error:
        sys.exit(_complain(str(error), REFUSED))
    except Exception as error:
        refusal = error if isinstance(error, APIException) else _translate(error)
        if refusal is None:
            raise
        fields = "".join(f"\n  - {field.field}: {field.reason}" for field in refusal.errors)
        cause = f" ({error})" if error is not refusal else ""
        sys.exit(_complain(refusal.text("en") + cause + fields, FAILED))


def main_command() -> None:
    """What a project's `command.py` calls: `python command.py NAME …` is `xumi command NAME …`."""
    main(["command", *sys.argv[1:]])


def _translate(error: Exception) -> APIException | None:
    """What a database's error means, where it is one that happens to everybody: it is away, the row exists already."""
    if "sqlalchemy" not in sys.modules:
        return None
    from xumi.kernel.db.errors import translate

    return translate(error)


def _complain(message: str, code: int) -> int:
    sys.stdout.flush()
    print(f"xumi: {message}", file=sys.stderr)
    return code
