"""What is asked of the variants: which requests, on which databases, and who takes part."""

from __future__ import annotations

import json
from base64 import urlsafe_b64decode
from collections.abc import Callable, Sequence
from dataclasses import dataclass

from benchmarks.load import Request
from xumi.kernel.auth.token import MAX_REMEMBERED, TokenIssuer
from xumi.kernel.config import Settings

LIST = "/api/v1/users?page=1&size=20"
STAFF = "/api/v1/staff?page=1&size=20"
EVERYBODY = ("limit", "xumi", "lean", "litestar", "fastapi", "flask")
PAGE = ("items", "page", "size", "total")
BOTH = ("sqlite", "postgresql")
# Where no database is used, either will do.
ANY = ("sqlite",)
NOTE = {"title": "A note", "text": "Remember the milk. " * 10, "stars": 3}
LAST_ROUTE = 151


@dataclass(frozen=True)
class Scenario:
    """One table of the report.

    Attributes:
        key: its name on the command line.
        title: its heading.
        variants: who takes part.
        databases: on which databases.
        compared: the names under `data` whose values must be the same in all answers.
        requests: what is sent in turn, given an access token and the key that signs such tokens.
        status: what all answers must have.
        counts_statements: whether to count what Xumi asks the database for one of them.
    """

    key: str
    title: str
    variants: tuple[str, ...]
    databases: tuple[str, ...]
    compared: tuple[str, ...]
    requests: Callable[[str, str], Sequence[Request]]
    status: int = 200
    counts_statements: bool = False


def _get(path: str) -> Callable[[str, str], Sequence[Request]]:
    return lambda token, _: [Request("GET", path, {"Authorization": f"Bearer {token}"})]


def _post(path: str) -> Callable[[str, str], Sequence[Request]]:
    def requests(token: str, _: str) -> Sequence[Request]:
        headers = {"Authorization": f"Bearer {token}", "Content-Type": "application/json"}
        return [Request("POST", path, headers, json.dumps(NOTE))]

    return requests


def _claims(token: str) -> dict[str, object]:
    payload = token.split(".")[1]
    claims: dict[str, object] = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return claims


def _mint(token: str, secret: str, count: int, roles: Sequence[str] | None = None) -> list[str]:
    """Tokens of the same user, each of another session; with other roles where they are given."""
    claims = _claims(token)
    held = tuple(claims["roles"] if roles is None else roles)  # type: ignore[arg-type]
    issuer = TokenIssuer(Settings.model_validate({"app_env": "test", "jwt_secret_key": secret}))
    return [
        issuer.issue_access(str(claims["sub"]), f"{number:026}", held, int(str(claims["ver"])))[0]
        for number in range(count)
    ]


def _many(count: int, roles: Sequence[str] | None = None) -> Callable[[str, str], Sequence[Request]]:
    path = f"{LIST}&count=none"
    return lambda token, secret: [
        Request("GET", path, {"Authorization": f"Bearer {each}"})
        for each in _mint(token, secret, count, roles)
    ]


def _route(number: int) -> Callable[[str, str], Sequence[Request]]:
    return lambda _, __: [Request("GET", f"/api/v1/many/r{number:03}/7", {})]


_USER = f"/api/v1/users/{5000:026}"
_UNCOUNTED = f"{LIST}&count=none"
_LIMITED = ("limit", "xumi")
_ONE = ("limit", "xumi", "lean", "litestar", "fastapi")
_WRITING = ("limit", "xumi", "lean", "fastapi")
_ALONE = ("xumi-plain", "bare")

SCENARIOS = (
    Scenario(
        "hello",
        "a typed GET without a database",
        ("limit", *_ALONE),
        ANY,
        ("text", "times"),
        _get("/api/v1/note/greeting/you?times=2"),
    ),
    Scenario(
        "post",
        "a validated POST without a database",
        _ALONE,
        ANY,
        ("title", "length", "stars", "tags"),
        _post("/api/v1/note/check"),
    ),
    Scenario("routes-first", "the first of 152 routes", _ALONE, ANY, ("number",), _route(0)),
    Scenario("routes-middle", "the middle one", _ALONE, ANY, ("number",), _route(LAST_ROUTE // 2)),
    Scenario("routes-last", "the last one", _ALONE, ANY, ("number",), _route(LAST_ROUTE)),
    Scenario("list", "20 of 10,000 users with their number", EVERYBODY, BOTH, PAGE, _get(LIST)),
    Scenario("list-nocount", "20 of 10,000 users, not counted", EVERYBODY, BOTH, PAGE, _get(_UNCOUNTED)),
    Scenario("tokens-100", "the same, 100 tokens in turn", _LIMITED, BOTH[1:], PAGE, _many(100)),
    # More than are remembered, so that each is verified from its signature.
    Scenario(
        "tokens-all",
        "the same, each request with another token",
        _LIMITED,
        BOTH[1:],
        PAGE,
        _many(MAX_REMEMBERED + 2000),
    ),
    Scenario(
        "staff",
        "the administrator's list: 20 of 10,000 users joined with a second table, 650 bytes each; Xumi's with the total",
        _LIMITED,
        BOTH[1:],
        ("items", "page", "size"),
        _get(STAFF),
        counts_statements=True,
    ),
    Scenario(
        "staff-exact",
        "the same, counted each time by Xumi",
        _LIMITED,
        BOTH[1:],
        ("items", "page", "size"),
        _get(f"{STAFF}&count=exact"),
        counts_statements=True,
    ),
    Scenario("detail", "one user by id", _ONE, BOTH, ("id", "username", "roles"), _get(_USER)),
    Scenario(
        "denied",
        "the list, asked for by somebody who may not have it",
        ("xumi", "lean", "litestar", "fastapi"),
        BOTH[1:],
        (),
        _many(1, ["user"]),
        403,
    ),
    Scenario(
        "insert",
        "a validated POST that inserts a row",
        _WRITING,
        BOTH,
        ("title",),
        _post("/api/v1/note"),
        201,
    ),
)
