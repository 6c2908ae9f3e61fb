"""The one middleware: everything that happens to every request, in the order in which it happens.

    id, context → admission → route → rate limit → identity, permission → body limit → handler
      → COMMIT → headers → bytes → access log, metrics

It is pure ASGI. The only other code on a request's way is FastAPI's own route.
"""

from __future__ import annotations

import asyncio
from base64 import b64decode
from binascii import Error as Base64Error
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgspec
from fastapi import __version__ as fastapi_version
from starlette.types import ASGIApp, Receive, Scope, Send

from xumi.kernel import log, metrics
from xumi.kernel.auth.apikey import PREFIX as API_KEY_PREFIX
from xumi.kernel.auth.principal import Principal
from xumi.kernel.context import activate, current, deactivate
from xumi.kernel.errors import APICode, APIException, StartError
from xumi.kernel.http.client_address import client_ip, rate_limit_caller
from xumi.kernel.http.deadline import Deadlines
from xumi.kernel.http.draining import stop_gently
from xumi.kernel.http.envelope import Failure
from xumi.kernel.http.exchange import Exchange
from xumi.kernel.http.execution import Handler, Uncompilable, refuse_nul
from xumi.kernel.http.failure import choose_locale, translate
from xumi.kernel.http.idempotency import OnceHandler
from xumi.kernel.http.response_headers import ResponseHeaders
from xumi.kernel.http.router import Route, RouteTable
from xumi.kernel.http.wire import Wire
from xumi.kernel.ratelimit import Rule

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

_PREFLIGHT_SECONDS = b"600"
_CHALLENGE = {"WWW-Authenticate": 'Bearer realm="xumi"'}


