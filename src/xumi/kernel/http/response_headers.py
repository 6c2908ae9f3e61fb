"""What every response carries beside its own headers: id, time, security and CORS."""

from __future__ import annotations

from time import perf_counter
from typing import TYPE_CHECKING

from xumi.kernel.http.wire import join_headers

if TYPE_CHECKING:
    from xumi.kernel.http.exchange import Exchange
    from xumi.kernel.resources import Resources

Header = tuple[bytes, bytes]

_SECURITY: list[Header] = [
    (b"x-content-type-options", b"nosniff"),
    (b"x-frame-options", b"DENY"),
    (b"referrer-policy", b"no-referrer"),
    (b"cross-origin-resource-policy", b"same-site"),
]
_HSTS = (b"strict-transport-security", b"max-age=31536000; includeSubDomains")
_CSP = (b"content-security-policy", b"default-src 'none'; frame-ancestors 'none'")
_NO_STORE = (b"cache-control", b"no-store")
_VARY = (b"vary", b"Origin")
_CLOSE = (b"connection", b"close")
_EXPOSED = b"X-Request-ID, X-Response-Time, Retry-After, Content-Disposition, Idempotency-Replayed"
# What a handler has set itself stays.
_REPLACEABLE = frozenset((_CSP[0], _NO_STORE[0]))


class ResponseHeaders:
    """The headers of one application's responses.

    Args:
        resources: the settings, and whether the process is about to stop.
    """

    def __init__(self, resources: Resources) -> None:
        settings = resources.settings
        self._resources = resources
        self.origins = frozenset(origin.encode() for origin in settings.cors_origins)
        always = [*_SECURITY, *([_HSTS] if settings.app_env == "production" else []), _CSP]
        varying = [_VARY] if self.origins else []
        # By whether the route is public: anybody may keep what anybody may see.
        self._always = {True: [*always, *varying], False: [*always, _NO_STORE, *varying]}
        self._joined = {public: join_headers(headers) for public, headers in self._always.items()}

    def complete(self, exchange: Exchange, headers: list[Header]) -> list[Header]:
        """A response's headers with ours."""
        own = {name for name, _ in headers}
        milliseconds = (perf_counter() - exchange.started_at) * 1000
        completed = [
            *headers,
            (b"x-request-id", exchange.context.request_id.encode()),
            (b"x-response-time", b"%.2fms" % milliseconds),
        ]
        always = self._always[exchange.is_public]
        replaced = own & _REPLACEABLE
        completed += [header for header in always if header[0] not in replaced] if replaced else always
        if self._resources.draining and b"connection" not in own:
            completed.append(_CLOSE)
        origin = exchange.headers.get(b"origin")
        if self.origins and (origin in self.origins or (origin and b"*" in self.origins)):
            completed.append((b"access-control-allow-origin", origin))
            completed.append((b"access-control-expose-headers", _EXPOSED))
        return completed

    def join(self, exchange: Exchange, length: int) -> bytes | None:
        """All headers of a JSON answer of `length` bytes that has none of its own, as they stand on the wire.

        None where some depend on more than that: `complete` knows them.
        """
        if self._resources.draining or (self.origins and b"origin" in exchange.headers):
            return None
        return (
            b"content-length: %d\r\ncontent-type: application/json\r\nx-request-id: %b\r\nx-response-time: %.2fms\r\n%b"
            % (
                length,
                exchange.context.request_id.encode(),
                (perf_counter() - exchange.started_at) * 1000,
                self._joined[exchange.is_public],
            )
        )
