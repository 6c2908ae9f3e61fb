"""FastAPI declares, Xumi executes: a route's declaration compiled to one closure at its first request.

The closure takes what is valid: it reads parameters, validates the body from its bytes, runs dependencies and the handler,
and sends the answer. Whatever it does not take (a value that does not validate, a body that is no JSON) it hands to FastAPI's
own path, before any dependency has run; so every error is FastAPI's, to the letter. A declaration that it does not
understand is left to FastAPI entirely (`Uncompilable` says why; `xumi routes --compiled` lists them).
"""

import inspect
from collections.abc import Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from types import CoroutineType
from typing import Any

from fastapi import BackgroundTasks
from fastapi.concurrency import run_in_threadpool
from fastapi.datastructures import DefaultPlaceholder
from fastapi.dependencies.models import (
    Dependant,
    _get_cache_key,
    _get_computed_scope,
    _get_oauth_scopes,
    _is_async_gen_callable,
    _is_coroutine_callable,
    _is_gen_callable,
)
from fastapi.params import Body, File, Form
from fastapi.security import SecurityScopes
from pydantic_core import from_json
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Message, Receive, Scope, Send

from xumi.kernel.http.execution import (
    HIDDEN_RESPONSE,
    Handler,
    Uncompilable,
    join_body,
    json_headers,
    may_be_lax,
    receive_body,
    replay,
    send_answer,
)
from xumi.kernel.http.parameters import Miss, Parameters

Render = Callable[[Any, Response | None], tuple[int, bytes | None]]
Answer = tuple[int, list[tuple[bytes, bytes]], bytes | None, Response | None]
"""Status, headers and body; or a response that the handler has made itself."""

Answering = Callable[[Any, Response | None], Answer]

_SAME_FROM_TEXT = frozenset(
    (
        *("any", "none", "bool", "int", "str", "date", "time", "datetime", "timedelta", "uuid"),
        *("literal", "enum", "nullable", "default", "list", "set", "frozenset", "tuple", "dict"),
        *("model", "model-fields", "model-field", "typed-dict", "typed-dict-field", "tagged-union"),
        *("dataclass", "dataclass-args", "dataclass-field", "definitions", "definition-ref", "no-info"),
        *("function-after", "function-before", "function-wrap"),
    )
)
"""Kinds of pydantic-core schemas that make the same of JSON text as of the objects that it stands for."""
_NO_SCHEMA = frozenset(("metadata", "serialization", "computed_fields", "default", "expected", "members"))


class _Call:
    """What one request has so far: parameters, results of dependencies, and the objects that it shares."""

    __slots__ = ("background", "request", "response", "results", "scope", "stacks", "values")

    def __init__(self, values: list[dict[str, Any]], results: int) -> None:
        self.values = values
        self.results: list[Any] = [None] * results
        self.request: Request | None = None
        self.response: Response | None = None
        self.background: BackgroundTasks | None = None
        self.stacks: dict[str, AsyncExitStack] | None = None


class _Step:
    """One dependency, or the handler: which parameters, which results and which shared objects it takes."""

    __slots__ = ("call", "dependant", "index", "kind", "place", "results", "scope", "scopes")

    def __init__(self, dependant: Dependant, index: int, place: int, results: list[tuple[str, int]]) -> None:
        call = dependant.call
        if call is None or dependant.concurrency is not None:
            raise Uncompilable(f"{dependant.name}: a dependency with a limit of its own")
        if _is_gen_callable(call):
            raise Uncompilable(f"{dependant.name}: a dependency that yields in a thread")
        self.call: Callable[..., Any] = asynccontextmanager(call) if _is_async_gen_callable(call) else call
        self.kind = (
            "yield" if _is_async_gen_callable(call) else "await" if _is_coroutine_callable(call) else "thread"
        )
        self.dependant = dependant
        self.scope = _get_computed_scope(dependant=dependant) or ""
        self.scopes = _get_oauth_scopes(dependant=dependant) if dependant.security_scopes_param_name else []
        self.index, self.place, self.results = index, place, results

    def arguments(self, call: _Call) -> dict[str, Any]:
        """The keyword arguments of this step."""
        values = call.values[self.index]
        for name, place in self.results:
            values[name] = call.results[place]
        dependant = self.dependant
        if dependant.request_param_name:
            values[dependant.request_param_name] = call.request
        if dependant.http_connection_param_name:
            values[dependant.http_connection_param_name] = call.request
        if dependant.response_param_name:
            values[dependant.response_param_name] = call.response
        if dependant.background_tasks_param_name:
            values[dependant.background_tasks_param_name] = call.background
        if dependant.security_scopes_param_name:
            values[dependant.security_scopes_param_name] = SecurityScopes(scopes=[*self.scopes])
        return values

    async def run(self, call: _Call) -> Any:
        """Call it as FastAPI would."""
        arguments = self.arguments(call)
        if self.kind == "await":
            return await self.call(**arguments)
        if self.kind == "thread":
            return await run_in_threadpool(self.call, **arguments)
        assert call.stacks is not None
        return await call.stacks[self.scope].enter_async_context(self.call(**arguments))


