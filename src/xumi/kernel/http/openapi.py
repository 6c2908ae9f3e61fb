"""The OpenAPI document, and its pages, which work without the internet."""

import asyncio
import importlib.resources
import inspect
from collections.abc import Callable
from typing import Any

import msgspec
from fastapi import FastAPI
from fastapi.openapi.docs import get_swagger_ui_html
from starlette.responses import Response

from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.envelope import Envelope, Failure
from xumi.kernel.http.router import Route, Router, RouteTable
from xumi.kernel.http.structs import add_schemas

_ASSETS = {
    "swagger-ui-bundle.js": "text/javascript",
    "swagger-ui.css": "text/css",
    "favicon.png": "image/png",
}
# The pages' scripts start inline; everything else comes from here only.
_PAGE_CSP = "default-src 'self'; script-src 'self' 'unsafe-inline'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"
_SECURITY = {
    "Bearer": {
        "type": "http",
        "scheme": "bearer",
        "bearerFormat": "JWT",
        "description": "The access token of POST /auth/login, or an API key.",
    },
    "BasicToken": {
        "type": "http",
        "scheme": "basic",
        "description": "The access token as user name, no password.",
    },
    "ApiKey": {
        "type": "apiKey",
        "in": "header",
        "name": "X-API-Key",
        "description": "A key of POST /auth/api-keys, for machines.",
    },
}
_IDEMPOTENCY_KEY = {
    "name": "Idempotency-Key",
    "in": "header",
    "required": False,
    "description": "Names this request. Sent again with the same key, it does not happen again and gets the first answer, with "
    "the header `Idempotency-Replayed: true`. Kept for 24 hours.",
    "schema": {"type": "string", "minLength": 1, "maxLength": 255, "pattern": "^[!-~]+$"},
}
_IDEMPOTENCY_REFUSALS = {
    "409": "The request with this Idempotency-Key is still running (40903), or another conflict.",
    "422": "This Idempotency-Key was used for another request (42201), or some values are not valid.",
}
_SAMPLE_DATA = "<data>"


def documentation_router(build: Callable[[], bytes]) -> Router:
    """`/openapi.json`, `/docs`, `/apidocs` and their assets. `build` gives the document's bytes; it may take its time, in a thread."""
    router = Router(tags=["documentation"], include_in_schema=False)

    @router.get("/openapi.json", public=True, response_class=Response)
    async def get_openapi() -> Response:
        return Response(await asyncio.to_thread(build), media_type="application/json")

    @router.get("/docs", public=True, response_class=Response)
    @router.get("/apidocs", public=True, response_class=Response)
    @router.get("/apidocs/", public=True, response_class=Response)
    async def get_docs() -> Response:
        page = get_swagger_ui_html(
            openapi_url="/openapi.json",
            title="API",
            swagger_js_url="/docs/assets/swagger-ui-bundle.js",
            swagger_css_url="/docs/assets/swagger-ui.css",
            swagger_favicon_url="/docs/assets/favicon.png",
            swagger_ui_parameters={"persistAuthorization": True},
        )
        page.headers["Content-Security-Policy"] = _PAGE_CSP
        return page

    @router.get("/docs/assets/{name}", public=True, rate_limit=False, response_class=Response)
    async def get_asset(name: str) -> Response:
        if name not in _ASSETS:
            raise APIException(APICode.NOT_FOUND)
        content = (importlib.resources.files("fastapi_offline") / "static" / name).read_bytes()
        return Response(content, media_type=_ASSETS[name], headers={"Cache-Control": "public, max-age=86400"})

    return router


