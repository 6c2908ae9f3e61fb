"""Requests to every route of the live table, with input that is good enough to come to the handler."""

import re
from collections.abc import Mapping
from typing import Any

from tests.security.declared import OBJECTS, Object
from tests.security.examples import Examples
from tests.security.inputs import find_input, make_secrets
from tests.security.world import Call, World
from xumi.kernel.http.router import Route

UNKNOWN_ID = "0" * 26
_WHERE = "tests/security/declared.py"


class Routes:
    """The routes of an application, and requests to them."""

    def __init__(self, world: World) -> None:
        self.world = world
        self.examples = Examples(world.document["components"]["schemas"])
        self.all: list[Route] = sorted(
            world.app.table.routes, key=lambda route: (route.path, route.label.split(" ")[0])
        )

    def operation(self, route: Route) -> Mapping[str, Any]:
        """What the documentation says about a route; nothing about the documentation's own."""
        (method,) = route.methods or ()
        found: Mapping[str, Any] = (
            self.world.document["paths"].get(route.path_format, {}).get(method.lower(), {})
        )
        return found

    def body_schema(self, route: Route) -> Any:
        """The schema of a JSON body, or None."""
        content = self.operation(route).get("requestBody", {}).get("content", {})
        return content.get("application/json", {}).get("schema")

    def parameters(self, route: Route) -> list[tuple[str, str]]:
        """Where ids stand and under which name: every parameter of the path, and what is called an id elsewhere."""
        found = [("path", name) for name in re.findall(r"{(\w+)", route.path)]
        for parameter in self.operation(route).get("parameters", ()):
            if parameter["in"] == "query":
                names = self.examples.object_names(parameter["schema"], parameter["name"])
                found += [("query", name) for name in sorted(names)]
        if (schema := self.body_schema(route)) is not None:
            found += [("body", name) for name in sorted(self.examples.object_names(schema))]
        return found

    def find_object(self, route: Route, place: str, name: str) -> tuple[str, Object]:
        """The declaration of what a parameter names, and its key.

        Raises:
            LookupError: there is none; the message says which line to add.
        """
        if place == "path":
            upto = route.path[: re.search(rf"{{{name}[^}}]*}}", route.path).end()]  # type: ignore[union-attr]
            # Of several parameters a whole path is about the last.
            keys = [upto] if "{" in route.path.removeprefix(upto) else [route.label, route.path, upto]
        else:
            keys = [f"{route.label} {name}"]
        for key in keys:
            if key in OBJECTS:
                return key, OBJECTS[key]
        raise LookupError(
            f"{route.label} takes an id, {name!r} in its {place}, of which {_WHERE} does not say whose object it names. "
            f'Add to OBJECTS: "{keys[-1]}": Object(<maker>), or Object(<maker>, shared=True) where everybody with '
            f"the permission {route.policy.permission or '(none: public)'} may name any."
        )

    async def make_objects(self) -> None:
        """Make the owner's objects, one for each declaration that a route uses; `world.ids` holds their ids, `world.secrets` what
        was sent to somebody."""
        for route in self.all:
            for place, name in self.parameters(route):
                key, found = self.find_object(route, place, name)
                if found.make is not None and key not in self.world.ids:
                    self.world.ids[key] = await found.make(self.world)
        await make_secrets(self.world)

    def build(self, route: Route, others: Mapping[str, str] | None = None, *, optional: bool = False) -> Call:
        """A request that names the owner's objects.

        Args:
            route: which route.
            others: ids to put in the place of the owner's, by parameter.
            optional: whether the body has the fields too that may be left out.
        """
        (method,) = route.methods or ()
        keys = {at: self.find_object(route, *at)[0] for at in self.parameters(route)}
        ids = {at: self.world.ids[key] for at, key in keys.items() if key in self.world.ids}
        ids = {(place, name): (others or {}).get(name, value) for (place, name), value in ids.items()}
        given = find_input(self.world, route.label)
        path = re.sub(r"{(\w+)[^}]*}", lambda found: ids["path", found[1]], route.path)
        query = {name: value for (place, name), value in ids.items() if place == "query"} | given.query
        for parameter in self.operation(route).get("parameters", ()):
            if parameter["in"] == "query" and parameter.get("required") and parameter["name"] not in query:
                query[parameter["name"]] = self.examples.make(parameter["schema"], {}, parameter["name"])
        schema = self.body_schema(route)
        if schema is None:
            return Call(method, path, query, given.headers, content=given.content)
        known = {name: value for (place, name), value in ids.items() if place == "body"} | given.body
        resolved = self.examples.resolve(schema)
        name = resolved.get("title", "").lower() if resolved.get("type") == "array" else ""
        body = self.examples.make(schema, known, name, optional=optional)
        return Call(method, path, query, given.headers, body, has_body=True)
