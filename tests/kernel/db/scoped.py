"""Models with a scope, random worlds of departments, rules and rows, and what a caller should see of them, in plain Python."""

import random
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ForeignKey, MetaData, String
from sqlalchemy.orm import Mapped, mapped_column, relationship

from xumi.kernel.auth.scope import ScopeKind, ScopeRule, Scopes
from xumi.kernel.db.model import NAMING_CONVENTION, ModelBase
from xumi.kernel.db.scope import Scope

RESOURCES = ("t-order", "t-line", "t-memo")
DEPARTMENTS = [f"d{number}" for number in range(8)]
USERS = [f"u{number}" for number in range(5)]
ROLES = ["r0", "r1", "r2", "r3"]

Row = dict[str, Any]


class ScopedBase(ModelBase):
    """Base of these tables."""

    __abstract__ = True
    metadata = MetaData(naming_convention=NAMING_CONVENTION)


class Order(ScopedBase):
    """Rows with an owner and a department."""

    __tablename__ = "t_order"
    __scope__ = Scope("t-order", owner="owner", department="department")

    owner: Mapped[str | None] = mapped_column("owner_id", String(10))
    department: Mapped[str | None] = mapped_column("department_id", String(10))
    amount: Mapped[int]
    lines: Mapped[list["Line"]] = relationship(back_populates="order", order_by="Line.id")


class Line(ScopedBase):
    """Rows with a department only."""

    __tablename__ = "t_line"
    __scope__ = Scope("t-line", department="department")

    order_id: Mapped[str] = mapped_column(ForeignKey("t_order.id"))
    department: Mapped[str | None] = mapped_column(String(10))
    quantity: Mapped[int]
    order: Mapped[Order] = relationship(back_populates="lines")


class Memo(ScopedBase):
    """Rows with an owner only."""

    __tablename__ = "t_memo"
    __scope__ = Scope("t-memo", owner="owner")

    order_id: Mapped[str] = mapped_column(String(26))
    owner: Mapped[str | None] = mapped_column(String(10))


class Label(ScopedBase):
    """Rows that everybody sees."""

    __tablename__ = "t_label"

    order_id: Mapped[str] = mapped_column(String(26))


@dataclass
class World:
    """Departments, members, rules and rows."""

    parents: dict[str, str | None]
    members: dict[str, set[str]]
    rules: dict[str, dict[str, ScopeRule]]
    orders: list[Row] = field(default_factory=list)
    lines: list[Row] = field(default_factory=list)
    memos: list[Row] = field(default_factory=list)
    labels: list[Row] = field(default_factory=list)

    def tell(self, scopes: Scopes) -> None:
        """Make the snapshot know it."""
        scopes.replace_departments(self.parents)
        scopes.replace_rules(self.rules)
        scopes.set_members({user: self.members.get(user, ()) for user in USERS})

    def seen_by(self, user: str | None, roles: Sequence[str]) -> "World":
        """The world as a caller may see it; None is nobody."""
        return World(
            {},
            {},
            {},
            [row for row in self.orders if self._may_see(user, roles, "t-order", row)],
            [row for row in self.lines if self._may_see(user, roles, "t-line", row)],
            [row for row in self.memos if self._may_see(user, roles, "t-memo", row)],
            self.labels,
        )

    def _may_see(self, user: str | None, roles: Sequence[str], resource: str, row: Mapping[str, Any]) -> bool:
        if user is None:
            return False
        return any(
            self._opens(self.rules[role][resource], user, row)
            for role in roles
            if role in self.rules and resource in self.rules[role]
        )

    def _opens(self, rule: ScopeRule, user: str, row: Mapping[str, Any]) -> bool:
        department, mine = row.get("department"), self.members.get(user, set())
        match rule.kind:
            case ScopeKind.ALL:
                return True
            case ScopeKind.OWN:
                return row.get("owner") == user
            case ScopeKind.DEPARTMENT:
                return department in mine
            case ScopeKind.CUSTOM:
                return department in rule.departments
            case _:
                while department is not None:
                    if department in mine:
                        return True
                    department = self.parents[department]
                return False


def make_world(chance: random.Random) -> World:
    """A random world."""
    parents = {name: chance.choice([None, *DEPARTMENTS[:number]]) for number, name in enumerate(DEPARTMENTS)}
    members = {user: set(chance.sample(DEPARTMENTS, chance.choice([0, 1, 1, 2, 3]))) for user in USERS}
    rules: dict[str, dict[str, ScopeRule]] = {}
    for role in ROLES:
        rules[role] = {
            resource: make_rule(chance) for resource in chance.sample(RESOURCES, chance.randint(0, 3))
        }
    world = World(parents, members, rules)
    maybe_user, maybe_department = [None, *USERS], [None, *DEPARTMENTS]
    for number in range(24):
        key = f"o{number:02}"
        owner, department = chance.choice(maybe_user), chance.choice(maybe_department)
        world.orders.append(
            {"id": key, "owner": owner, "department": department, "amount": chance.randint(1, 5)}
        )
        world.memos.append({"id": f"m{number:02}", "order_id": key, "owner": chance.choice(maybe_user)})
        if number % 2:
            world.labels.append({"id": f"t{number:02}", "order_id": key})
        for line in range(chance.randint(0, 2)):
            found = {"id": f"l{number:02}{line}", "order_id": key, "quantity": chance.randint(1, 9)}
            world.lines.append(found | {"department": chance.choice(maybe_department)})
    return world


def make_rule(chance: random.Random) -> ScopeRule:
    """A random rule; `all` is rarer than the others."""
    kind = chance.choice([*ScopeKind, ScopeKind.OWN, ScopeKind.DEPARTMENT, ScopeKind.DEPARTMENT_TREE])
    chosen = frozenset(chance.sample(DEPARTMENTS, chance.randint(0, 3)))
    return ScopeRule(kind, chosen if kind is ScopeKind.CUSTOM else frozenset())
