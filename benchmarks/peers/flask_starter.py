"""A Flask starter: Flask 3 on gunicorn's threads with its usual extensions and the ORM on a synchronous driver.

The same features as the other peers. Reads DATABASE_URL and JWT_SECRET_KEY.
"""

import json
import logging
import os
import sys
import time
import uuid
from datetime import UTC, datetime
from typing import Any, Literal

import jwt
from flask import Flask, Response, abort, g, jsonify, request
from flask_cors import CORS
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from prometheus_client import Counter, Histogram, make_wsgi_app
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from sqlalchemy import create_engine, func, select
from sqlalchemy.orm import scoped_session, sessionmaker
from werkzeug.middleware.dispatcher import DispatcherMiddleware

from benchmarks.peers.model import User

engine = create_engine(
    os.environ["DATABASE_URL"].replace("postgresql:", "postgresql+psycopg:"), pool_size=16, max_overflow=0
)
Session = scoped_session(sessionmaker(engine))
REQUESTS = Counter("http_requests_total", "Requests.", ("method", "route", "status"))
DURATION = Histogram("http_request_duration_seconds", "Duration.", ("method", "route"))


class JsonFormatter(logging.Formatter):
    def format(self, record: logging.LogRecord) -> str:
        line = {
            "timestamp": datetime.fromtimestamp(record.created, UTC).isoformat(),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **record.__dict__.get("fields", {}),
        }
        return json.dumps(line)


handler = logging.StreamHandler(sys.stdout)
handler.setFormatter(JsonFormatter())
access_log = logging.getLogger("access")
access_log.addHandler(handler)
access_log.setLevel(logging.INFO)

app = Flask(__name__)
app.wsgi_app = DispatcherMiddleware(app.wsgi_app, {"/metrics": make_wsgi_app()})  # type: ignore[method-assign]
CORS(app, origins=["https://console.example.com"])
limiter = Limiter(get_remote_address, app=app, default_limits=["1000000000/minute"], storage_uri="memory://")


class UserQuery(BaseModel):
    page: int = Field(1, ge=1)
    size: int = Field(10, ge=1, le=100)
    count: Literal["exact", "none"] = "exact"


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


@app.before_request
def begin() -> None:
    g.start = time.perf_counter()
    g.request_id = request.headers.get("X-Request-ID") or str(uuid.uuid4())


@app.before_request
def require_admin() -> None:
    scheme, _, token = request.headers.get("Authorization", "").partition(" ")
    try:
        claims = jwt.decode(token, os.environ["JWT_SECRET_KEY"], algorithms=["HS256"])
    except jwt.InvalidTokenError:
        abort(401)
    if scheme.lower() != "bearer" or "admin" not in claims["roles"]:
        abort(403)
    g.user_id = claims["sub"]


@app.after_request
def finish(response: Response) -> Response:
    seconds = time.perf_counter() - g.start
    route = request.url_rule.rule if request.url_rule else ""
    response.headers["X-Request-ID"] = g.request_id
    response.headers["X-Response-Time"] = f"{seconds * 1000:.2f}ms"
    response.headers["X-Content-Type-Options"] = "nosniff"
    response.headers["X-Frame-Options"] = "DENY"
    response.headers["Referrer-Policy"] = "no-referrer"
    REQUESTS.labels(request.method, route, str(response.status_code)).inc()
    DURATION.labels(request.method, route).observe(seconds)
    fields = {
        "request_id": g.request_id,
        "method": request.method,
        "path": request.path,
        "status": response.status_code,
        "duration_ms": round(seconds * 1000, 2),
        "user_id": g.get("user_id"),
        "ip": request.remote_addr,
    }
    access_log.info("request", extra={"fields": fields})
    return response


@app.teardown_appcontext
def close_session(_: BaseException | None) -> None:
    Session.remove()


@app.get("/api/v1/users")
def list_users() -> Any:
    try:
        query = UserQuery.model_validate(request.args.to_dict())
    except ValidationError as error:
        return jsonify(message=str(error)), 422
    start = (query.page - 1) * query.size
    users = Session.scalars(select(User).order_by(User.id.desc()).offset(start).limit(query.size)).all()
    total = Session.scalar(select(func.count()).select_from(User)) if query.count == "exact" else None
    items = [UserOut.model_validate(user).model_dump(mode="json") for user in users]
    return jsonify(
        code=200,
        message="success",
        data={"items": items, "page": query.page, "size": query.size, "total": total},
    )
