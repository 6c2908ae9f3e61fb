"""`python -m benchmarks.features`: what each production feature of a request costs by itself, in this process, µs of CPU.

In a server under load each costs up to twice as much, because the processor's caches are shared with everything else.
"""

from __future__ import annotations

import os
import random
import secrets
import time
from collections.abc import Callable

from xumi.kernel import log, metrics
from xumi.kernel.auth.token import MAX_REMEMBERED, TokenIssuer
from xumi.kernel.config import Settings
from xumi.kernel.log import writer
from xumi.kernel.ratelimit import RateLimiter, Rule

PASSES, CALLS = 7, 20_000
ROUTE = "/api/v1/users"


def cost(call: Callable[[], object], calls: int = CALLS) -> float:
    """Microseconds of CPU for one call: the best of some passes, the loop's own cost taken off."""

    def measure(function: Callable[[], object]) -> float:
        best = float("inf")
        for _ in range(PASSES):
            before = time.process_time()
            for _ in range(calls):
                function()
            best = min(best, time.process_time() - before)
        return best / calls * 1e6

    return measure(call) - measure(lambda: None)


def verification(tokens: int) -> float:
    """Verifying one of so many tokens in turn; of more than MAX_REMEMBERED none is remembered."""
    settings = Settings.model_validate({"app_env": "test", "jwt_secret_key": secrets.token_urlsafe(48)})
    issuer = TokenIssuer(settings)
    issued = [issuer.issue_access(f"user{number}", "session", ("admin",), 0)[0] for number in range(tokens)]
    turn = iter(issued * (PASSES * 2))
    return cost(lambda: issuer.verify(next(turn)), tokens)


def main() -> None:
    """Measures and prints."""
    limiter, rule = RateLimiter(), Rule.parse("default", "1000000000/minute")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    request_id = f"{random.getrandbits(128):032x}"

    def discard(line: bytes) -> None:
        os.write(nowhere, line)

    writer.set_output("INFO", "json", discard)
    costs = {
        "access token, remembered": verification(1_000),
        "access token, verified from its signature": verification(MAX_REMEMBERED + 2_000),
        "rate limit": cost(lambda: limiter.hit(rule, "01M7Y0AB504R9GSY54PPKEPFV2")),
        "access line": cost(
            lambda: log.access(
                "GET", ROUTE, ROUTE, 200, 1.5, "01M7Y0AB504R9GSY54PPKEPFV2", "127.0.0.1", request_id
            )
        ),
        "metrics": cost(lambda: metrics.observe_request("GET", ROUTE, 200, 0.0015)),
        "requests in flight": cost(metrics.IN_FLIGHT.inc) + cost(metrics.IN_FLIGHT.dec),
        "request id": cost(lambda: f"{random.getrandbits(128):032x}"),
    }
    observability = sum(
        costs[name] for name in ("access line", "metrics", "requests in flight", "request id")
    )
    for name, microseconds in {
        **costs,
        "access line, metrics and request id together": observability,
    }.items():
        print(f"{name:46}{microseconds:6.2f} µs")


if __name__ == "__main__":
    main()