class Pipeline:
    """The ASGI application that a server runs.

    Args:
        resources: what this process holds; opened and closed by the server's lifespan events.
        table: the routes.
        fastapi: the application that declares them; handlers see it as `request.app`.
    """

    def __init__(self, resources: Resources, table: RouteTable, fastapi: ASGIApp) -> None:
        settings = resources.settings
        self.resources = resources
        self.table = table
        self.fastapi = fastapi
        self._decisions = resources.decisions
        self._in_flight = 0
        self._deadlines = Deadlines()
        self._capacity = settings.max_concurrent_requests
        self._body_limit = settings.request_body_limit_bytes
        self._deadline = settings.request_deadline_seconds
        self._limits = settings.rate_limit_enabled
        self._default_rule = Rule.parse("RATE_LIMIT_DEFAULT", settings.rate_limit_default)
        self._trusted = settings.trusted_proxies
        self._response_headers, self._wire = ResponseHeaders(resources), Wire()
        self.uncompiled: dict[str, str] = {}
        self._handlers: dict[int, Handler] = {}

    def check(self) -> None:
        """Make what each route needs for its requests, which the first one to it does otherwise.

        Raises:
            StartError: a declaration is wrong; the message names the route.
        """
        for route in self.table.routes:
            try:
                route.check()
                self.how_it_runs(route)
            except StartError:
                raise
            except Exception as error:
                raise StartError(
                    f"{route.label} of {route.feature}: {type(error).__name__}: {error}"
                ) from error

    def _make_handler(self, route: Route) -> Handler:
        """A route's way to run, once for each key where it is idempotent."""
        handler = self._choose_handler(route)
        if route.policy.idempotent:
            handler = OnceHandler(route.label, handler, self._render)
        self._handlers[id(route)] = handler
        return handler

    def _choose_handler(self, route: Route) -> Handler:
        """A route's way to run: compiled where it can be. What compiles leans on FastAPI's insides, which may change."""
        route.analyse()
        if not self.resources.settings.compile_routes:
            return route.run_on_fastapi
        try:
            return route.compile()
        except Uncompilable as error:
            self.uncompiled[route.label] = str(error)
        except (ImportError, AttributeError, TypeError) as error:
            reason = f"routes cannot be compiled for FastAPI {fastapi_version}"
            if reason not in self.uncompiled.values():
                log.logger.warning(f"{reason}: all run on its own path, which is slower", error=error)
            self.uncompiled[route.label] = reason
        return route.run_on_fastapi

    def how_it_runs(self, route: Route) -> str:
        """`compiled`, or `FastAPI: ` and the reason."""
        if not self.resources.settings.compile_routes:
            return "FastAPI: COMPILE_ROUTES is off"
        if id(route) not in self._handlers:
            self._make_handler(route)
        reason = self.uncompiled.get(route.label)
        return "compiled" if reason is None else f"FastAPI: {reason}"

    async def _live(self, receive: Receive, send: Send) -> None:
        await receive()
        try:
            await self.resources.start()
            stop_gently(self.resources)
        except Exception as error:
            log.logger.exception("start failed")
            await self.resources.close()
            await send({"type": "lifespan.startup.failed", "message": str(error)})
            return
        await send({"type": "lifespan.startup.complete"})
        await receive()
        await self.resources.close()
        await send({"type": "lifespan.shutdown.complete"})

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] == "lifespan":
            await self._live(receive, send)
            return
        if scope["type"] != "http":
            # No feature speaks websocket; an unknown door stays shut.
            await send({"type": "websocket.close", "code": 1008})
            return
        ip, headers, wire = self._find_client(scope), self._response_headers, self._wire
        exchange = Exchange(self.resources, ip, headers, wire, scope, receive, send)
        token = activate(exchange.context)
        self._in_flight += 1
        metrics.IN_FLIGHT.inc()
        try:
            await self._answer(exchange)
        except Exception as error:
            await self._fail(exchange, error)
        finally:
            if (unit_of_work := exchange.context.unit_of_work) is not None:
                await unit_of_work.close()
            self._in_flight -= 1
            metrics.IN_FLIGHT.dec()
            exchange.record()
            deactivate(token)

    async def _answer(self, exchange: Exchange) -> None:
        """Let the request in, and run its handler until the first byte of the response within the deadline."""
        if self._in_flight > self._capacity:
            raise APIException(APICode.OVERLOADED, headers={"Retry-After": "1"})
        scope, context = exchange.scope, exchange.context
        method: str = scope["method"]
        route, scope["path_params"], allowed = self.table.find(method, scope["path"])
        if route is None and method == "HEAD":
            route, scope["path_params"], allowed = self.table.find("GET", scope["path"])
        if route is None:
            await self._answer_unrouted(exchange, allowed)
            return
        exchange.route = route
        context.route = route.path
        policy = route.policy
        rule = self._default_rule if policy.rate_limit is None else policy.rate_limit
        if policy.public:
            self._limit(rule, rate_limit_caller(context.ip))
        else:
            try:
                context.principal = principal = self._authenticate(exchange.headers, context.ip)
            except APIException:
                self._limit(rule, rate_limit_caller(context.ip))
                raise
            self._limit(rule, principal.user_id)
            if not self.resources.access.allows(principal, policy.permission or ""):
                raise APIException(APICode.FORBIDDEN)
            if self._decisions is not None:
                await self._decisions.require(
                    principal.user_id, policy.permission or "", route.path, scope["method"]
                )
        if "\0" in scope["path"] or b"%00" in scope["query_string"]:
            refuse_nul(scope)
        if route.takes_json:
            exchange.expect_json()
        exchange.limit_body(self._body_limit if policy.body_limit_bytes is None else policy.body_limit_bytes)
        scope["app"], scope["route"], scope["endpoint"] = self.fastapi, route, route.endpoint
        deadline = self._deadlines.start(policy.deadline_seconds or self._deadline, exchange.started_at)
        exchange.deadline = deadline
        try:
            handler = self._handlers.get(id(route)) or self._make_handler(route)
            await handler(scope, exchange.receive, exchange)
        except asyncio.CancelledError:
            if not deadline.expired or not deadline.withdraw():
                raise
            code = APICode.DEADLINE_EXCEEDED if exchange.body_complete else APICode.REQUEST_TIMEOUT
            raise APIException(code, headers={"Connection": "close"}) from None
        finally:
            deadline.stop()

    async def _answer_unrouted(self, exchange: Exchange, allowed: set[str]) -> None:
        self._limit(self._default_rule, rate_limit_caller(exchange.context.ip))
        if not allowed:
            raise APIException(APICode.ROUTE_NOT_FOUND)
        methods = ", ".join(sorted(allowed | {"OPTIONS"} | ({"HEAD"} if "GET" in allowed else set())))
        if exchange.scope["method"] != "OPTIONS":
            raise APIException(APICode.METHOD_NOT_ALLOWED, headers={"Allow": methods})
        headers = [(b"allow", methods.encode()), (b"content-length", b"0")]
        if exchange.headers.get(b"origin") in self._response_headers.origins:
            headers += [
                (b"access-control-allow-methods", methods.encode()),
                (
                    b"access-control-allow-headers",
                    b"Authorization, Content-Type, Idempotency-Key, X-Request-ID",
                ),
                (b"access-control-max-age", _PREFLIGHT_SECONDS),
            ]
        await exchange({"type": "http.response.start", "status": 204, "headers": headers})
        await exchange({"type": "http.response.body", "body": b""})

    def _limit(self, rule: Rule | bool, caller: str) -> None:
        if not self._limits or not isinstance(rule, Rule):
            return
        refusal = self.resources.limiter.hit(rule, caller)
        if refusal is not None:
            raise APIException(
                APICode.RATE_LIMITED, headers=refusal.headers(), seconds=refusal.retry_after_seconds
            )

    def _authenticate(self, headers: Mapping[bytes, bytes], ip: str) -> Principal:
        """The caller by `Bearer <token or API key>`, by HTTP Basic with that as user name, or by `X-API-Key`."""
        authorization = headers.get(b"authorization")
        if authorization is None:
            if (key := headers.get(b"x-api-key")) is None:
                raise APIException(APICode.UNAUTHENTICATED, headers=_CHALLENGE)
            return self._check_key(key.decode("latin-1"), ip)
        scheme, _, credentials = authorization.decode("latin-1").partition(" ")
        # Only HTTP's own white space: a token has one spelling.
        scheme, token = scheme.lower(), credentials.strip(" \t")
        if scheme == "basic":
            try:
                token = b64decode(token, validate=True).decode().partition(":")[0]
            except (Base64Error, UnicodeDecodeError):
                raise APIException(APICode.TOKEN_INVALID, headers=_CHALLENGE) from None
        elif scheme != "bearer":
            raise APIException(APICode.UNAUTHENTICATED, headers=_CHALLENGE)
        try:
            return self.resources.access.check(self.resources.tokens.verify(token))
        except APIException as error:
            # Looked at only now, so that access tokens, which most requests bring, do not pay for it.
            if token.startswith(API_KEY_PREFIX):
                return self._check_key(token, ip)
            error.headers.update(_CHALLENGE)
            raise

    def _check_key(self, key: str, ip: str) -> Principal:
        try:
            return self.resources.api_keys.check(key, ip)
        except APIException as error:
            if error.code.status == 401:
                error.headers.update(_CHALLENGE)
            raise

    async def _fail(self, exchange: Exchange, error: Exception) -> None:
        """Answer with the error, or, where the response has begun, tell the log and cut it off."""
        exception = translate(error)
        if exception is None:
            log.logger.exception(
                "unhandled error", error=error, method=exchange.scope["method"], route=exchange.context.route
            )
            message = f"{type(error).__name__}: {error}" if self.resources.settings.debug else None
            exception = APIException(APICode.INTERNAL, message)
        elif exception.code.status >= 500:
            log.logger.warning(
                "request failed", code=exception.code.number, reason=repr(error.__cause__ or error)
            )
        metrics.ERRORS.labels(str(exception.code.number)).inc()
        if exchange.started:
            return
        if (unit_of_work := exchange.context.unit_of_work) is not None:
            await unit_of_work.rollback()
        status, headers, body = self._render(exchange.scope, exception)
        await exchange({"type": "http.response.start", "status": status, "headers": headers})
        await exchange({"type": "http.response.body", "body": body})

    def _render(self, scope: Scope, exception: APIException) -> tuple[int, list[tuple[bytes, bytes]], bytes]:
        context, wanted = current(), dict(scope["headers"])
        context.locale = choose_locale(wanted.get(b"accept-language", b"").decode("latin-1"))
        failure = Failure(
            status=exception.code.status,
            code=exception.code.number,
            name=exception.code.name,
            message=exception.text(context.locale),
            request_id=context.request_id,
            method=scope["method"],
            path=scope["path"],
            errors=exception.errors,
        )
        body: Any
        if b"application/problem+json" in wanted.get(b"accept", b""):
            status, body, media_type = failure.status, failure.problem(), b"application/problem+json"
        else:
            (status, body), media_type = self.resources.envelope.failure(failure), b"application/json"
        encoded = msgspec.json.encode(body)
        headers = [
            (name.lower().encode("latin-1"), value.encode("latin-1"))
            for name, value in exception.headers.items()
        ]
        headers += [
            (b"content-type", media_type),
            (b"content-length", str(len(encoded)).encode()),
            (b"vary", b"Accept, Accept-Language"),
        ]
        return status, headers, encoded

    def _find_client(self, scope: Scope) -> str:
        """The client's address."""
        peer = scope["client"][0] if scope.get("client") else ""
        if not self._trusted:
            return peer
        return client_ip(peer, (v for k, v in scope["headers"] if k == b"x-forwarded-for"), self._trusted)
