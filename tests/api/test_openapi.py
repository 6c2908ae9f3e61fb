"""The OpenAPI document and its pages."""

import re
from pathlib import Path
from typing import Any

import httpx
import pytest

from xumi.api import create_app
from xumi.kernel.config import Settings
from xumi.kernel.http.envelope import Envelope
from xumi.kernel.http.openapi import build_document
from xumi.kernel.testing.client import open_client

pytestmark = pytest.mark.anyio


def settings(directory: Path, **values: Any) -> Settings:
    return Settings(app_env="test", database_url=f"sqlite:///{directory}/test.db", **values)


async def get(directory: Path, path: str, **values: Any) -> httpx.Response:
    """One call of an application that has not been started: these pages need no database."""
    async with open_client(create_app(settings(directory, **values))) as client:
        return await client.get(path)


async def test_every_route_is_documented_with_envelope_errors_and_access(tmp_path: Path) -> None:
    app = create_app(settings(tmp_path))
    document = build_document(app.fastapi, app.table, Envelope())
    for route in app.table.routes:
        if not route.include_in_schema:
            continue
        for method in route.methods or ():
            operation = document["paths"][route.path_format][method.lower()]
            assert operation["responses"]["default"]["content"]["application/json"]["schema"] == {
                "$ref": "#/components/schemas/Error"
            }
            assert operation["security"] == (
                [] if route.policy.public else [{"Bearer": []}, {"BasicToken": []}, {"ApiKey": []}]
            )
            for status, response in operation["responses"].items():
                schema = response.get("content", {}).get("application/json", {}).get("schema", {})
                if status.startswith("2") and schema:
                    assert {"code", "message", "data"} == set(schema["properties"]), (route.label, schema)
    assert set(document["components"]["securitySchemes"]) == {"Bearer", "BasicToken", "ApiKey"}


async def test_operation_ids_are_unique(tmp_path: Path) -> None:
    document = (await get(tmp_path, "/openapi.json")).json()
    ids = [operation["operationId"] for path in document["paths"].values() for operation in path.values()]
    assert len(ids) == len(set(ids))


@pytest.mark.parametrize("page", ["/docs", "/apidocs", "/apidocs/"])
async def test_the_pages_need_nothing_from_outside(tmp_path: Path, page: str) -> None:
    response = await get(tmp_path, page)
    assert response.status_code == 200
    links = re.findall(r'(?:src|href)="([^"]+)"', response.text)
    assert links
    for link in links:
        assert link.startswith("/"), link
        asset = await get(tmp_path, link)
        assert asset.status_code == 200
        assert len(asset.content) > 100
    assert "default-src 'self'" in response.headers["Content-Security-Policy"]


async def test_an_asset_is_found_by_its_name_only(tmp_path: Path) -> None:
    assert (await get(tmp_path, "/docs/assets/core.py")).status_code == 404
    assert (await get(tmp_path, "/docs/assets/..%2fcore.py")).status_code == 404


@pytest.mark.parametrize("path", ["/docs", "/apidocs", "/openapi.json", "/docs/assets/swagger-ui.css"])
async def test_the_documentation_can_be_turned_off(tmp_path: Path, path: str) -> None:
    assert (await get(tmp_path, path, docs_enabled=False)).status_code == 404
