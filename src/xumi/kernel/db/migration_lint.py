"""What is dangerous in the SQL of a migration: it locks a busy table for long, breaks the version that still runs, or loses data.

The way out is always expand → backfill → contract: add what is new so that the old code can live with it, fill it, and remove
what is old in a later release.
"""

import re
from dataclasses import dataclass

_NAME = r'(?P<table>"[^"]+"|[\w.]+)'


@dataclass(frozen=True, slots=True)
class Finding:
    """One danger: the line of the SQL, its rule and what to do."""

    line: int
    rule: str
    advice: str

    def __str__(self) -> str:
        return f"line {self.line}: {self.rule}: {self.advice}"


@dataclass(frozen=True, slots=True)
class _Rule:
    name: str
    pattern: re.Pattern[str]
    advice: str
    postgresql_only: bool = False


def _rule(name: str, pattern: str, advice: str, *, postgresql_only: bool = False) -> _Rule:
    return _Rule(name, re.compile(pattern, re.IGNORECASE | re.DOTALL), advice, postgresql_only)


_RULES = (
    _rule(
        "add-required-column",
        rf"^ALTER TABLE {_NAME} ADD (?:COLUMN )?(?!CONSTRAINT)(?:(?!DEFAULT).)*NOT NULL(?:(?!DEFAULT).)*$",
        "existing rows have no value: add it with a default, or nullable and fill it",
    ),
    _rule(
        "drop-column",
        rf"^ALTER TABLE {_NAME} DROP COLUMN",
        "the data is gone and running servers still read it: stop using it in one release, drop it in the next",
    ),
    _rule("drop-table", rf"^DROP TABLE (?:IF EXISTS )?{_NAME}", "the data is gone: be sure that nothing reads it any more"),
    _rule(
        "rename",
        rf"^ALTER TABLE {_NAME} RENAME",
        "running servers know the old name: add the new one, write both, drop the old one later",
    ),
    _rule(
        "change-type",
        rf"^ALTER TABLE {_NAME} ALTER (?:COLUMN )?\S+ (?:SET DATA )?TYPE",
        "the whole table may be rewritten under a lock: add a column of the new type and fill it",
        postgresql_only=True,
    ),
    _rule(
        "set-not-null",
        rf"^ALTER TABLE {_NAME} ALTER (?:COLUMN )?\S+ SET NOT NULL",
        "every row is read under a lock: add a CHECK … NOT VALID and validate it first",
        postgresql_only=True,
    ),
    _rule(
        "create-index",
        rf"^CREATE (?:UNIQUE )?INDEX (?!CONCURRENTLY).*? ON {_NAME}",
        "writes wait until it is built: use postgresql_concurrently=True in an autocommit_block()",
        postgresql_only=True,
    ),
    _rule(
        "add-constraint",
        rf"^ALTER TABLE {_NAME} ADD CONSTRAINT \S+ (?:FOREIGN KEY|CHECK)(?!.*NOT VALID)",
        "every row is checked under a lock: add it NOT VALID and validate it in the next revision",
        postgresql_only=True,
    ),
)  # fmt: skip

_CREATED = re.compile(rf"^CREATE TABLE (?:IF NOT EXISTS )?{_NAME}", re.IGNORECASE)


def lint(sql: str, dialect: str) -> list[Finding]:
    """The dangers in the SQL of a plan. Tables that the same plan makes are nobody's yet and excused."""
    statements = list(_statements(sql))
    created = {found["table"] for _, text in statements if (found := _CREATED.match(text))}
    findings = []
    if (
        dialect == "postgresql"
        and statements
        and not re.search(r"SET (LOCAL )?lock_timeout", sql, re.IGNORECASE)
    ):
        advice = "a migration that waits for a lock stops all others: SET lock_timeout first"
        findings.append(Finding(1, "no-lock-timeout", advice))
    for line, text in statements:
        for rule in _RULES:
            if rule.postgresql_only and dialect != "postgresql":
                continue
            found = rule.pattern.match(text)
            if found and found["table"] not in created:
                findings.append(Finding(line, rule.name, f"{found['table']}: {rule.advice}"))
    return findings


def _statements(sql: str) -> list[tuple[int, str]]:
    """Each statement with the number of its first line."""
    statements: list[tuple[int, str]] = []
    begun: list[str] = []
    start = 0
    for number, line in enumerate(sql.splitlines(), 1):
        text = line.strip()
        if not text or text.startswith("--"):
            continue
        if not begun:
            start = number
        begun.append(text)
        if text.endswith(";"):
            statements.append((start, " ".join(begun).rstrip(";")))
            begun = []
    if begun:
        statements.append((start, " ".join(begun)))
    return statements
