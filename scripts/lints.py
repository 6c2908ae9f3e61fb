"""Rules that no linter brings: `python scripts/lints.py [FOLDER …]` prints `file:line: rule: what to do`.

A line may be excused with the rule's name and the reason: `# lint: sql-from-strings the name is our own constant`.
Naive datetimes and blocking calls in coroutines are ruff's (DTZ, ASYNC); layers are import-linter's; that every route
declares access is checked where the application starts.
"""

import ast
import re
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import NamedTuple

ROOTS = ("src", "tests", "scripts", "benchmarks")
FILE_LINES = 500
FUNCTION_LINES = 60
EMPTY_NAMES = frozenset(
    ["base", "common", "functions", "helper", "helpers", "misc", "tools", "util", "utils"]
)
MONEY = re.compile(r"(^|_)(fen|price|amount)$")
SQL_CALLS = frozenset(
    ["text", "exec_driver_sql", "execute", "executemany", "executescript", "fetch", "fetchrow", "fetchval"]
)
EXCUSE = re.compile(r"# lint: (?P<rule>[a-z-]+) \S")


class Finding(NamedTuple):
    path: Path
    line: int
    rule: str
    advice: str

    def __str__(self) -> str:
        return f"{self.path}:{self.line}: {self.rule}: {self.advice}"


class Source(NamedTuple):
    path: Path
    text: str
    tree: ast.Module

    def find(self, node: ast.AST, rule: str, advice: str) -> Finding:
        return Finding(self.path, getattr(node, "lineno", 1), rule, advice)


def check_sizes(source: Source) -> Iterator[Finding]:
    lines = source.text.count("\n")
    if lines > FILE_LINES:
        yield Finding(
            source.path, lines, "file-size", f"{lines} lines, the cap is {FILE_LINES}: split it by noun"
        )
    for node in ast.walk(source.tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            length = (node.end_lineno or node.lineno) - node.lineno + 1
            if length > FUNCTION_LINES:
                advice = f"{node.name} has {length} lines, the cap is {FUNCTION_LINES}: split it by step"
                yield source.find(node, "function-size", advice)


def check_name(source: Source) -> Iterator[Finding]:
    names = {source.path.stem, source.path.parent.name}
    for name in sorted(names & EMPTY_NAMES):
        yield Finding(
            source.path, 1, "empty-name", f"'{name}' says nothing: name the file after what it holds"
        )


def check_commit(source: Source) -> Iterator[Finding]:
    """The unit of work commits, once, after the handler; code of a feature that commits breaks that."""
    if "modules" not in source.path.parts or source.path.stem in {"commands", "consumers"}:
        return
    for node in ast.walk(source.tree):
        called = node.func if isinstance(node, ast.Call) else None
        if isinstance(called, ast.Attribute) and called.attr in {"commit", "rollback"}:
            advice = f".{called.attr}() belongs to the unit of work: raise an error, or return"
            yield source.find(node, "commit-in-feature", advice)


def check_money(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if isinstance(node, ast.AnnAssign):
            name, types = _target_name(node.target), [node.annotation, node.value]
        elif isinstance(node, ast.Assign):
            name, types = _target_name(node.targets[0]), [node.value]
        elif isinstance(node, ast.arg):
            name, types = node.arg, [node.annotation]
        else:
            continue
        if MONEY.search(name) and any(_mentions_float(part) for part in types if part is not None):
            yield source.find(
                node, "float-money", f"{name} is money: an integer number of minor units (*_fen)"
            )


def _target_name(target: ast.expr) -> str:
    if isinstance(target, ast.Attribute):
        return target.attr
    return target.id if isinstance(target, ast.Name) else ""


def _mentions_float(node: ast.expr) -> bool:
    for part in ast.walk(node):
        if isinstance(part, ast.Constant) and isinstance(part.value, float):
            return True
        name = part.attr if isinstance(part, ast.Attribute) else part.id if isinstance(part, ast.Name) else ""
        if name in {"float", "Float", "Double", "REAL", "FLOAT", "DOUBLE"}:
            return True
    return False


def check_datetime_columns(source: Source) -> Iterator[Finding]:
    """SQLAlchemy's own DateTime gives back naive values on SQLite and MySQL."""
    if "modules" not in source.path.parts:
        return
    for node in ast.walk(source.tree):
        names = {alias.name for alias in node.names} if isinstance(node, ast.ImportFrom) else set()
        if names & {"DateTime", "TIMESTAMP", "DATETIME"}:
            advice = "use UtcDateTime of xumi.kernel.db: aware UTC on every database"
            yield source.find(node, "naive-datetime", advice)


def check_sql(source: Source) -> Iterator[Finding]:
    for node in ast.walk(source.tree):
        if not isinstance(node, ast.Call) or not node.args:
            continue
        name = node.func.attr if isinstance(node.func, ast.Attribute) else getattr(node.func, "id", "")
        if name in SQL_CALLS and _is_composed(node.args[0]):
            advice = f"{name}(…) gets SQL put together from strings: bind values as parameters"
            yield source.find(node, "sql-from-strings", advice)


def _is_composed(node: ast.expr) -> bool:
    if isinstance(node, ast.JoinedStr):
        return any(isinstance(part, ast.FormattedValue) for part in node.values)
    if isinstance(node, ast.BinOp) and isinstance(node.op, ast.Add | ast.Mod):
        return any(_is_text(side) for side in (node.left, node.right))
    called = node.func if isinstance(node, ast.Call) else None
    return isinstance(called, ast.Attribute) and called.attr in {"format", "join"} and _is_text(called.value)


def _is_text(node: ast.expr) -> bool:
    return isinstance(node, ast.JoinedStr) or (isinstance(node, ast.Constant) and isinstance(node.value, str))


# Rules of the product; sizes and names hold for tests and scripts as well.
EVERYWHERE: tuple[Callable[[Source], Iterator[Finding]], ...] = (check_sizes, check_name)
PRODUCT = (check_commit, check_money, check_datetime_columns, check_sql)


def check_file(root: Path, path: Path) -> Iterator[Finding]:
    """Findings of one file; `path` is relative to `root`, the top of a checkout."""
    text = (root / path).read_text(encoding="utf-8")
    try:
        source = Source(path, text, ast.parse(text, str(path)))
    except SyntaxError as error:
        yield Finding(path, error.lineno or 1, "syntax", error.msg)
        return
    lines = text.splitlines()
    for rule in (*EVERYWHERE, *(PRODUCT if path.parts[0] == "src" else ())):
        for finding in rule(source):
            excuse = EXCUSE.search(lines[finding.line - 1]) if lines else None
            if excuse is None or excuse["rule"] != finding.rule:
                yield finding


def check_tree(root: Path, folders: tuple[str, ...] = ROOTS) -> list[Finding]:
    files = sorted(path for folder in folders for path in (root / folder).rglob("*.py"))
    return [finding for path in files for finding in check_file(root, path.relative_to(root))]


def main() -> int:
    findings = check_tree(Path(), tuple(sys.argv[1:]) or ROOTS)
    print("\n".join(map(str, findings)) or "no finding")
    return 1 if findings else 0


if __name__ == "__main__":
    sys.exit(main())
