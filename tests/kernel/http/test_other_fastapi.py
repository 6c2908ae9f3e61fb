"""A FastAPI whose insides have changed: everything is served all the same, by its own path, and the log says so."""

import importlib
import sys
from typing import Any

import pytest
from fastapi import _compat

from tests.kernel.http.conftest import Serve
from xumi.kernel.http.router import Router
from xumi.kernel.log import capture

OURS = ("xumi.kernel.http.compiled", "xumi.kernel.http.parameters")


def hello() -> Router:
    router = Router()

    @router.get("/hello/{name}", public=True)
    async def greet(name: str, times: int = 1) -> str:
        return name * times

    return router


def changed(**_: Any) -> Any:
    """Takes other arguments than the function that it stands for."""
    raise TypeError("unexpected keyword argument 'dependant'")


@pytest.fixture(params=["a name is gone", "a function takes something else"])
def other_fastapi(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """FastAPI with a change in what compiling leans on; its own modules have taken these functions already."""
    for name in OURS:
        importlib.import_module(name)
        monkeypatch.delitem(sys.modules, name)
    if request.param == "a name is gone":
        monkeypatch.delattr(_compat, "get_cached_model_fields")
    else:
        monkeypatch.setattr(_compat, "field_annotation_is_sequence", changed)


@pytest.mark.usefixtures("other_fastapi")
async def test_routes_run_on_fastapi_and_one_warning_tells(serve: Serve) -> None:
    with capture() as lines:
        async with serve(hello()) as client:
            answer = await client.get("/hello/ab?times=2")
            runs = client.app.how_it_runs(client.app.table.routes[0])
    assert (answer.status_code, answer.json()["data"]) == (200, "abab")
    assert runs.startswith("FastAPI: routes cannot be compiled for FastAPI 0.")
    warnings = [line for line in lines if line["level"] == "warning"]
    assert len(warnings) == 1
    assert "all run on its own path, which is slower" in warnings[0]["message"]


async def test_with_the_fastapi_that_is_installed_they_are_compiled(serve: Serve) -> None:
    with capture() as lines:
        async with serve(hello()) as client:
            assert client.app.how_it_runs(client.app.table.routes[0]) == "compiled"
    assert [line for line in lines if line["level"] == "warning"] == []
