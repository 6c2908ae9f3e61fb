"""Access in memory: what roles grant, what has ended, and for how long that is remembered."""

import asyncio
from types import SimpleNamespace
from typing import Any

import pytest

from xumi.kernel import clock
from xumi.kernel.auth import EVERYTHING, permission
from xumi.kernel.auth.permission import Access
from xumi.kernel.auth.principal import current_principal
from xumi.kernel.auth.token import CLOCK_SKEW_SECONDS, Claims
from xumi.kernel.context import Context, enter
from xumi.kernel.errors import APICode, APIException

LIFE = 900


def make_access() -> Access:
    access = Access(LIFE)
    access.replace_roles({"user": {"a:read"}, "editor": {"a:write"}, "admin": {EVERYTHING}})
    return access


def claims(*roles: str, sub: str = "U1", sid: str = "S1", ver: int = 0) -> Claims:
    return Claims("access", sub, sid, roles, ver, 0, 0)


def refusal(access: Access, subject: Claims) -> object:
    with pytest.raises(APIException) as caught:
        access.check(subject)
    return caught.value.code


def test_permissions_are_those_of_all_roles() -> None:
    access = make_access()
    caller = access.check(claims("user", "editor", "unknown"))
    assert (caller.user_id, caller.session_id, caller.roles) == ("U1", "S1", ("user", "editor", "unknown"))
    assert caller.permissions == {"a:read", "a:write"}
    assert access.allows(caller, "a:write")
    assert not access.allows(caller, "b:read")
    assert not access.allows(access.check(claims()), "a:read")


def test_everything_includes_what_nobody_thought_of() -> None:
    access = make_access()
    assert access.allows(access.check(claims("admin")), "never:heard-of")


def test_replaced_roles_count_at_once() -> None:
    access = make_access()
    access.check(claims("user"))
    access.replace_roles({"user": {"b:read"}})
    assert access.check(claims("user")).permissions == {"b:read"}
    assert access.check(claims("admin")).permissions == frozenset()


def test_an_ended_session_is_refused_and_others_are_not() -> None:
    access = make_access()
    access.revoke_session("S1")
    assert refusal(access, claims("user")) is APICode.TOKEN_INVALID
    access.check(claims("user", sid="S2"))


def test_a_raised_epoch_ends_older_tokens_of_that_user() -> None:
    access = make_access()
    access.raise_epoch("U1", 3)
    assert refusal(access, claims("user", ver=2)) is APICode.TOKEN_EXPIRED
    access.check(claims("user", ver=3))
    access.check(claims("user", sub="U2"))
    access.raise_epoch("U1", 1)
    assert refusal(access, claims("user", ver=2)) is APICode.TOKEN_EXPIRED


def test_what_ended_is_forgotten_when_no_token_can_be_alive() -> None:
    access = make_access()
    access.revoke_session("S1")
    access.raise_epoch("U1", 1)
    with clock.travel(seconds=LIFE + CLOCK_SKEW_SECONDS - 1):
        access.prune()
        assert refusal(access, claims(sub="U9")) is APICode.TOKEN_INVALID
        # Telling it again does not remember it longer.
        access.revoke_session("S1")
        access.raise_epoch("U1", 1)
    with clock.travel(seconds=LIFE + CLOCK_SKEW_SECONDS + 1):
        access.prune()
        assert access.check(claims("user")).user_id == "U1"


def test_remembered_role_sets_are_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(permission, "_MAX_ROLE_SETS", 10)
    access = make_access()
    for number in range(50):
        access.check(claims("user", f"role-{number}"))
    assert len(access._role_sets) <= 10


def test_the_principal_is_the_contexts_or_an_error() -> None:
    resources: Any = SimpleNamespace()
    caller = make_access().check(claims("user"))
    with enter(Context(resources, "id")) as context:
        with pytest.raises(APIException) as caught:
            asyncio.run(current_principal())
        assert caught.value.code is APICode.UNAUTHENTICATED
        context.principal = caller
        assert asyncio.run(current_principal()) is caller


def test_roles_are_those_held_and_included_as_far_as_they_are_enabled() -> None:
    access = Access(LIFE)
    granted = {"user": {"a:read"}, "clerk": {"a:write"}, "chief": {"a:read", "a:write"}}
    access.replace_roles(granted, {"chief": {"chief", "clerk", "user"}}, {"clerk"})
    caller = access.check(claims("chief", "disabled"))
    assert access.roles_of(caller) == {"chief", "clerk", "user"}
    assert access.roles_of(access.check(claims("user"))) == {"user"}
    assert access.roles_of(access.check(claims())) == frozenset()
    assert access.permissions_of(["user", "clerk", "disabled"]) == {"a:read", "a:write"}
    assert [access.has_role(role) for role in ("chief", "disabled")] == [True, False]
    # A role wants a second factor through one that it includes, too.
    assert [access.requires_second_factor([role]) for role in ("clerk", "chief", "user", "disabled")] == [
        True,
        True,
        False,
        False,
    ]


def test_nobody_gives_what_he_does_not_hold() -> None:
    access = make_access()
    caller = access.check(claims("user", "editor"))
    access.require_all(caller, {"a:read", "a:write"})
    access.require_all(caller, set())
    access.require_all(access.check(claims("admin")), {EVERYTHING, "b:read"})
    wanted = {"a:read", EVERYTHING, *(f"b:{letter}" for letter in "abcdefgh")}
    with pytest.raises(APIException) as caught:
        access.require_all(caller, wanted)
    assert caught.value.code is APICode.GRANT_REFUSED
    assert caught.value.text("en").endswith(": *, b:a, b:b, b:c, b:d, ….")


def test_while_roles_are_not_known_nobody_is_let_in() -> None:
    access = make_access()
    caller = access.check(claims("admin"))
    access.forget_roles()
    assert refusal(access, claims("admin")) is APICode.DATABASE_UNAVAILABLE
    with pytest.raises(APIException):
        access.roles_of(caller)
    access.replace_roles({"user": {"a:read"}})
    assert access.check(claims("user")).permissions == {"a:read"}
