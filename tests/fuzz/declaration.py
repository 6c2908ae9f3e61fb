"""A shape: an endpoint together with requests that it takes, from which the fuzz makes those that it does not."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from xumi.kernel.http.router import Router

Values = Mapping[str, Sequence[str]]
Handler = Callable[..., Any]


@dataclass(frozen=True)
class Shape:
    """One endpoint.

    Attributes:
        method, path: where it is.
        query, headers, cookies, segments: values that each of its parameters takes, by the name in the request.
        bodies: JSON documents that it takes.
    """

    method: str
    path: str
    query: Values = field(default_factory=dict)
    headers: Values = field(default_factory=dict)
    cookies: Values = field(default_factory=dict)
    segments: Values = field(default_factory=dict)
    bodies: Sequence[Any] = ()

    def __repr__(self) -> str:
        return f"{self.method} {self.path}"


class Shapes:
    """Declares endpoints on a router and keeps what is known of them."""

    def __init__(self) -> None:
        self.router = Router()
        self.all: list[Shape] = []

    def get(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare a GET endpoint; `options` are those of `Shape` and of a route."""
        return self.declare("GET", path, **options)

    def post(self, path: str, **options: Any) -> Callable[[Handler], Handler]:
        """Declare a POST endpoint; `options` are those of `Shape` and of a route."""
        return self.declare("POST", path, **options)

    def declare(
        self,
        method: str,
        path: str,
        *,
        query: Values | None = None,
        headers: Values | None = None,
        cookies: Values | None = None,
        segments: Values | None = None,
        bodies: Sequence[Any] = (),
        **options: Any,
    ) -> Callable[[Handler], Handler]:
        """Declare an endpoint that everybody may call."""
        self.all.append(
            Shape(method, path, query or {}, headers or {}, cookies or {}, segments or {}, bodies)
        )
        return self.router.api_route(path, methods=[method], public=True, **options)
