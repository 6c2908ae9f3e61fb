"""`xumi init-db` and `xumi create-admin`: from nothing to somebody who can sign in."""

import re
import sqlite3
from pathlib import Path

import pytest

from tests.cli.conftest import Xumi

PASSWORD = "correct horse battery 7"


def names(directory: Path) -> list[str]:
    with sqlite3.connect(directory / "data" / "xumi.db") as connection:
        found = [
            name for (name,) in connection.execute("select username from account_user order by username")
        ]
    connection.close()
    return found


def test_the_first_administrators_password_is_shown_once(xumi: Xumi, tmp_path: Path) -> None:
    first, second = xumi("init-db"), xumi("init-db")
    assert (first.code, second.code) == (0, 0), first.err + second.err
    assert re.search(r"administrator was made: admin, password \S{12,} \(shown only now\)", first.out)
    assert "password" not in second.out
    assert names(tmp_path) == ["admin"]


def test_a_configured_password_is_not_shown(xumi: Xumi, tmp_path: Path) -> None:
    result = xumi("init-db", INITIAL_ADMIN_USERNAME="chief", INITIAL_ADMIN_PASSWORD=PASSWORD)
    assert result.code == 0, result.err
    assert "chief, the password of INITIAL_ADMIN_PASSWORD" in result.out
    assert PASSWORD not in result.out
    assert names(tmp_path) == ["chief"]


@pytest.mark.parametrize(
    ("arguments", "given"),
    [(("--password", PASSWORD), ""), (("--password-stdin",), f"{PASSWORD}\r\n")],
    ids=["option", "standard input"],
)
def test_another_administrator(xumi: Xumi, tmp_path: Path, arguments: tuple[str, ...], given: str) -> None:
    assert xumi("init-db").code == 0
    result = xumi("create-admin", "--username", "second", "--email", "s@example.com", *arguments, given=given)
    assert result.code == 0, result.err
    assert "Administrator second was made" in result.out
    assert PASSWORD not in result.out
    assert names(tmp_path) == ["admin", "second"]


def test_what_was_left_out_is_asked_for(xumi: Xumi, xumi_process: Xumi, tmp_path: Path) -> None:
    assert xumi("init-db").code == 0
    result = xumi_process("create-admin", given=f"second\ns@example.com\n{PASSWORD}\n{PASSWORD}\n")
    assert result.code == 0, result.err
    assert "User name: " in result.out
    assert PASSWORD not in result.out
    assert names(tmp_path) == ["admin", "second"]


def test_a_refused_administrator_is_told_why(xumi: Xumi, tmp_path: Path) -> None:
    assert xumi("init-db").code == 0
    taken = xumi("create-admin", "--username", "admin", "--email", "s@example.com", "--password", PASSWORD)
    weak = xumi("create-admin", "--username", "second", "--email", "s@example.com", "--password", "second")
    wrong = xumi("create-admin", "--username", "second", "--email", "nowhere", "--password", PASSWORD)
    for result in (taken, weak, wrong):
        assert result.code == 1
        assert "Traceback" not in result.err
    assert "username" in taken.err
    assert "password" in weak.err
    assert "email" in wrong.err
    assert names(tmp_path) == ["admin"]


def test_an_empty_database_is_told(xumi: Xumi) -> None:
    result = xumi("create-admin", "--username", "x", "--email", "s@example.com", "--password", PASSWORD)
    assert result.code in (1, 2)
    assert "xumi db upgrade" in result.err
    assert "Traceback" not in result.err
