"""What rules open, decided in memory."""

import pytest

from xumi.kernel.auth import scope
from xumi.kernel.auth.scope import ALL, DEPARTMENTS, OWN, Reach, ScopeKind, ScopeRule, Scopes

READERS = frozenset({"reader"})


def make(rules: dict[str, ScopeRule]) -> Scopes:
    """a over b over c, d beside them; `zoe` in b; a role for each rule."""
    scopes = Scopes()
    scopes.replace_departments({"a": None, "b": "a", "c": "b", "d": None})
    scopes.set_members({"zoe": ["b"]})
    scopes.replace_rules({role: {"order": rule} for role, rule in rules.items()})
    return scopes


@pytest.mark.parametrize(
    ("rule", "expected"),
    [
        (ScopeRule(ScopeKind.ALL), Reach(ALL)),
        (ScopeRule(ScopeKind.DEPARTMENT), Reach(DEPARTMENTS, None, ("b",))),
        (ScopeRule(ScopeKind.DEPARTMENT_TREE), Reach(DEPARTMENTS, None, ("b", "c"))),
        (ScopeRule(ScopeKind.OWN), Reach(OWN, "zoe")),
        (ScopeRule(ScopeKind.CUSTOM, frozenset({"d", "a"})), Reach(DEPARTMENTS, None, ("a", "d"))),
    ],
)
def test_a_rule_opens_what_its_kind_says(rule: ScopeRule, expected: Reach) -> None:
    scopes = make({"reader": rule})
    assert scopes.reach("zoe", READERS, "order") == expected
    assert scopes.reach("zoe", READERS, "invoice") == Reach(0)
    assert scopes.reach("zoe", frozenset(), "order") == Reach(0)


def test_several_roles_open_the_union() -> None:
    rules = {"reader": ScopeRule(ScopeKind.OWN), "clerk": ScopeRule(ScopeKind.DEPARTMENT)}
    scopes = make(rules)
    found = scopes.reach("zoe", frozenset(rules), "order")
    assert found == Reach(OWN | DEPARTMENTS, "zoe", ("b",))
    assert scopes.kinds(frozenset(rules), "order") == {ScopeKind.OWN, ScopeKind.DEPARTMENT}


@pytest.mark.parametrize(
    ("reach", "owner", "department", "covered"),
    [
        (Reach(ALL), None, None, True),
        (Reach(0), "zoe", "b", False),
        (Reach(0), None, None, False),
        (Reach(OWN, "zoe"), "zoe", None, True),
        (Reach(OWN, "zoe"), "ann", "b", False),
        (Reach(OWN, "zoe"), None, None, False),
        (Reach(DEPARTMENTS, None, ("b",)), "ann", "b", True),
        (Reach(DEPARTMENTS, None, ("b",)), None, None, False),
        (Reach(OWN | DEPARTMENTS, "zoe", ("b",)), "zoe", "x", True),
    ],
)
def test_what_a_reach_covers(reach: Reach, owner: str | None, department: str | None, covered: bool) -> None:
    assert reach.covers(owner, department) is covered


def test_every_change_counts_for_what_was_asked_before() -> None:
    scopes = make({"reader": ScopeRule(ScopeKind.DEPARTMENT_TREE)})
    assert scopes.reach("zoe", READERS, "order").departments == ("b", "c")
    scopes.replace_departments({"b": None, "c": None})
    assert scopes.reach("zoe", READERS, "order").departments == ("b",)
    scopes.set_members({"zoe": []})
    assert scopes.reach("zoe", READERS, "order") == Reach(0)
    scopes.replace_rules({"reader": {"order": ScopeRule(ScopeKind.ALL)}})
    assert scopes.reach("zoe", READERS, "order") == Reach(ALL)


def test_a_department_that_is_gone_opens_nothing_below_it() -> None:
    scopes = make({"reader": ScopeRule(ScopeKind.DEPARTMENT_TREE)})
    scopes.set_members({"zoe": ["gone"]})
    assert scopes.reach("zoe", READERS, "order").departments == ("gone",)


def test_what_is_remembered_is_bounded(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(scope, "_MAX_REACHES", 2)
    scopes = make({"reader": ScopeRule(ScopeKind.OWN)})
    for number in range(5):
        assert scopes.reach(f"u{number}", READERS, "order").owner == f"u{number}"
    assert len(scopes._reaches) <= 2
