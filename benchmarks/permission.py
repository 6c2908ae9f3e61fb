"""`python -m benchmarks.permission`: what it costs to know a caller and what he may do, in this process, µs of CPU.

In a server under load each costs up to twice as much, because the processor's caches are shared with everything else.
"""

from __future__ import annotations

import secrets
import time
from collections.abc import Callable

from benchmarks.features import cost
from xumi.kernel.auth.permission import Access
from xumi.kernel.auth.token import TokenIssuer
from xumi.kernel.config import Settings

ROLES, PERMISSIONS = 200, 5_000


def many_roles() -> dict[str, frozenset[str]]:
    """Roles that hold a hundred permissions each, of five thousand."""
    codes = [f"thing{number}:action{number % 7}" for number in range(PERMISSIONS)]
    return {
        f"role{role}": frozenset(codes[(role * 25 + number) % PERMISSIONS] for number in range(100))
        for role in range(ROLES)
    }


def in_turn(values: list[Callable[[], object]]) -> Callable[[], object]:
    """Call the next of them each time."""
    place = 0

    def call() -> object:
        nonlocal place
        place = (place + 1) % len(values)
        return values[place]()

    return call


def main() -> None:
    """Measures and prints."""
    settings = Settings.model_validate({"app_env": "test", "jwt_secret_key": secrets.token_urlsafe(48)})
    issuer, access, roles = TokenIssuer(settings), Access(900), many_roles()
    begun = time.perf_counter()
    access.replace_roles(roles)
    replaced_ms = (time.perf_counter() - begun) * 1000
    held = [(f"role{number % ROLES}", f"role{number * 7 % ROLES}") for number in range(500)]
    claims = [
        issuer.verify(issuer.issue_access(f"user{number}", f"session{number}", names, 1)[0])
        for number, names in enumerate(held)
    ]
    # As after a morning in which a thousand people have signed out and a thousand were changed.
    for number in range(1_000):
        access.revoke_session(f"gone{number}")
        access.raise_epoch(f"user{number}", 1)
    principals = [access.check(one) for one in claims]
    nothing = cost(in_turn([lambda: None] * 500))
    for name, call in {
        "a role that the caller holds": lambda one: access.allows(one, "thing0:action0"),
        "a caller known by verified claims": access.check,
        "both: the permission check of a request": lambda one: access.allows(
            access.check(one), "thing0:action0"
        ),
    }.items():
        given = principals if name.startswith("a role") else claims
        microseconds = cost(in_turn([lambda call=call, one=one: call(one) for one in given])) - nothing
        print(f"{name:46}{microseconds:6.2f} µs")
    print(f"{f'{PERMISSIONS} permissions in {ROLES} roles, taken over':46}{replaced_ms:6.2f} ms")


if __name__ == "__main__":
    main()
