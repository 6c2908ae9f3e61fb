"""`xumi routes`: what the API offers, and to whom."""

from typing import Annotated

import typer


def routes(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one array.")] = False,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Say of each whether it runs compiled, or why on FastAPI.")
    ] = False,
) -> None:
    """List every route: method, path, permission, module."""
    from xumi.api import create_app
    from xumi.cli.terminal import print_table, settings_in_force

    app = create_app(settings_in_force())
    found = sorted(
        (route.path, method, route.policy.permission or "public", route.feature, app.how_it_runs(route))
        for route in app.table.routes
        for method in route.methods or ()
    )
    names = ("method", "path", "permission", "module", "runs")[: None if compiled else 4]
    rows = [(method, path, *more)[: len(names)] for path, method, *more in found]
    if as_json:
        import json

        print(json.dumps([dict(zip(names, row, strict=True)) for row in rows], indent=2))
    else:
        print_table([tuple(name.upper() for name in names), *rows])
