"""Declaring and finding routes."""

from types import FunctionType

import pytest

from xumi.kernel.errors import StartError
from xumi.kernel.http.router import Router, RouteTable, get_router


async def handler() -> None:
    """Does nothing."""


def table(*paths: str, methods: tuple[str, ...] = ("GET",)) -> RouteTable:
    router = Router()
    for path in paths:
        router.add_api_route(path, handler, methods=list(methods), public=True)
    return RouteTable(router.routes)


def found(routes: RouteTable, path: str, method: str = "GET") -> tuple[str | None, dict[str, object]]:
    route, parameters, _ = routes.find(method, path)
    return route and route.path, parameters


def test_static_parameter_and_converter_paths_are_found() -> None:
    routes = table(
        "/a",
        "/a/{id}",
        "/a/{id}/b",
        "/a/{id}/b/{other}",
        "/files/{path:path}",
        "/n/{n:int}",
        "/x/{name}.json",
    )
    assert found(routes, "/a") == ("/a", {})
    assert found(routes, "/a/7") == ("/a/{id}", {"id": "7"})
    assert found(routes, "/a/7/b") == ("/a/{id}/b", {"id": "7"})
    assert found(routes, "/a/7/b/8") == ("/a/{id}/b/{other}", {"id": "7", "other": "8"})
    assert found(routes, "/files/a/b/c.txt") == ("/files/{path:path}", {"path": "a/b/c.txt"})
    assert found(routes, "/n/12") == ("/n/{n:int}", {"n": 12})
    assert found(routes, "/x/y.json") == ("/x/{name}.json", {"name": "y"})


@pytest.mark.parametrize("path", ["/b", "/a/", "/a//b", "/a/7/c", "/n/x", "/", "", "//a"])
def test_other_paths_are_not_found(path: str) -> None:
    assert table("/a", "/a/{id}", "/a/{id}/b", "/n/{n:int}").find("GET", path) == (None, {}, set())


def test_a_fixed_segment_wins_over_a_parameter_in_any_order() -> None:
    assert found(table("/u/{id}", "/u/me"), "/u/me") == ("/u/me", {})
    assert found(table("/u/{id}/x", "/u/me/y"), "/u/me/x") == ("/u/{id}/x", {"id": "me"})


def test_a_wrong_method_tells_the_right_ones() -> None:
    routes = table("/a", "/a/{id}", "/x/{name}.json", methods=("GET", "PUT"))
    for path in ("/a", "/a/7", "/x/y.json"):
        assert routes.find("DELETE", path) == (None, {}, {"GET", "PUT"})


def test_a_route_declares_its_access() -> None:
    router = Router()
    with pytest.raises(StartError, match=r"GET /open: declare either permission=… or public=True"):
        router.get("/open")(handler)
    with pytest.raises(StartError, match=r"GET /both"):
        router.get("/both", public=True, permission="a:b")(handler)
    with pytest.raises(StartError, match="article:publish"):
        router.get("/odd", permission="Everything!")(handler)


def test_two_routes_cannot_answer_one_path() -> None:
    with pytest.raises(StartError, match=r"GET /a/\{other\}"):
        table("/a/{id}", "/a/{other}")


def test_the_prefix_follows_from_the_file() -> None:
    def prefix(name: str) -> str:
        # A function whose module has this name, as a feature's `api.py` would.
        return str(
            FunctionType(
                (lambda: get_router()).__code__, {"__name__": name, "get_router": get_router}
            )().prefix
        )

    assert prefix("xumi.modules.article.api") == "/api/v1/article"
    assert prefix("modules.article.api.v2") == "/api/v2/article"
    with pytest.raises(StartError, match="prefix"):
        prefix("modules.article.api.admin")
    with pytest.raises(StartError, match="prefix"):
        prefix("modules.article.service")
    assert get_router(prefix="/things").prefix == "/things"


def test_a_rate_limit_that_cannot_be_read_names_the_route() -> None:
    with pytest.raises(StartError, match="GET /a"):
        Router().get("/a", public=True, rate_limit="often")(handler)


def test_a_trailing_parameter_is_found_beside_longer_and_fixed_paths() -> None:
    routes = table("/a/{x}", "/a/{x}/b", "/a/fixed", "/{y}/c")
    assert found(routes, "/a/1") == ("/a/{x}", {"x": "1"})
    assert found(routes, "/a/c") == ("/a/{x}", {"x": "c"})
    assert found(routes, "/b/c") == ("/{y}/c", {"y": "b"})
    assert found(routes, "/a/1/b") == ("/a/{x}/b", {"x": "1"})
    assert found(routes, "/a/fixed") == ("/a/fixed", {})
    assert routes.find("PUT", "/a/1") == (None, {}, {"GET"})
