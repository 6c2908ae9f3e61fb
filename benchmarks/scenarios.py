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
ALL = ("limit", "xumi", "fastapi", "flask")
COMPARED_PAGE = ("items", "page", "size", "total")


@dataclass(frozen=True)
class Scenario:
    """One table of the report.

    Attributes:
        key: its name on the command line.
        title: its heading.
        variants: who takes part.
        databases: on which databases.
        compared: the names under `data` whose values must be the same in all answers; all of `data` where there are none.
        requests: what is sent in turn, given an access token and the key that signs such tokens.
    """

    key: str
    title: str
    variants: tuple[str, ...]
    databases: tuple[str, ...]
    compared: tuple[str, ...]
    requests: Callable[[str, str], Sequence[Request]]


def _get(path: str, token: str) -> Request:
    return Request("GET", path, {"Authorization": f"Bearer {token}"})


def _mint(token: str, secret: str, count: int) -> list[str]:
    """Tokens of the same user, each of another session."""
    payload = token.split(".")[1]
    claims = json.loads(urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    issuer = TokenIssuer(Settings.model_validate({"app_env": "test", "jwt_secret_key": secret}))
    return [
        issuer.issue_access(claims["sub"], f"{number:026}", tuple(claims["roles"]), claims["ver"])[0]
        for number in range(count)
    ]


def _many(count: int) -> Callable[[str, str], Sequence[Request]]:
    path = f"{LIST}&count=none"
    return lambda token, secret: [_get(path, each) for each in _mint(token, secret, count)]


BOTH = ("sqlite", "postgresql")
SCENARIOS = (
    Scenario(
        "list",
        "20 of 10,000 users with their number",
        ALL,
        BOTH,
        COMPARED_PAGE,
        lambda token, _: [_get(LIST, token)],
    ),
    Scenario(
        "list-nocount",
        "20 of 10,000 users, not counted",
        ALL,
        BOTH,
        COMPARED_PAGE,
        lambda token, _: [_get(f"{LIST}&count=none", token)],
    ),
    Scenario(
        "tokens-100", "the same, 100 tokens in turn", ("limit", "xumi"), BOTH[1:], COMPARED_PAGE, _many(100)
    ),
    # More than are remembered, so that each is verified from its signature.
    Scenario(
        "tokens-all",
        "the same, each request with another token",
        ("limit", "xumi"),
        BOTH[1:],
        COMPARED_PAGE,
        _many(MAX_REMEMBERED + 2000),
    ),
)
