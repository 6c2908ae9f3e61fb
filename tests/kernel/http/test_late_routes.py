"""Routes are read when they are first needed; a wrong one is found by `check`, and takes no other along."""

import threading
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from fastapi.dependencies.models import Dependant

from tests.kernel.http.conftest import Serve
from xumi.kernel.errors import StartError
from xumi.kernel.http.router import Route, Router
from xumi.kernel.log import capture
from xumi.kernel.schema import InputSchema


class Unknown:
    """Nothing that pydantic could validate."""


class Note(InputSchema):
    text: str


def notes() -> Router:
    router = Router()

    @router.post("/notes", public=True)
    async def add(note: Note) -> str:
        return note.text

    @router.post("/wrong", public=True)
    async def take(wrong: list[Unknown]) -> None: ...

    return router


async def test_its_first_request_reads_a_route(serve: Serve) -> None:
    router = notes()
    add, _ = router.routes
    async with serve(router) as client:
        assert "dependant" not in vars(add)
        assert not Note.__pydantic_complete__
        assert (await client.post("/notes", json={"text": "a"})).json()["data"] == "a"
        assert isinstance(vars(add)["dependant"], Dependant)
        assert (await client.post("/notes", json={"text": 1})).json()["errors"][0]["field"] == "text"


async def test_a_wrong_declaration_is_a_fault_of_its_own_route_only(serve: Serve) -> None:
    router = notes()
    async with serve(router) as client:
        with pytest.raises(StartError, match=r"POST /wrong of .*Unknown"):
            client.app.check()
        for _ in range(2):
            with capture() as lines:
                assert (await client.post("/wrong", json=[])).status_code == 500
            assert (
                "Unknown" in next(line for line in lines if line["message"] == "unhandled error")["exception"]
            )
        assert (await client.post("/notes", json={"text": "a"})).status_code == 200


def test_a_route_says_what_it_lacks() -> None:
    route = notes().routes[0]
    with pytest.raises(AttributeError, match="'Route' object has no attribute 'colour'"):
        route.colour  # noqa: B018


def test_threads_that_come_at_once_read_a_route_once(monkeypatch: pytest.MonkeyPatch) -> None:
    route, threads = notes().routes[0], 8
    read: list[Route] = []
    analyse, together = Route._analyse, threading.Barrier(threads)

    def count(self: Route, options: dict[str, Any]) -> None:
        read.append(self)
        analyse(self, options)

    def ask() -> tuple[Any, bool]:
        together.wait()
        return route.dependant, route.takes_json

    monkeypatch.setattr(Route, "_analyse", count)
    with ThreadPoolExecutor(threads) as pool:
        found = [each.result() for each in [pool.submit(ask) for _ in range(threads)]]
    assert read == [route]
    assert {id(dependant) for dependant, _ in found} == {id(route.dependant)}
    assert {takes_json for _, takes_json in found} == {True}
