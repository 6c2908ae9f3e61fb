"""The front door: help, version, and how a failure is told."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests.cli.conftest import Xumi

GROUPS = ("run", "routes", "doctor", "command", "init-db", "create-admin", "config", "db")


def test_help_lists_every_group(xumi: Xumi) -> None:
    result = xumi("--help")
    assert result.code == 0
    assert [name for name in GROUPS if f"\n  {name} " not in result.out] == []


@pytest.mark.parametrize("group", GROUPS)
def test_every_group_explains_itself(xumi: Xumi, group: str) -> None:
    result = xumi(group, "--help")
    assert result.code == 0
    assert f"Usage: xumi {group}" in result.out


def test_the_version(xumi: Xumi) -> None:
    from xumi import __version__

    assert xumi("--version").out == f"xumi {__version__}\n"


def test_an_unknown_command_is_a_wrong_use(xumi: Xumi) -> None:
    result = xumi("rum")
    assert result.code == 2
    assert "run" in result.err


@pytest.mark.parametrize(
    "command", [("run",), ("routes",), ("config", "show"), ("db", "status"), ("command",), ("init-db",)]
)
def test_a_refusal_to_start_is_one_message_without_a_traceback(
    xumi: Xumi, tmp_path: Path, command: tuple[str, ...]
) -> None:
    (tmp_path / ".env").write_text("DATABSE_URL=x\n")
    result = xumi(*command)
    assert result.code == 2
    assert "DATABSE_URL in .env is not a setting: did you mean DATABASE_URL?" in result.err
    assert "Traceback" not in result.err + result.out


@pytest.mark.parametrize("command", [("db", "upgrade"), ("db", "status"), ("init-db",)])
def test_a_database_that_is_away_is_told_without_a_traceback(xumi: Xumi, command: tuple[str, ...]) -> None:
    result = xumi(*command, DATABASE_URL="postgresql://nobody:hunter2@127.0.0.1:1/none")
    assert result.code == 1
    assert "database is not available" in result.err
    assert "Traceback" not in result.err + result.out
    assert "hunter2" not in result.err + result.out


def test_the_front_door_opens_without_the_heavy_libraries() -> None:
    code = (
        "import sys, xumi.cli; sys.exit(bool({'fastapi', 'sqlalchemy', 'cryptography'} & set(sys.modules)))"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=50).returncode == 0