class _Steps:
    """A dependant tree in the order in which FastAPI solves it: dependencies first, each once where it may be shared."""

    def __init__(self, dependant: Dependant) -> None:
        self.steps: list[_Step] = []
        self.parameters: list[Parameters] = []
        self.results = 0
        self._shared: dict[Any, int] = {}
        self.handler = self._add(dependant)
        dependants = [step.dependant for step in (*self.steps, self.handler)]
        self.needs_request = any(d.request_param_name or d.http_connection_param_name for d in dependants)
        self.needs_response = any(d.response_param_name for d in dependants)
        self.needs_background = any(d.background_tasks_param_name for d in dependants)
        self.yields = any(step.kind == "yield" for step in self.steps)
        shared = self.needs_request or self.needs_response or self.needs_background
        self.are_plain = not (self.steps or shared or dependant.security_scopes_param_name)

    def _add(self, dependant: Dependant) -> _Step:
        results = self._add_dependencies(dependant)
        self.parameters.append(Parameters(dependant))
        return _Step(dependant, len(self.parameters) - 1, -1, results)

    def _add_dependencies(self, dependant: Dependant) -> list[tuple[str, int]]:
        results = []
        for child in dependant.dependencies:
            if child.name == HIDDEN_RESPONSE:
                continue
            key = _get_cache_key(dependant=child)
            place = self._shared.get(key) if child.use_cache else None
            if place is None:
                step = self._add(child)
                step.place = place = self.results
                self.results += 1
                self.steps.append(step)
                self._shared.setdefault(key, place)
            else:
                # What a shared dependency stands on, FastAPI solves again each time: what is not shared runs again.
                self._add_dependencies(child)
            if child.name is not None:
                results.append((child.name, place))
        return results

    def open(self, scope: Scope, request: Request | None) -> _Call:
        """Read all parameters, of dependencies too.

        Raises:
            Exception: one of them does not validate.
        """
        call = _Call([parameters.read(scope) for parameters in self.parameters], self.results)
        call.request = request
        if self.needs_response:
            call.response = Response()
            del call.response.headers["content-length"]
            call.response.status_code = None  # type: ignore[assignment]
        if self.needs_background:
            call.background = BackgroundTasks()
        return call

    async def solve(self, call: _Call) -> None:
        """Run the dependencies."""
        for step in self.steps:
            call.results[step.place] = await step.run(call)


def compile_route(route: Any, endpoint: Callable[..., Any], render: Render, fallback: Handler) -> Handler:
    """One closure that answers a route's requests.

    Args:
        route: the FastAPI route.
        endpoint: its handler, as it was declared.
        render: makes status and body of what the handler returned and of the `Response` that it took.
        fallback: FastAPI's own path, for requests that the closure does not take.

    Raises:
        Uncompilable: the declaration has a part that is left to FastAPI.
    """
    _refuse(route, endpoint)
    validate_body, body_name = _compile_body(route)
    # The route's dependant calls the handler through FastAPI's wrapper; here it is called itself.
    steps = _Steps(route.dependant)
    handler = steps.handler
    answer = _answering(render)
    is_async = inspect.iscoroutinefunction(endpoint)
    if is_async and validate_body is None and steps.are_plain:
        return _compile_plain(steps.parameters[handler.index], endpoint, answer, fallback)

    async def execute(scope: Scope, receive: Receive, send: Send) -> None:
        request = Request(scope, receive, send) if steps.needs_request else None
        messages = await receive_body(receive) if validate_body is not None else []
        try:
            if validate_body is not None:
                body = _take_json(scope, messages)
                if may_be_lax(body):
                    raise Miss
                value = validate_body(body)
                if request is not None:
                    request._body = body
            call = steps.open(scope, request)
            if validate_body is not None:
                call.values[handler.index][body_name] = value
        except Exception:
            # It does not validate, or a validator has a bug: FastAPI comes to the same, after the dependencies.
            call = None
        if call is None:
            await fallback(scope, replay(messages, receive) if messages else receive, send)
        elif steps.yields:
            await _run_with_stacks(call, run, scope, receive, send)
        else:
            await _send(await run(call), call.background, scope, receive, send)

    async def run(call: _Call) -> Answer:
        if steps.steps:
            await steps.solve(call)
        arguments = handler.arguments(call)
        result = await endpoint(**arguments) if is_async else await run_in_threadpool(endpoint, **arguments)
        # `return paginate_query(…)` without `await` is allowed.
        if isinstance(result, CoroutineType):
            result = await result
        return answer(result, call.response)

    return execute


def _compile_plain(
    parameters: Parameters, endpoint: Callable[..., Any], answer: Answering, fallback: Handler
) -> Handler:
    """The same for a handler that takes nothing but parameters."""

    async def execute_plainly(scope: Scope, receive: Receive, send: Send) -> None:
        try:
            values = parameters.read(scope)
        except Exception:
            values = None
        if values is None:
            await fallback(scope, receive, send)
        else:
            result = await endpoint(**values)
            if isinstance(result, CoroutineType):
                result = await result
            await _send(answer(result, None), None, scope, receive, send)

    return execute_plainly