def build_document(fastapi: FastAPI, table: RouteTable, envelope: Envelope) -> dict[str, Any]:
    """FastAPI's document with what Xumi adds: the envelope, the error shape, who may call."""
    document = fastapi.openapi()
    components = document.setdefault("components", {})
    components["securitySchemes"] = _SECURITY
    components.setdefault("schemas", {})["Error"] = _error_schema(envelope)
    # FastAPI's own shape of validation errors is not what we answer.
    for name in ("HTTPValidationError", "ValidationError"):
        components["schemas"].pop(name, None)
    add_schemas(
        document,
        {
            (route.path_format, method): route.structs
            for route in table.routes
            for method in route.methods or ()
        },
    )
    _restore_nulls(components["schemas"])
    for route in table.routes:
        for method in route.methods or ():
            operation = document["paths"].get(route.path_format, {}).get(method.lower())
            if operation is not None:
                _complete(operation, route, envelope)
    return document


def _restore_nulls(schemas: dict[str, Any]) -> None:
    """FastAPI leaves nulls out of examples: of the fields that must be there, those that are not were null."""
    for schema in schemas.values():
        for example in schema.get("examples", ()):
            if isinstance(example, dict):
                for name in schema.get("required", ()):
                    example.setdefault(name, None)


def _complete(operation: dict[str, Any], route: Route, envelope: Envelope) -> None:
    responses = operation["responses"]
    for status, response in list(responses.items()):
        content = response.get("content", {}).get("application/json")
        if status.startswith("2") and content is not None:
            schema = {"type": "null"} if _returns_nothing(route) else content.get("schema", {})
            content["schema"] = _success_schema(envelope, int(status), schema)
            # A route's own example is of its data, as its schema is.
            if "example" in content:
                declared = {str(key): part for key, part in route.responses.items()}[status]
                example = declared["content"]["application/json"]["example"]
                _, body = envelope.success(int(status), example)
                content["example"] = msgspec.to_builtins(body)
    if "HTTPValidationError" in str(responses.get("422")):
        del responses["422"]
    responses["default"] = {
        "description": "An error; its code is explained in the list of errors.",
        "content": {"application/json": {"schema": {"$ref": "#/components/schemas/Error"}}},
    }
    if route.policy.idempotent:
        operation.setdefault("parameters", []).append(_IDEMPOTENCY_KEY)
        responses |= {
            status: {**responses["default"], "description": text}
            for status, text in _IDEMPOTENCY_REFUSALS.items()
        }
    if route.policy.public:
        operation["security"] = []
    else:
        operation["security"] = [{"Bearer": []}, {"BasicToken": []}, {"ApiKey": []}]
        operation["x-permission"] = route.policy.permission
        note = f"Permission: `{route.policy.permission}`"
        operation["description"] = f"{operation.get('description', '')}\n\n{note}".strip()


def _returns_nothing(route: Route) -> bool:
    return route.response_model is None and (
        inspect.signature(route.declared_endpoint, eval_str=True).return_annotation in (None, type(None))
    )


def _success_schema(envelope: Envelope, status: int, data: dict[str, Any]) -> dict[str, Any]:
    """The schema of a success body, read off what the envelope makes of a sample."""
    _, body = envelope.success(status, _SAMPLE_DATA)
    return _schema_of(msgspec.to_builtins(body), data)


def _error_schema(envelope: Envelope) -> dict[str, Any]:
    sample = Failure(
        422, 42200, "VALIDATION_FAILED", "Some values are not valid.", "0" * 32, "POST", "/things"
    )
    _, body = envelope.failure(sample)
    schema = _schema_of(msgspec.to_builtins(body), {})
    field = {"type": "object", "properties": {"field": {"type": "string"}, "reason": {"type": "string"}}}
    schema.get("properties", {})["errors"] = {"type": "array", "items": field}
    return schema


def _schema_of(value: Any, data: dict[str, Any]) -> dict[str, Any]:
    if value == _SAMPLE_DATA:
        return data
    if isinstance(value, dict):
        properties = {name: _schema_of(item, data) for name, item in value.items()}
        return {"type": "object", "properties": properties, "required": list(properties)}
    if value is None:
        return {"type": "null"}
    kind = {bool: "boolean", int: "integer", float: "number", list: "array"}.get(type(value), "string")
    return {"type": kind, "examples": [value]}
