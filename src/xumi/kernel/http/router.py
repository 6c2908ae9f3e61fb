"""Where features declare endpoints, and how a request finds its own.

Endpoints are ordinary FastAPI. What is added: every route says who may call it (`permission=` or `public=True`), and may
have its own rate limit, body limit and deadline. The handler returns data; the envelope is put around it here.
"""

import functools
import inspect
import re
import sys
import threading
from collections.abc import Awaitable, Callable, Iterable
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from types import CoroutineType
from typing import Any, cast

import msgspec
from fastapi import APIRouter, Depends
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import DefaultPlaceholder
from fastapi.params import Form
from fastapi.routing import APIRoute
from pydantic import TypeAdapter
from pydantic_core import to_json
from starlette.responses import FileResponse, Response, StreamingResponse
from starlette.types import Receive, Scope, Send

from xumi.kernel.auth import is_permission
from xumi.kernel.context import current
from xumi.kernel.errors import StartError
from xumi.kernel.http.adapters import check_fields, share_adapters, spare_old_pydantic
from xumi.kernel.http.execution import HIDDEN_RESPONSE, Handler, check_json, join_body, receive_body, replay
from xumi.kernel.http.structs import encode_answer, find_structs
from xumi.kernel.ratelimit import Rule

_JSON = "application/json"

share_adapters()
spare_old_pydantic()


@dataclass(frozen=True, slots=True)
class Policy:
    """What a route asks of a request before its handler runs.

    Attributes:
        permission: the code that the caller must hold; None on public routes.
        public: anybody may call.
        rate_limit: a rule of its own; None counts under the default rule, False is not counted.
        body_limit_bytes: the largest body; None for the default.
        deadline_seconds: until the first response byte; None for the default.
        idempotent: a request with a header `Idempotency-Key` happens once.
    """

    permission: str | None = None
    public: bool = False
    rate_limit: Rule | bool | None = None
    body_limit_bytes: int | None = None
    deadline_seconds: float | None = None
    idempotent: bool = False


async def _shared_response(response: Response) -> Response:
    """The `Response` that FastAPI hands to those dependencies and handlers that take one."""
    return response


_encode_json = msgspec.json.Encoder().encode
# The document is written in a thread, while requests arrive.
_analysing = threading.RLock()