def _answering(render: Render) -> Answering:
    """What turns a handler's result, and the `Response` that it was given, into an answer."""

    def answer(result: Any, declared: Response | None) -> Answer:
        if isinstance(result, Response):
            return 0, [], None, result
        status, content = render(result, declared)
        return status, declared.raw_headers if declared is not None else [], content, None

    return answer


async def _run_with_stacks(
    call: _Call, run: Callable[[_Call], Awaitable[Answer]], scope: Scope, receive: Receive, send: Send
) -> None:
    """Run dependencies and handler; the dependencies end after the handler, or after the response."""
    answer, sent = None, False
    async with AsyncExitStack() as until_sent:
        async with AsyncExitStack() as until_done:
            call.stacks = {"request": until_sent, "function": until_done}
            answer = await run(call)
        if answer is not None:
            await _send(answer, call.background, scope, receive, send)
            sent = True
    if not sent:
        raise RuntimeError("a dependency with yield has caught an error: it must raise it again, or another")


async def _send(
    answer: Answer, background: BackgroundTasks | None, scope: Scope, receive: Receive, send: Send
) -> None:
    status, headers, content, response = answer
    if response is not None:
        if response.background is None:
            response.background = background
        await response(scope, receive, send)
        return
    if content is not None and not headers:
        await send_answer(send, status, content)
    else:
        if content is not None:
            headers = [*json_headers(content), *headers]
        await send({"type": "http.response.start", "status": status, "headers": headers})
        await send({"type": "http.response.body", "body": content or b""})
    if background is not None:
        await background()


def _refuse(route: Any, endpoint: Callable[..., Any]) -> None:
    """Leave to FastAPI what a closure would do in another way."""
    if inspect.isgeneratorfunction(endpoint) or inspect.isasyncgenfunction(endpoint):
        raise Uncompilable("the handler streams")
    if not isinstance(route.response_class, DefaultPlaceholder):
        raise Uncompilable("a response class of its own")
    if route.max_body_size is not None:
        raise Uncompilable("max_body_size; body_limit_bytes does the same")
    if route.dependency_overrides_provider is not None:
        raise Uncompilable("dependencies that can be overridden")


def _compile_body(route: Any) -> tuple[Callable[[bytes], Any] | None, str]:
    """What validates the body from its bytes, and the handler's parameter that takes it."""
    if route.body_field is None:
        return None, ""
    fields = route.dependant.body_params
    if len(fields) != 1 or route._embed_body_fields:
        raise Uncompilable("several body parameters")
    if any(child.body_params for child in _descendants(route.dependant)):
        raise Uncompilable("a dependency that takes the body")
    (field,) = fields
    info = field.field_info
    if isinstance(info, (Form, File)) or not isinstance(info, Body):
        raise Uncompilable("a form")
    if not info.is_required():
        raise Uncompilable("a body that may be left out")
    adapter = field._type_adapter
    if _reads_text_alike(adapter.core_schema):
        return adapter.validate_json, field.name
    # FastAPI validates objects. Strict types, unions, decimals and others would take other values from the text.
    return lambda body: adapter.validate_python(from_json(body), from_attributes=True), field.name


_NESTED = (dict, list, tuple)


def _reads_text_alike(schema: Any) -> bool:
    """Whether pydantic makes the same of JSON text by this core schema as of the objects that it stands for."""
    if isinstance(schema, list | tuple):
        return all(_reads_text_alike(item) for item in schema if isinstance(item, _NESTED))
    if schema.get("strict") is True or schema.get("coerce_numbers_to_str") is True:
        return False
    # Without a type it is a table of fields, which have any names.
    kind = schema.get("type")
    if not isinstance(kind, str):
        return all(_reads_text_alike(part) for part in schema.values() if isinstance(part, _NESTED))
    return kind in _SAME_FROM_TEXT and all(
        _reads_text_alike(part)
        for name, part in schema.items()
        if isinstance(part, _NESTED) and name not in _NO_SCHEMA
    )


def _descendants(dependant: Dependant) -> list[Dependant]:
    found = []
    for child in dependant.dependencies:
        found += [child, *_descendants(child)]
    return found


def _take_json(scope: Scope, messages: list[Message]) -> bytes:
    """The whole body.

    Raises:
        Miss: it has not come to its end, or FastAPI may not take it for JSON, by the first content type that there is.
    """
    content_type = b""
    for name, value in scope["headers"]:
        if name == b"content-type":
            content_type = value
            break
    if content_type != b"application/json":
        kind, _, subtype = content_type.split(b";")[0].strip().lower().partition(b"/")
        if (
            kind != b"application"
            or b"/" in subtype
            or not (subtype == b"json" or subtype.endswith(b"+json"))
        ):
            raise Miss
    if messages[-1]["type"] == "http.disconnect":
        raise Miss
    return join_body(messages)
