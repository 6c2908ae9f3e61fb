"""FastAPI well tuned: one plain ASGI middleware for everything, the ORM on an asynchronous driver, `response_model`.

The same features as the other peers, as a team writes them that has measured. Reads DATABASE_URL and JWT_SECRET_KEY.
"""

import os
import sys
import time
import uuid
from collections import Counter as Counts
from collections.abc import AsyncIterator
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import jwt
import msgspec
from fastapi import Depends, FastAPI, HTTPException, Query, Request
from fastapi.security import HTTPAuthorizationCredentials, HTTPBearer
from prometheus_client import Counter, Histogram
from pydantic import BaseModel, ConfigDict, Field
from sqlalchemy import func, select
from sqlalchemy.ext.asyncio import AsyncSession, async_sessionmaker, create_async_engine
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from benchmarks.peers.model import Note, User
from xumi.kernel.ids import generate_key

URL = (
    os.environ["DATABASE_URL"]
    .replace("postgresql:", "postgresql+asyncpg:")
    .replace("sqlite:", "sqlite+aiosqlite:")
)
SECRET = os.environ["JWT_SECRET_KEY"]
engine = create_async_engine(URL, pool_size=16, max_overflow=0)
session_factory = async_sessionmaker(engine, expire_on_commit=False)
# A read needs no transaction around it: two round trips fewer.
read_session = async_sessionmaker(engine.execution_options(isolation_level="AUTOCOMMIT"))
REQUESTS = Counter("http_requests_total", "Requests.", ("method", "route", "status"))
DURATION = Histogram("http_request_duration_seconds", "Duration.", ("method", "route"))
SECURITY = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"vary", b"Origin"),
]


class Features:
    """Request id, time, headers, rate limit, access log and metrics in one place."""

    def __init__(self, app: ASGIApp) -> None:
        self.app = app
        self.calls: Counts[tuple[str, int]] = Counts()
        self.window = 0

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http":
            await self.app(scope, receive, send)
            return
        start = time.perf_counter()
        request_id = uuid.uuid4().hex
        status = 500
        window = int(time.time() // 60)
        if window != self.window:
            self.window = window
            self.calls.clear()
        caller = (scope["client"][0], window)
        self.calls[caller] += 1
        if self.calls[caller] > 1_000_000_000:
            raise HTTPException(429)

        async def finish(message: Message) -> None:
            nonlocal status
            if message["type"] == "http.response.start":
                status = message["status"]
                milliseconds = (time.perf_counter() - start) * 1000
                message["headers"] = [
                    *message["headers"],
                    (b"x-request-id", request_id.encode()),
                    (b"x-response-time", b"%.2fms" % milliseconds),
                    *SECURITY,
                ]
            await send(message)

        await self.app(scope, receive, finish)
        seconds = time.perf_counter() - start
        route = getattr(scope.get("route"), "path", "")
        REQUESTS.labels(scope["method"], route, str(status)).inc()
        DURATION.labels(scope["method"], route).observe(seconds)
        line = {
            "timestamp": datetime.now(UTC),
            "level": "info",
            "logger": "access",
            "message": "request",
            "request_id": request_id,
            "method": scope["method"],
            "path": scope["path"],
            "status": status,
            "duration_ms": seconds * 1000,
            "user_id": scope["state"].get("user_id"),
            "ip": scope["client"][0],
        }
        sys.stdout.buffer.write(msgspec.json.encode(line) + b"\n")
        sys.stdout.buffer.flush()


app = FastAPI()
app.add_middleware(Features)


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


class PageEnvelope(BaseModel):
    code: int = 200
    message: str = "success"
    data: UserPage


class UserEnvelope(BaseModel):
    code: int = 200
    message: str = "success"
    data: UserOut


class NoteCreate(BaseModel):
    title: Annotated[str, Field(min_length=1, max_length=200)]
    text: Annotated[str, Field(max_length=2000)]
    stars: Annotated[int, Field(ge=0, le=5)]


async def get_session() -> AsyncIterator[AsyncSession]:
    async with session_factory() as session:
        yield session


async def get_read_session() -> AsyncIterator[AsyncSession]:
    async with read_session() as session:
        yield session


async def require_admin(
    request: Request, credentials: Annotated[HTTPAuthorizationCredentials, Depends(HTTPBearer())]
) -> str:
    try:
        claims = jwt.decode(credentials.credentials, SECRET, algorithms=["HS256"])
    except jwt.InvalidTokenError as error:
        raise HTTPException(401, "invalid token") from error
    if "admin" not in claims["roles"]:
        raise HTTPException(403, "not allowed")
    request.state.user_id = claims["sub"]
    user: str = claims["sub"]
    return user


Session = Annotated[AsyncSession, Depends(get_session)]
ReadSession = Annotated[AsyncSession, Depends(get_read_session)]


@app.get("/api/v1/users", response_model=PageEnvelope, dependencies=[Depends(require_admin)])
async def list_users(
    session: ReadSession,
    page: Annotated[int, Query(ge=1)] = 1,
    size: Annotated[int, Query(ge=1, le=100)] = 10,
    count: Literal["exact", "none"] = "exact",
) -> Any:
    statement = select(User).order_by(User.id.desc()).offset((page - 1) * size).limit(size)
    users = (await session.scalars(statement)).all()
    total = None
    if count == "exact":
        total = await session.scalar(select(func.count()).select_from(User))
    return {"data": {"items": users, "page": page, "size": size, "total": total}}


@app.get("/api/v1/users/{user_id}", response_model=UserEnvelope, dependencies=[Depends(require_admin)])
async def get_user(session: ReadSession, user_id: str) -> Any:
    user = await session.get(User, user_id)
    if user is None:
        raise HTTPException(404)
    return {"data": user}


@app.post("/api/v1/note", status_code=201)
async def add_note(session: Session, caller: Annotated[str, Depends(require_admin)], body: NoteCreate) -> Any:
    now = datetime.now(UTC)
    note = Note(id=generate_key(), owner_id=caller, created_at=now, updated_at=now, **body.model_dump())
    session.add(note)
    await session.commit()
    return {"code": 201, "message": "success", "data": {"title": note.title, "id": note.id}}
