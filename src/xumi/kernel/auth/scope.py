"""Which rows of a resource a caller reaches, decided in memory.

For each resource a role has a rule: all rows, those of the caller's own departments, of these and all below, the caller's own rows,
or those of departments that the rule lists. A caller with several roles reaches the union; without a rule nothing. Rules, the tree of
departments and who belongs where are a snapshot in this process; whoever owns the tables feeds it
(`xumi.modules.organization` does), so that no request waits for a query. `xumi.kernel.db.scope` puts it into statements.
"""

import enum
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

_MAX_REACHES = 10_000


class ScopeKind(enum.StrEnum):
    """What a rule opens."""

    ALL = "all"
    DEPARTMENT = "department"
    """The rows of the departments that the caller belongs to."""
    DEPARTMENT_TREE = "department-tree"
    """The same, and all departments below these."""
    OWN = "own"
    """The rows that the caller owns."""
    CUSTOM = "custom"
    """The rows of the departments that the rule lists, and not of those below."""


@dataclass(frozen=True, slots=True)
class ScopeRule:
    """What a role opens of one resource; `departments` belong to `CUSTOM`."""

    kind: ScopeKind
    departments: frozenset[str] = frozenset()


# What a reach consists of, as bits: the text of a statement depends on it, its values do not.
OWN, DEPARTMENTS, ALL = 1, 2, 4


@dataclass(frozen=True)
class Reach:
    """The rows of one resource that one caller reaches.

    Attributes:
        form: `ALL`, or any of `OWN` and `DEPARTMENTS`; 0 is nothing.
        owner: whose rows `OWN` are.
        departments: the departments whose rows are reached, sorted.
    """

    form: int
    owner: str | None = None
    departments: tuple[str, ...] = ()

    @cached_property
    def department_set(self) -> frozenset[str]:
        """The departments, to look one up."""
        return frozenset(self.departments)

    def covers(self, owner: str | None, department: str | None) -> bool:
        """Whether a row with this owner and this department is reached."""
        if self.form & ALL:
            return True
        owned = bool(self.form & OWN) and owner is not None and owner == self.owner
        return owned or (department is not None and department in self.department_set)


EVERY_ROW = Reach(ALL)
NO_ROW = Reach(0)


class Scopes:
    """The snapshot."""

    def __init__(self) -> None:
        self._rules: Mapping[str, Mapping[str, ScopeRule]] = {}
        self._children: Mapping[str, list[str]] = {}
        self._members: dict[str, frozenset[str]] = {}
        self._reaches: dict[tuple[str, frozenset[str], str], Reach] = {}

    def replace_rules(self, rules: Mapping[str, Mapping[str, ScopeRule]]) -> None:
        """Set all rules: role → resource → rule."""
        self._rules = rules
        self._reaches = {}

    def replace_departments(self, parents: Mapping[str, str | None]) -> None:
        """Set the tree: department → the one above it."""
        children: dict[str, list[str]] = {}
        for department, parent in parents.items():
            if parent is not None:
                children.setdefault(parent, []).append(department)
        self._children = children
        self._reaches = {}

    def set_members(self, members: Mapping[str, Iterable[str]]) -> None:
        """Set the departments of these users; of all others they stay."""
        for user_id, departments in members.items():
            if found := frozenset(departments):
                self._members[user_id] = found
            else:
                self._members.pop(user_id, None)
        self._reaches = {}

    def departments_of(self, user_id: str) -> frozenset[str]:
        """The departments that a user belongs to."""
        return self._members.get(user_id, frozenset())

    def kinds(self, roles: frozenset[str], resource: str) -> frozenset[ScopeKind]:
        """The kinds of the rules that these roles have for a resource."""
        return frozenset(rule.kind for rule in self._find_rules(roles, resource))

    def reach(self, user_id: str, roles: frozenset[str], resource: str) -> Reach:
        """What a user with these roles reaches of a resource."""
        reaches = self._reaches
        key = user_id, roles, resource
        found = reaches.get(key)
        if found is None:
            if len(reaches) >= _MAX_REACHES:
                reaches.clear()
            found = reaches[key] = self._merge(user_id, roles, resource)
        return found

    def _find_rules(self, roles: frozenset[str], resource: str) -> list[ScopeRule]:
        found = (self._rules.get(role, {}).get(resource) for role in roles)
        return [rule for rule in found if rule is not None]

    def _merge(self, user_id: str, roles: frozenset[str], resource: str) -> Reach:
        own = False
        departments: set[str] = set()
        belongs = self.departments_of(user_id)
        for rule in self._find_rules(roles, resource):
            if rule.kind is ScopeKind.ALL:
                return EVERY_ROW
            if rule.kind is ScopeKind.OWN:
                own = True
            elif rule.kind is ScopeKind.CUSTOM:
                departments |= rule.departments
            elif rule.kind is ScopeKind.DEPARTMENT:
                departments |= belongs
            else:
                departments |= self._find_tree(belongs)
        form = (OWN if own else 0) | (DEPARTMENTS if departments else 0)
        return Reach(form, user_id if own else None, tuple(sorted(departments)))

    def _find_tree(self, departments: Iterable[str]) -> set[str]:
        """These departments and all below them."""
        found = set(departments)
        waiting = list(found)
        while waiting:
            new = [child for child in self._children.get(waiting.pop(), ()) if child not in found]
            found.update(new)
            waiting += new
        return found
