"""Litestar with its own stack: its JWT authentication, guards, logging, CORS and Prometheus middleware, and msgspec structs.

Rows come by SQLAlchemy's Core. Its rate limiter keeps the time of every call of a window and writes all of them back at each,
which no limit as high as a benchmark's survives: a counter stands for it. Reads DATABASE_URL and JWT_SECRET_KEY.
"""

import os
import time
import uuid
from collections import Counter
from datetime import datetime
from typing import Annotated, Any, Literal

import msgspec
from litestar import Litestar, Request, get
from litestar.config.cors import CORSConfig
from litestar.connection import ASGIConnection
from litestar.exceptions import NotFoundException, PermissionDeniedException, TooManyRequestsException
from litestar.handlers.base import BaseRouteHandler
from litestar.logging import LoggingConfig
from litestar.middleware.logging import LoggingMiddlewareConfig
from litestar.params import Parameter
from litestar.plugins.prometheus import PrometheusConfig, PrometheusController
from litestar.security.jwt import JWTAuth, Token
from litestar.types import ASGIApp, Message, Receive, Scope, Send
from sqlalchemy import Select, func, select
from sqlalchemy.ext.asyncio import create_async_engine

from benchmarks.peers.model import User, UserRole

URL = (
    os.environ["DATABASE_URL"]
    .replace("postgresql:", "postgresql+asyncpg:")
    .replace("sqlite:", "sqlite+aiosqlite:")
)
engine = create_async_engine(URL, pool_size=16, max_overflow=0)

ROLES = (
    select(func.aggregate_strings(UserRole.role, ","))
    .where(UserRole.user_id == User.id)
    .correlate(User)
    .scalar_subquery()
)
USERS: Select[Any] = select(
    User.id,
    User.username,
    User.email,
    ROLES.label("roles"),
    User.enabled,
    User.last_login_at,
    User.created_at,
    User.updated_at,
)


class UserOut(msgspec.Struct):
    id: str
    username: str
    email: str | None
    roles: list[str]
    enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


class UserPage(msgspec.Struct):
    items: list[UserOut]
    page: int
    size: int
    total: int | None


class PageEnvelope(msgspec.Struct):
    data: UserPage
    code: int = 200
    message: str = "success"


class UserEnvelope(msgspec.Struct):
    data: UserOut
    code: int = 200
    message: str = "success"


class Caller(msgspec.Struct):
    id: str
    roles: list[str]


async def find_caller(token: Token, _: ASGIConnection[Any, Any, Any, Any]) -> Caller:
    return Caller(token.sub, token.extras["roles"])


def admin_only(connection: ASGIConnection[Any, Any, Any, Any], _: BaseRouteHandler) -> None:
    if "admin" not in connection.user.roles:
        raise PermissionDeniedException


calls: Counter[str] = Counter()


def headers_and_limit(app: ASGIApp) -> ASGIApp:
    async def middleware(scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await app(scope, receive, send)
            return
        start, request_id = time.perf_counter(), uuid.uuid4().hex
        caller = str(scope["client"] and scope["client"][0])
        calls[caller] += 1
        if calls[caller] > 1_000_000_000:
            raise TooManyRequestsException

        async def finish(message: Message) -> None:
            if message["type"] == "http.response.start":
                milliseconds = (time.perf_counter() - start) * 1000
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-response-time", b"%.2fms" % milliseconds),
                    (b"x-content-type-options", b"nosniff"),
                    (b"x-frame-options", b"DENY"),
                    (b"referrer-policy", b"no-referrer"),
                ]
            await send(message)

        await app(scope, receive, finish)

    return middleware


def _out(row: Any) -> UserOut:
    return UserOut(row[0], row[1], row[2], sorted(row[3].split(",")) if row[3] else [], *row[4:])


@get("/api/v1/users", guards=[admin_only])
async def list_users(
    page: Annotated[int, Parameter(ge=1)] = 1,
    size: Annotated[int, Parameter(ge=1, le=100)] = 10,
    count: Literal["exact", "none"] = "exact",
) -> PageEnvelope:
    statement = USERS.order_by(User.id.desc()).offset((page - 1) * size).limit(size)
    async with engine.connect() as connection:
        rows = (await connection.execute(statement)).all()
        total = None
        if count == "exact":
            total = await connection.scalar(select(func.count()).select_from(User))
    return PageEnvelope(UserPage([_out(row) for row in rows], page, size, total))


@get("/api/v1/users/{user_id:str}", guards=[admin_only])
async def get_user(request: Request[Any, Any, Any], user_id: str) -> UserEnvelope:
    async with engine.connect() as connection:
        row = (await connection.execute(USERS.where(User.id == user_id))).first()
    if row is None:
        raise NotFoundException
    return UserEnvelope(_out(row))


# The JSON line of a request has the same length as those of the others; the library's own formatter writes it.
LOGGING = LoggingConfig(
    root={"level": "WARNING", "handlers": ["console"]},
    loggers={"litestar": {"level": "INFO", "handlers": ["console"], "propagate": False}},
    handlers={"console": {"class": "logging.StreamHandler", "level": "INFO", "formatter": "standard"}},
    formatters={"standard": {"format": '{"timestamp":"%(asctime)s","level":"info","message":"%(message)s"}'}},
)
ACCESS_LOG = LoggingMiddlewareConfig(
    request_log_fields=("method", "path"), response_log_fields=("status_code",)
)
authentication = JWTAuth[Caller](
    token_secret=os.environ["JWT_SECRET_KEY"],
    retrieve_user_handler=find_caller,
    exclude=["/metrics"],
)
app = Litestar(
    [list_users, get_user, PrometheusController],
    middleware=[headers_and_limit, ACCESS_LOG.middleware, PrometheusConfig().middleware],
    on_app_init=[authentication.on_app_init],
    cors_config=CORSConfig(allow_origins=["https://console.example.com"]),
    logging_config=LOGGING,
    openapi_config=None,
)
