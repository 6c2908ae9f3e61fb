"""`xumi routes`: what the API offers, and to whom."""

from collections.abc import Mapping, Set
from typing import TYPE_CHECKING, Annotated, Any

import typer

from xumi.kernel.auth import EVERYTHING

if TYPE_CHECKING:
    from xumi.api import Application


def routes(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one array.")] = False,
    compiled: Annotated[
        bool, typer.Option("--compiled", help="Say of each whether it runs compiled, or why on FastAPI.")
    ] = False,
    audit: Annotated[
        bool,
        typer.Option(
            "--audit",
            help="Say of each which roles may call it, by the database or, without one, by the modules' grants.",
        ),
    ] = False,
) -> None:
    """List every route: method, path, permission, module."""
    from xumi.api import create_app
    from xumi.cli.terminal import print_table, settings_in_force

    app = create_app(settings_in_force())
    app.check()
    found = sorted(
        ((route.path, method, route) for route in app.table.routes for method in route.methods or ()),
        key=lambda each: each[:2],
    )
    rows: list[dict[str, Any]] = [
        {"method": method, "path": path, "permission": route.policy.permission or "public"}
        | {"module": route.feature}
        | ({"runs": app.how_it_runs(route)} if compiled else {})
        for path, method, route in found
    ]
    granted = _granted(app) if audit else {}
    for row in rows if audit else []:
        row["roles"] = [role for role, codes in granted.items() if _may_call(row["permission"], codes)]
    if as_json:
        import json

        print(json.dumps(rows, indent=2))
        return
    for row in rows if audit else []:
        allowed = row.pop("roles")
        # The sign keeps a role apart from a column of the same name.
        row |= {f"@{role}": "yes" if role in allowed else "-" for role in granted}
    head = [name if name.startswith("@") else name.upper() for name in rows[0]]
    print_table([head, *(list(row.values()) for row in rows)])


def _may_call(permission: str, granted: Set[str]) -> bool:
    return permission == "public" or permission in granted or EVERYTHING in granted


def _granted(app: "Application") -> Mapping[str, frozenset[str]]:
    """What each role grants, by name of the role."""
    import asyncio
    import sys

    granted = asyncio.run(_read_granted(app))
    if granted is None:
        print("xumi: there is no database that is up to date: these are the modules' grants", file=sys.stderr)
        granted = app.resources.declared_grants()
    return dict(sorted(granted.items()))


async def _read_granted(app: "Application") -> Mapping[str, frozenset[str]] | None:
    """What the database says; None where it does not answer or lacks migrations."""
    from xumi.kernel.db.revisions import heads_reached
    from xumi.modules.access.service import read_roles

    resources = app.resources
    try:
        with resources.context("routes"):
            if await resources.database.ping() and await heads_reached(resources.database.read.runner):
                return (await read_roles()).granted
        return None
    finally:
        await resources.database.close()
