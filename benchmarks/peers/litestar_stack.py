"""Litestar with its own stack: msgspec structs, its JWT backend, a guard, its Prometheus and CORS middleware.

The statement is built once and runs on SQLAlchemy's core, without the ORM. The rate limit is counted in a middleware of its
own, in this peer's favour: Litestar's keeps the time of every request of the last minute and reads all of them for the next.
Reads DATABASE_URL and JWT_SECRET_KEY.
"""

import logging
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import msgspec
from limits import parse
from limits.storage import MemoryStorage
from limits.strategies import FixedWindowRateLimiter
from litestar import Litestar, get
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.datastructures import MutableScopeHeaders
from litestar.enums import ScopeType
from litestar.exceptions import NotFoundException, PermissionDeniedException, TooManyRequestsException
from litestar.handlers import BaseRouteHandler
from litestar.middleware import ASGIMiddleware
from litestar.params import Parameter
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.security.jwt import JWTAuth, Token
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy import bindparam, func, select
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.peers.model import User as UserRow
from benchmarks.peers.model import UserRole

URL = (
    os.environ["DATABASE_URL"]
    .replace("postgresql:", "postgresql+asyncpg:")
    .replace("sqlite:", "sqlite+aiosqlite:")
)
engine = create_async_engine(URL, pool_size=16, max_overflow=0, isolation_level="AUTOCOMMIT")
limiter = FixedWindowRateLimiter(MemoryStorage())
RULE = parse("1000000000/minute")
SECURITY_HEADERS = {
    "X-Content-Type-Options": "nosniff",
    "X-Frame-Options": "DENY",
    "Referrer-Policy": "no-referrer",
}
ROLES = (
    select(func.aggregate_strings(UserRole.role, ","))
    .where(UserRole.user_id == UserRow.id)
    .correlate(UserRow)
    .scalar_subquery()
)
USERS = select(
    *(UserRow.id, UserRow.username, UserRow.email, ROLES, UserRow.enabled),
    *(UserRow.last_login_at, UserRow.created_at, UserRow.updated_at),
)
PAGE = USERS.order_by(UserRow.id.desc()).limit(bindparam("size")).offset(bindparam("start"))
ONE = USERS.where(UserRow.id == bindparam("user_id"))
TOTAL = select(func.count()).select_from(UserRow)
encode = msgspec.json.Encoder().encode

access_log = logging.getLogger("access")
access_log.addHandler(logging.StreamHandler(sys.stdout))
access_log.setLevel(logging.INFO)
access_log.propagate = False


class User(msgspec.Struct):
    id: str
    username: str
    email: str | None
    roles: list[str]
    enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


class UserPage(msgspec.Struct):
    items: list[User]
    page: int
    size: int
    total: int | None


class Envelope(msgspec.Struct):
    data: UserPage
    code: int = 200
    message: str = "success"


class UserEnvelope(msgspec.Struct):
    data: User
    code: int = 200
    message: str = "success"


class Production(ASGIMiddleware):
    """Request id, rate limit, response headers and the access line."""

    scopes = (ScopeType.HTTP,)

    async def handle(self, scope: Scope, receive: Receive, send: Send, next_app: ASGIApp) -> None:
        """One request."""
        start = time.perf_counter()
        request_id = dict(scope["headers"]).get(b"x-request-id", b"").decode("latin-1") or uuid.uuid4().hex
        ip = scope["client"][0] if scope["client"] else ""
        status = 500

        async def send_with_headers(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                headers = MutableScopeHeaders.from_message(message)
                headers.update(SECURITY_HEADERS)
                headers["X-Request-ID"] = request_id
                headers["X-Response-Time"] = f"{(time.perf_counter() - start) * 1000:.2f}ms"
            await send(message)

        if not limiter.hit(RULE, ip):
            raise TooManyRequestsException
        await next_app(scope, receive, send_with_headers)
        line = {
            "timestamp": datetime.now(UTC),
            "level": "info",
            "logger": "access",
            "message": "request",
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": round((time.perf_counter() - start) * 1000, 2),
            "user_id": getattr(scope.get("user"), "sub", None),
            "ip": ip,
        }
        access_log.info(encode(line).decode())


async def take_token(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> Token:
    """Who calls: the token says it all, as in the other peers."""
    return token


def require_admin(connection: ASGIConnection[Any, Token, Token, Any], _: BaseRouteHandler) -> None:
    """Refuses whoever lacks the role."""
    if "admin" not in connection.auth.extras["roles"]:
        raise PermissionDeniedException


def _user(id: str, username: str, email: str | None, roles: str | None, *rest: Any) -> User:
    return User(id, username, email, sorted(roles.split(",")) if roles else [], *rest)


@get("/api/v1/users", guards=[require_admin])
async def list_users(
    page: Annotated[int, Parameter(ge=1)] = 1,
    size: Annotated[int, Parameter(ge=1, le=100)] = 10,
    count: Literal["exact", "none"] = "exact",
) -> Envelope:
    """A page of accounts, the newest first."""
    async with engine.connect() as connection:
        rows = (await connection.execute(PAGE, {"size": size, "start": (page - 1) * size})).all()
        total = await connection.scalar(TOTAL) if count == "exact" else None
    return Envelope(UserPage([_user(*row) for row in rows], page, size, total))


@get("/api/v1/users/{user_id:str}", guards=[require_admin])
async def get_user(user_id: str) -> UserEnvelope:
    """One account."""
    async with engine.connect() as connection:
        row = (await connection.execute(ONE, {"user_id": user_id})).first()
    if row is None:
        raise NotFoundException
    return UserEnvelope(_user(*row))


authentication = JWTAuth[Token](
    retrieve_user_handler=take_token, token_secret=os.environ["JWT_SECRET_KEY"], exclude=["^/metrics"]
)
app = Litestar(
    [list_users, get_user, PrometheusController],
    # In this order, so that a refused request is logged and counted too; `on_app_init` would put the tokens first.
    middleware=[
        Production(),
        PrometheusConfig(group_path=True).middleware,
        authentication.middleware,
    ],
    cors_config=CORSConfig(allow_origins=["https://console.example.com"]),
    openapi_config=None,
)
