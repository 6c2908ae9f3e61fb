"""A process imports what it uses: what is heavy and optional is paid for by who needs it."""

import subprocess
import sys
from pathlib import Path

import pytest

# What only some requests, commands or databases need.
OPTIONAL = {
    "alembic",
    "asyncmy",
    "asyncpg",
    "cryptography",
    "httpx",
    "hypothesis",
    "mako",
    "psutil",
    "pygments",
    "pytest",
    "rich",
    "sqlalchemy.dialects.mysql",
    "xumi.kernel.db.migrate",
    "xumi.kernel.db.mysql",
    "xumi.kernel.secrets",
    "xumi.kernel.testing",
}
CREATE = """
from xumi.api import create_app, prepare
from xumi.kernel.config import Settings
app = create_app(Settings.model_validate({"app_env": "test", "database_url": DATABASE_URL}))
"""


def imported(code: str, directory: Path) -> set[str]:
    """The modules that a process has imported after this code."""
    done = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys; print('MODULES', *sys.modules)"],
        cwd=directory,
        capture_output=True,
        text=True,
        check=True,
    )
    return set(done.stdout.splitlines()[-1].split()[1:])


def test_an_application_on_sqlite_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    code = CREATE.replace("DATABASE_URL", f"'sqlite:///{tmp_path}/xumi.db'")
    assert imported(code, tmp_path) & (OPTIONAL | {"sqlalchemy.dialects.postgresql"}) == set()


def test_an_application_on_postgresql_imports_nothing_that_it_does_not_need(tmp_path: Path) -> None:
    code = CREATE.replace("DATABASE_URL", "'postgresql://somebody@127.0.0.1/nowhere'")
    found = imported(code, tmp_path)
    assert found & ({*OPTIONAL, "aiosqlite", "sqlalchemy.dialects.sqlite"} - {"asyncpg"}) == set()
    assert "asyncpg" in found


def test_a_start_on_a_database_at_head_needs_no_alembic(sqlite_url: str, tmp_path: Path) -> None:
    code = CREATE.replace("DATABASE_URL", repr(sqlite_url)) + "import asyncio; asyncio.run(prepare(app))"
    assert imported(code, tmp_path) & OPTIONAL == set()


@pytest.mark.parametrize("arguments", [["--help"], ["--version"]])
def test_help_imports_neither_the_database_nor_the_web(arguments: list[str], tmp_path: Path) -> None:
    code = f"""
from xumi.cli import main
try:
    main({arguments})
except SystemExit:
    pass
"""
    heavy = {*OPTIONAL, "fastapi", "pydantic", "prometheus_client", "sqlalchemy", "starlette"}
    assert imported(code, tmp_path) & heavy == set()


def test_looking_at_the_configuration_imports_neither_the_database_nor_the_web(tmp_path: Path) -> None:
    code = "from xumi.cli import main\ntry:\n    main(['config', 'show'])\nexcept SystemExit:\n    pass"
    assert imported(code, tmp_path) & (OPTIONAL | {"fastapi", "sqlalchemy", "starlette"}) == set()