class Route(APIRoute):
    """A FastAPI route with a policy; `feature` is the name of the module that declared it.

    FastAPI analyses it when something asks for more than its path, methods and policy: its first request, a document, `check`.
    """

    _options: dict[str, Any] | None = None

    def __init__(self, path: str, endpoint: Callable[..., Any], **options: Any) -> None:
        self.policy = Policy()
        self.feature = ""
        self.declared_endpoint = endpoint
        self.path = path
        self.methods = {method.upper() for method in options.get("methods") or ("GET",)}
        self.summary = options.get("summary")
        self._options = options

    def __getattr__(self, name: str) -> Any:
        self.analyse()
        try:
            return vars(self)[name]
        except KeyError:
            raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}") from None

    def analyse(self) -> None:
        """Let FastAPI read the declaration, unless it has.

        Raises:
            Exception: it cannot be read; the message says what of it.
        """
        with _analysing:
            # Meanwhile FastAPI finds the attributes that it has set, and no others.
            options, self._options = self._options, None
            if options is not None:
                try:
                    self._analyse(dict(options))
                    options = None
                finally:
                    # What is wrong now is wrong the next time.
                    self._options = options

    def _analyse(self, options: dict[str, Any]) -> None:
        path, endpoint = self.path, self.declared_endpoint
        streams = inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint)
        self._generates = streams
        wraps_data = isinstance(options.get("response_class"), DefaultPlaceholder) and not streams
        self.structs = find_structs(endpoint, path)
        if self.structs.body is not None and not wraps_data:
            raise StartError(f"{path}: a handler that takes a msgspec struct returns data, no stream.")
        if self.structs.answer is not None and isinstance(options.get("response_model"), DefaultPlaceholder):
            options["response_model"] = None
        super().__init__(path, self._answering(endpoint) if wraps_data else endpoint, **options)
        if self.policy.idempotent and self.streams:
            raise StartError(
                f"{self.label}: a stream cannot be idempotent, because its answer is remembered."
            )
        if self.structs.body is not None and self.body_field is not None:
            raise StartError(f"{path}: a handler that takes a msgspec struct takes no other body.")
        takes_form = self.body_field is not None and isinstance(self.body_field.field_info, Form)
        self.takes_json = self.structs.body is not None or (self.body_field is not None and not takes_form)

    def check(self) -> None:
        """Build all that its requests will need, which its first one does otherwise.

        Raises:
            Exception: the declaration cannot be read, or pydantic cannot validate a part of it; the message says which.
        """
        self.analyse()
        check_fields(self)
        _ = self._adapter

    @functools.cached_property
    def _adapter(self) -> TypeAdapter[Any] | None:
        """What validates and encodes answers."""
        return None if self.response_model is None else TypeAdapter(self.response_model)

    @property
    def streams(self) -> bool:
        """Whether it declares to answer with a stream or a file."""
        kinds = [
            self.response_class,
            inspect.signature(self.declared_endpoint, eval_str=True).return_annotation,
        ]
        return self._generates or any(
            isinstance(kind, type) and issubclass(kind, StreamingResponse | FileResponse) for kind in kinds
        )

    @property
    def label(self) -> str:
        """`METHOD /path`, for messages."""
        return f"{'/'.join(sorted(self.methods or ()))} {self.path}"

    def compile(self) -> Handler:
        """The route as one closure.

        Raises:
            Uncompilable: it is left to FastAPI; the message says why.
            ImportError: this version of FastAPI is not the one that routes compile for.
        """
        from xumi.kernel.http.compiled import compile_route

        return compile_route(self, self.declared_endpoint, self._render, self.run_on_fastapi)

    async def run_on_fastapi(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer on FastAPI's own path.

        Raises:
            APIException: a JSON body is no text that could be stored or sent.
        """
        if self.takes_json and self.structs.body is None:
            messages = await receive_body(receive)
            check_json(join_body(messages))
            receive = replay(messages, receive)
        async with AsyncExitStack() as files:
            scope["fastapi_middleware_astack"] = files
            await self.app(scope, receive, send)

    def _answering(self, endpoint: Callable[..., Any]) -> Callable[..., Awaitable[Response]]:
        """The endpoint for FastAPI, returning a finished response instead of data."""
        is_async = inspect.iscoroutinefunction(endpoint)
        signature = self.structs.signature

        @functools.wraps(endpoint)
        async def answer(**values: Any) -> Response:
            declared = values.pop(HIDDEN_RESPONSE)
            result = await endpoint(**values) if is_async else await run_in_threadpool(endpoint, **values)
            # `return paginate_query(…)` without `await` is allowed.
            if isinstance(result, CoroutineType):
                result = await result
            if isinstance(result, Response):
                return result
            status, content = self._render(result, declared)
            response = Response(content, status, media_type=None if content is None else _JSON)
            response.raw_headers.extend(declared.raw_headers)
            return response

        kind, default = inspect.Parameter.KEYWORD_ONLY, Depends(_shared_response)
        hidden = inspect.Parameter(HIDDEN_RESPONSE, kind, default=default)
        parameters = [*signature.parameters.values(), hidden]
        answer.__signature__ = signature.replace(parameters=parameters)  # type: ignore[attr-defined]
        return answer

    def _render(self, result: Any, declared: Response | None) -> tuple[int, bytes | None]:
        """Status and body of what a handler returned. `declared` is the `Response` on which it may have set a status."""
        status = (declared and declared.status_code) or self.status_code or 200
        data: object = result
        if status == 204:
            data = None
        elif isinstance(result, msgspec.Raw):
            # JSON already: what is remembered need not be encoded each time.
            pass
        elif not isinstance(result, msgspec.Struct) or self.structs.answer not in (None, type(result)):
            data = msgspec.Raw(self._encode(result))
        status, body = current().resources.envelope.success(status, data)
        # An envelope may give a body even to what has no data; these two never have one.
        return status, None if status in (204, 304) else _encode_json(body)

    def _encode(self, result: Any) -> bytes:
        if self.structs.answer is not None:
            return encode_answer(result, self.structs.answer)
        if self._adapter is None:
            return to_json(result)
        value = self._adapter.validate_python(result, from_attributes=True)
        return self._adapter.dump_json(
            value,
            include=self.response_model_include,
            exclude=self.response_model_exclude,
            by_alias=self.response_model_by_alias,
            exclude_unset=self.response_model_exclude_unset,
            exclude_defaults=self.response_model_exclude_defaults,
            exclude_none=self.response_model_exclude_none,
        )


Declare = Callable[[Callable[..., Any]], Callable[..., Any]]


class Router:
    """Where a feature declares its endpoints; made by `get_router()`.

    Args:
        prefix: put before every path.
        options: what FastAPI's own router takes: `tags`, `dependencies`, `responses`, `include_in_schema` …
    """

    def __init__(self, prefix: str = "", **options: Any) -> None:
        self.prefix = prefix
        self._router = APIRouter(prefix=prefix, route_class=Route, **options)

    @property
    def routes(self) -> list[Route]:
        """What has been declared so far, in order."""
        return [route for route in self._router.routes if isinstance(route, Route)]

    def add_api_route(
        self,
        path: str,
        endpoint: Callable[..., Any],
        *,
        permission: str | None = None,
        public: bool = False,
        rate_limit: str | bool | None = None,
        body_limit_bytes: int | None = None,
        deadline_seconds: float | None = None,
        idempotent: bool = False,
        **options: Any,
    ) -> None:
        """Declare a route.

        Args:
            path: below the router's prefix, with `{parameters}`.
            endpoint: the handler.
            permission: who may call: whoever holds this code, such as `article:publish`.
            public: anybody may call.
            rate_limit: a limit of its own, `10/minute`; False does not count its calls.
            body_limit_bytes: the largest body.
            deadline_seconds: the longest time until the first byte of the response.
            idempotent: a request that is sent again with the same `Idempotency-Key` gets the answer of the first.
            options: what FastAPI takes: `methods`, `status_code`, `summary`, `responses` …

        Raises:
            StartError: it declares neither a permission nor `public=True`, or both, or a rate limit that cannot be read; or it
                is idempotent and public. What FastAPI makes of it shows at its first request, and in `xumi doctor`.
        """
        self._router.add_api_route(path, endpoint, **options)
        route = cast(Route, self._router.routes[-1])
        if permission is not None and not is_permission(permission):
            raise StartError(f"{route.label}: permission {permission!r} must look like article:publish.")
        if (permission is None) != public:
            raise StartError(f"{route.label}: declare either permission=… or public=True on this route.")
        rule = Rule.parse(route.label, rate_limit) if isinstance(rate_limit, str) else rate_limit
        if idempotent and public:
            raise StartError(
                f"{route.label}: a public route cannot be idempotent, because keys belong to the caller who is signed in."
            )
        route.policy = Policy(permission, public, rule, body_limit_bytes, deadline_seconds, idempotent)

    def api_route(self, path: str, **options: Any) -> Declare:
        """Declare a route for the `methods` given; what it takes stands at `add_api_route`."""

        def declare(endpoint: Callable[..., Any]) -> Callable[..., Any]:
            self.add_api_route(path, endpoint, **options)
            return endpoint

        return declare

    def get(self, path: str, **options: Any) -> Declare:
        """Declare a GET route; what it takes stands at `add_api_route`."""
        return self.api_route(path, methods=["GET"], **options)

    def post(self, path: str, **options: Any) -> Declare:
        """Declare a POST route; what it takes stands at `add_api_route`."""
        return self.api_route(path, methods=["POST"], **options)

    def put(self, path: str, **options: Any) -> Declare:
        """Declare a PUT route; what it takes stands at `add_api_route`."""
        return self.api_route(path, methods=["PUT"], **options)

    def patch(self, path: str, **options: Any) -> Declare:
        """Declare a PATCH route; what it takes stands at `add_api_route`."""
        return self.api_route(path, methods=["PATCH"], **options)

    def delete(self, path: str, **options: Any) -> Declare:
        """Declare a DELETE route; what it takes stands at `add_api_route`."""
        return self.api_route(path, methods=["DELETE"], **options)


def get_router(prefix: str | None = None, *, tags: list[str] | None = None) -> Router:
    """A router for the module that calls this, in a variable named `router`.

    Args:
        prefix: where its paths hang; by default `/api/v1/<feature>` in `api.py` and `/api/<file>/<feature>` in `api/v2.py`.
        tags: the group in the API documentation; the feature's name by default.

    Raises:
        StartError: the module is not `api.py` or `api/v<N>.py`, so that no prefix can be derived.
    """
    module = sys._getframe(1).f_globals["__name__"].split(".")
    inside_api = module[module.index("api", 1) + 1 :] if "api" in module[1:] else None
    feature = module[module.index("api", 1) - 1] if inside_api is not None else module[-1]
    if prefix is None:
        version = inside_api[0] if inside_api else "v1"
        if inside_api is None or not re.fullmatch(r"v\d+", version):
            raise StartError(
                f"{'.'.join(module)}: give its router a prefix, as in get_router(prefix='/things')."
            )
        prefix = f"/api/{version}/{feature}"
    return Router(prefix=prefix, tags=tags or [feature])


@dataclass(slots=True)
class _Node:
    """One path segment: what may follow it, and the routes that end here by method."""

    children: dict[str, "_Node"] = field(default_factory=dict)
    parameter: "_Node | None" = None
    routes: dict[str, Route] = field(default_factory=dict)


class RouteTable:
    """All routes, found in time that does not grow with their number.

    Fixed segments win over parameters: `/users/me` is found before `/users/{id}`, in whichever order they were declared.

    Raises:
        StartError: two routes answer the same method and path, or one declares no access.
    """

    def __init__(self, routes: Iterable[Route]) -> None:
        self.routes = list(routes)
        self._static: dict[str, dict[str, Route]] = {}
        # Most paths with a parameter end with it: what stands before it, and by method the route and its parameter's name.
        self._trailing: dict[str, dict[str, tuple[Route, str]]] = {}
        self._tree = _Node()
        self._patterns: list[Route] = []
        seen: dict[tuple[str, str], Route] = {}
        for route in self.routes:
            if not route.policy.public and route.policy.permission is None:
                raise StartError(f"{route.label}: declare either permission=… or public=True on this route.")
            shape = re.sub(r"{[^}]*}", "{}", route.path)
            for method in route.methods or ():
                if (other := seen.setdefault((method, shape), route)) is not route:
                    raise StartError(
                        f"{route.label} of {route.feature} is declared by {other.feature} already."
                    )
            self._insert(route)

    def _insert(self, route: Route) -> None:
        if "{" not in route.path:
            self._static.setdefault(route.path, {}).update(dict.fromkeys(route.methods or (), route))
            return
        segments = route.path.split("/")[1:]
        if any("{" in s and not re.fullmatch(r"{\w+}", s) for s in segments):
            self._patterns.append(route)
            return
        node = self._tree
        for segment in segments:
            if segment.startswith("{"):
                node.parameter = node.parameter or _Node()
                node = node.parameter
            else:
                node = node.children.setdefault(segment, _Node())
        node.routes.update(dict.fromkeys(route.methods or (), route))
        parent, _, last = route.path.rpartition("/")
        if "{" not in parent:
            found = dict.fromkeys(route.methods or (), (route, last[1:-1]))
            self._trailing.setdefault(parent, {}).update(found)

    def find(self, method: str, path: str) -> tuple[Route | None, dict[str, Any], set[str]]:
        """The route, its path parameters, and, where only the method is wrong, the methods that the path takes."""
        if (routes := self._static.get(path)) is not None:
            if (route := routes.get(method)) is not None:
                return route, {}, set()
            return None, {}, set(routes)
        parent, _, last = path.rpartition("/")
        if last and (ending := self._trailing.get(parent)) is not None and method in ending:
            route, name = ending[method]
            return route, {name: last}, set()
        if (node := self._descend(self._tree, path.split("/")[1:], 0)) is not None:
            if (route := node.routes.get(method)) is not None:
                pairs = zip(route.path.split("/")[1:], path.split("/")[1:], strict=True)
                return route, {name[1:-1]: value for name, value in pairs if name[:1] == "{"}, set()
            return None, {}, set(node.routes)
        return self._match(method, path)

    def _descend(self, node: _Node, segments: list[str], depth: int) -> _Node | None:
        if depth == len(segments):
            return node if node.routes else None
        segment = segments[depth]
        if (child := node.children.get(segment)) and (found := self._descend(child, segments, depth + 1)):
            return found
        if node.parameter is not None and segment:
            return self._descend(node.parameter, segments, depth + 1)
        return None

    def _match(self, method: str, path: str) -> tuple[Route | None, dict[str, Any], set[str]]:
        """Routes with converters or with text beside a parameter, in the order of declaration."""
        allowed: set[str] = set()
        for route in self._patterns:
            if match := route.path_regex.match(path):
                if method in (route.methods or ()):
                    parameters = {
                        k: route.param_convertors[k].convert(v) for k, v in match.groupdict().items()
                    }
                    return route, parameters, set()
                allowed |= route.methods or set()
        return None, {}, allowed
