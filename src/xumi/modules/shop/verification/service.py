"""Reads the invariants, and asks a database whether they hold."""

import re
from collections.abc import AsyncIterator, Sequence
from functools import cache
from importlib.resources import files
from typing import Any, NamedTuple

from sqlalchemy import text

from xumi.kernel.db.session import separate_transaction

_HEAD = re.compile(r"^-- ([a-z-]+): (.+)$")


class Invariant(NamedTuple):
    """Something that is always true: the statement returns the rows that break it."""

    name: str
    meaning: str
    sql: str


class Verdict(NamedTuple):
    """What became of an invariant; `broken` is empty where it holds."""

    invariant: Invariant
    broken: Sequence[dict[str, Any]]


@cache
def read_invariants() -> tuple[Invariant, ...]:
    """The statements of `invariants.sql`, in its order."""
    content = (files(__package__) / "invariants.sql").read_text(encoding="utf-8")
    return tuple(_read(block) for block in content.split("\n\n") if _HEAD.match(block.partition("\n")[0]))


def _read(block: str) -> Invariant:
    head, _, sql = block.partition("\n")
    found = _HEAD.match(head)
    assert found is not None
    return Invariant(found[1], found[2], sql.strip().removesuffix(";"))


async def verify() -> AsyncIterator[Verdict]:
    """Ask the running context's database for each invariant, in a transaction of its own, so that nobody has to wait for all."""
    for invariant in read_invariants():
        async with separate_transaction() as session:
            rows = (await session.execute(text(invariant.sql))).mappings().all()
        yield Verdict(invariant, [dict(row) for row in rows])
