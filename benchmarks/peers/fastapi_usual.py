"""The usual way: FastAPI with a BaseHTTPMiddleware for each concern, the ORM, and `response_model`.

As tutorials and templates write it, and in this peer's favour where they differ: roles are read from the token instead of
the database, and the rate limit is a decorator instead of a fifth middleware. Reads DATABASE_URL and JWT_SECRET_KEY.
"""

import json
import logging
import os
import sys
import time
import uuid
from collections.abc import AsyncIterator
from contextvars import ContextVar
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import jwt
from fastapi import Depends, FastAPI, HTTPException, Query, Request, Response
from fastapi.middleware.cors import CORSMiddleware
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import Counter, Histogram, make_asgi_app
from pydantic import BaseModel, ConfigDict, Field
from slowapi import Limiter, _rate_limit_exceeded_handler
from slowapi.errors import RateLimitExceeded
from slowapi.util import get_remote_address
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.middleware.base import BaseHTTPMiddleware, RequestResponseEndpoint

from benchmarks.peers.model import Note, User
from xumi.kernel.ids import generate_key

URL = (
    os.environ["DATABASE_URL"]
    .replace("postgresql:", "postgresql+asyncpg:")
    .replace("sqlite:", "sqlite+aiosqlite:")
)
engine = create_async_engine(URL, pool_size=16, max_overflow=0)
session_factory = async_sessionmaker(engine, expire_on_commit=False)
limiter = Limiter(key_func=get_remote_address)
request_id_variable: ContextVar[str] = ContextVar("request_id", default="")
REQUESTS = Counter("http_requests_total", "Requests.", ("method", "route", "status"))
DURATION = Histogram("http_request_duration_seconds", "Duration.", ("method", "route"))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            "request_id": request_id_variable.get(),
            **record.__dict__.get("fields", {}),
        }
        return json.dumps(line)


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter())
access_log = logging.getLogger("access")
access_log.addHandler(handler)
access_log.setLevel(logging.INFO)


class RequestIdMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        request_id = request.headers.get("x-request-id") or str(uuid.uuid4())
        request_id_variable.set(request_id)
        response = await call_next(request)
        response.headers["X-Request-ID"] = request_id
        return response


class TimingMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        response.headers["X-Response-Time"] = f"{(time.perf_counter() - start) * 1000:.2f}ms"
        response.headers["X-Content-Type-Options"] = "nosniff"
        response.headers["X-Frame-Options"] = "DENY"
        response.headers["Referrer-Policy"] = "no-referrer"
        return response


class LogMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        fields = {
            "method": request.method,
            "path": request.url.path,
            "status": response.status_code,
            "duration_ms": round((time.perf_counter() - start) * 1000, 2),
            "user_id": getattr(request.state, "user_id", None),
            "ip": request.client.host if request.client else None,
        }
        access_log.info("request", extra={"fields": fields})
        return response


class MetricsMiddleware(BaseHTTPMiddleware):
    async def dispatch(self, request: Request, call_next: RequestResponseEndpoint) -> Response:
        start = time.perf_counter()
        response = await call_next(request)
        route = getattr(request.scope.get("route"), "path", "")
        REQUESTS.labels(request.method, route, str(response.status_code)).inc()
        DURATION.labels(request.method, route).observe(time.perf_counter() - start)
        return response


app = FastAPI()
app.state.limiter = limiter
app.add_exception_handler(RateLimitExceeded, _rate_limit_exceeded_handler)  # type: ignore[arg-type]
app.add_middleware(MetricsMiddleware)
app.add_middleware(LogMiddleware)
app.add_middleware(TimingMiddleware)
app.add_middleware(RequestIdMiddleware)
app.add_middleware(CORSMiddleware, allow_origins=["https://console.example.com"], allow_methods=["*"])
app.mount("/metrics", make_asgi_app())


class UserOut(BaseModel):
    model_config = ConfigDict(from_attributes=True)

    id: str
    username: str
    email: str | None
    roles: list[str]
    enabled: bool
    last_login_at: datetime | None
    created_at: datetime
    updated_at: datetime


class UserPage(BaseModel):
    items: list[UserOut]
    page: int
    size: int
    total: int | None


class UserEnvelope(BaseModel):
    code: int = 200
    message: str = "success"
    data: UserOut


class NoteCreate(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=2000)]
    stars: Annotated[int, Field(ge=0, le=5)]


class Envelope(BaseModel):
    code: int = 200
    message: str = "success"
    data: UserPage


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_factory() as session:
        yield session


async def require_admin(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> str:
    try:
        claims = jwt.decode(credentials.credentials, os.environ["JWT_SECRET_KEY"], algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "invalid token") from error
    if "admin" not in claims["roles"]:
        raise HTTPException(403, "not allowed")
    user: str = claims["sub"]
    request.state.user_id = user
    return user


@app.get("/api/v1/users", response_model=Envelope, dependencies=[Depends(require_admin)])
@limiter.limit("1000000000/minute")
async def list_users(
    request: Request,
    session: Annotated[AsyncSession, Depends(get_session)],
    page: Annotated[int, Query(ge=1)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 10,
    count: Literal["exact", "none"] = "exact",
) -> Any:
    users = (
        await session.scalars(select(User).order_by(User.id.desc()).offset((page - 1) * size).limit(size))
    ).all()
    total = None
    if count == "exact":
        total = await session.scalar(select(func.count()).select_from(User))
    return {"data": {"items": users, "page": page, "size": size, "total": total}}


@app.get("/api/v1/users/{user_id}", response_model=UserEnvelope, dependencies=[Depends(require_admin)])
@limiter.limit("1000000000/minute")
async def get_user(
    request: Request, session: Annotated[AsyncSession, Depends(get_session)], user_id: str
) -> Any:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404)
    return {"data": user}


@app.post("/api/v1/note", status_code=201)
@limiter.limit("1000000000/minute")
async def add_note(
    request: Request,
    session: Annotated[AsyncSession, Depends(get_session)],
    caller: Annotated[str, Depends(require_admin)],
    body: NoteCreate,
) -> Any:
    now = datetime.now(UTC)
    note = Note(id=generate_key(), owner_id=caller, created_at=now, updated_at=now, **body.model_dump())
    session.add(note)
    await session.commit()
    return {"code": 201, "message": "success", "data": {"title": note.title, "id": note.id}}
