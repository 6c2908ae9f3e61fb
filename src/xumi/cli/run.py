"""`xumi run`: the server."""

from typing import Annotated

import typer


def run(
    host: Annotated[str | None, typer.Option(help="Address to listen on; wins over HOST.")] = None,
    port: Annotated[int | None, typer.Option(help="Port to listen on; wins over PORT.")] = None,
    workers: Annotated[int | None, typer.Option(help="Server processes; wins over WORKERS.")] = None,
    reload: Annotated[
        bool, typer.Option("--reload", help="Start again when a file of the project changes.")
    ] = False,
) -> None:
    """Serve the API until Ctrl-C or SIGTERM.

    Outside production the database is brought up to date first, and an administrator is made if there is none.
    """
    if reload:
        from xumi.cli.reload import run_again_at_changes

        given = {"--host": host, "--port": port, "--workers": workers}
        options = [f"{name}={value}" for name, value in given.items() if value is not None]
        raise typer.Exit(run_again_at_changes(["run", *options]))

    from xumi.kernel.collector import permanent

    with permanent():
        from xumi.api import create_app
        from xumi.cli.account import prepare_database
        from xumi.cli.terminal import settings_in_force
        from xumi.kernel.http.server import serve

        settings = settings_in_force(host=host, port=port, workers=workers)
        app = create_app(settings)
        if settings.app_env != "production" and prepare_database(app):
            print(
                "`xumi demo load` fills the shop with demo data, `xumi demo clear` takes it away.", flush=True
            )
    serve("xumi.api:create_app", settings, app)
