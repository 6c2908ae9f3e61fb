"""Every column of every table, sent along with every body: nothing is written that the route's schema does not declare.

Bodies that change something refuse what they do not know (422), and the refusal names each field. What is sent along as a query
parameter is passed over.
"""

import copy
from dataclasses import replace
from typing import Any

import pytest

from tests.security.calls import Routes
from tests.security.inputs import find_input
from tests.security.rows import Rows, find_changes
from tests.security.world import World
from xumi.kernel.db.model import ModelBase
from xumi.kernel.http.router import Route

pytestmark = [pytest.mark.anyio, pytest.mark.timeout(120)]

# Bodies that pass over what they do not know, reviewed. All others refuse it.
PASSES_OVER: set[str] = set()

# What would do harm where it was taken.
MARK = "1njected"
SENT: dict[str, Any] = {
    "id": f"{MARK}00000000000000000",
    "role": "admin",
    "roles": ["admin"],
    "permissions": ["*"],
    "grants": ["*"],
    "is_admin": True,
    "is_superuser": True,
    "enabled": False,
    "epoch": 4711,
    "created_by": MARK,
    "__class__": MARK,
    "__proto__": {"roles": ["admin"]},
}


def camel(name: str) -> str:
    first, *rest = name.split("_")
    return first + "".join(part.title() for part in rest)


def injected() -> dict[str, Any]:
    """Every column of every table in both spellings, and what people try besides."""
    fields = dict(SENT)
    for table in ModelBase.metadata.tables.values():
        for column in table.columns:
            for name in (column.name, camel(column.name)):
                fields.setdefault(name, f"{MARK}-{column.name}")
    return fields


def taking_bodies(routes: Routes) -> list[Route]:
    return [route for route in routes.all if routes.body_schema(route) is not None]


def reach(value: Any, path: tuple[str | int, ...]) -> Any:
    """The part of a value that lies at the end of a path.

    Raises:
        LookupError: it is not there, because the input in `declared.py` leaves a list empty.
    """
    for step in path:
        value = value[step]
    return value


def marked(rows: Rows) -> list[str]:
    """The columns that hold something which was sent along."""
    return [
        f"{table}.{column}"
        for table, entries in rows.items()
        for row in entries.values()
        for column, value in row.items()
        if MARK in str(value) or value == SENT["epoch"]
    ]


def by_place(rows: Rows) -> Rows:
    """The rows by their place in the table: what is new has another key each time."""
    return {
        table: {(place,): row for place, row in enumerate(entries.values())}
        for table, entries in rows.items()
    }


async def test_bodies_refuse_fields_that_they_do_not_declare(world: World, routes: Routes) -> None:
    wrong, refuse = [], set()
    before = world.rows()
    for route in taking_bodies(routes):
        call = routes.build(route, optional=True)
        for path, schema in routes.examples.objects(routes.body_schema(route)):
            # The names of such an object are values: any will do.
            if isinstance(schema.get("additionalProperties"), dict):
                continue
            extra = [field for field in injected().items() if field[0] not in schema.get("properties", {})]
            # A refusal names 50 fields at most.
            for part in (dict(extra[start : start + 50]) for start in range(0, len(extra), 50)):
                body = copy.deepcopy(call.body)
                reach(body, path).update(part)
                answer = await world.send(replace(call, body=body), "admin")
                if answer.status_code == 422:
                    named = {error["field"].rpartition(".")[2] for error in answer.json()["errors"]}
                    refuse.add(route.label)
                    if named != part.keys():
                        wrong.append(f"{route.label} {path}: refused are {named}, not {set(part)}")
                elif route.label not in PASSES_OVER:
                    wrong.append(f"{route.label} {path}: {answer.status_code}, not 422")
            after = world.rows()
            changes = find_changes(before, after)
            if written := marked(after):
                wrong.append(f"{route.label} {path}: wrote {written}")
            elif changes and route.label not in PASSES_OVER:
                wrong.append(f"{route.label} {path}: refused, and wrote {changes}")
            if changes:
                world.reset()
    assert not wrong, "\n".join(wrong)
    assert len(refuse) >= 9


async def test_what_is_sent_along_in_the_query_changes_nothing(world: World, routes: Routes) -> None:
    """The same rows with it as without it, but for those columns that two requests without it write differently."""
    wrong = []
    for route in routes.all:
        if route.methods == {"GET"}:
            continue
        call = routes.build(route)
        written = []
        for extra in ({}, {}, {name: str(value) for name, value in injected().items()}):
            answer = await world.send(
                replace(call, query=extra | call.query), find_input(world, route.label).caller
            )
            if found := marked(world.rows()):
                wrong.append(f"{route.label}: wrote {found}")
            if extra and answer.status_code == 422:
                # Some refuse what they do not know: there is nothing to compare.
                world.reset()
                continue
            # Somebody's own session is not the administrator's.
            assert answer.is_success or answer.status_code == 404, (route.label, answer.text)
            written.append(by_place(world.rows()))
            world.reset()
        volatile, changed = find_changes(*written[:2]), find_changes(written[1], written[-1])
        for table, columns in changed.items():
            if more := columns - volatile.get(table, set()):
                wrong.append(f"{route.label}: wrote {more} of {table}")
    assert not wrong, "\n".join(wrong)
