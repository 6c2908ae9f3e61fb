"""`xumi db`: the schema comes up to date and goes back, by the library's revisions and the project's."""

import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.cli.conftest import Xumi

MODELS = """
from sqlalchemy import String
from sqlalchemy.orm import Mapped, mapped_column
from xumi.kernel import ModelBase

class Greeting(ModelBase):
    __tablename__ = "greeting"
    text: Mapped[str] = mapped_column(String(50))
"""


def tables(directory: Path) -> set[str]:
    with closing(sqlite3.connect(directory / "data" / "xumi.db")) as connection:
        return {name for (name,) in connection.execute("select name from sqlite_master where type = 'table'")}


def rows(text: str) -> list[list[str]]:
    return [line.split() for line in text.splitlines()]


@pytest.fixture
def with_model(project: Path) -> Path:
    (project / "modules" / "greeter" / "models.py").write_text(MODELS)
    return project


def test_upgrade_applies_what_is_missing_and_status_tells(xumi: Xumi, tmp_path: Path) -> None:
    before = xumi("db", "status")
    assert before.code == 0, before.err
    assert rows(before.out)[0] == ["OWNER", "CURRENT", "HEAD", "MISSING"]
    assert rows(before.out)[1][:2] == ["library", "none"]
    assert "missing  library  0001" in before.out
    upgraded = xumi("db", "upgrade")
    assert upgraded.code == 0, upgraded.err
    owner, current, head, missing = rows(upgraded.out)[1]
    assert (owner, current, missing) == ("library", head, "0")
    assert "account_user" in tables(tmp_path)
    assert xumi("db", "upgrade").code == 0


def test_plan_prints_the_sql_and_changes_nothing(xumi: Xumi, tmp_path: Path) -> None:
    planned = xumi("db", "plan")
    assert planned.code == 0, planned.err
    assert "CREATE TABLE account_user" in planned.out
    assert "account_user" not in tables(tmp_path)
    assert xumi("db", "upgrade").code == 0
    assert "Nothing to do" in xumi("db", "plan").out


@pytest.mark.parametrize("target", [("base",), ("-1",), ("base", "--owner", "library")])
def test_downgrade_goes_back(xumi: Xumi, tmp_path: Path, target: tuple[str, ...]) -> None:
    assert xumi("db", "upgrade", "0001").code == 0
    assert "account_user" in tables(tmp_path)
    result = xumi("db", "downgrade", *target)
    assert result.code == 0, result.err
    assert rows(result.out)[1][:2] == ["library", "none"]
    assert "account_user" not in tables(tmp_path)


def test_a_revision_that_is_not_there_is_told(xumi: Xumi) -> None:
    for command in ("upgrade", "downgrade"):
        result = xumi("db", command, "nowhere")
        assert result.code == 2
        assert "no revision 'nowhere'" in result.err
        assert "Traceback" not in result.err
    assert xumi("db", "downgrade", "base", "--owner", "nobody").code == 2


@pytest.mark.timeout(150)
def test_a_project_writes_its_own_revision_and_applies_it(xumi_process: Xumi, with_model: Path) -> None:
    assert xumi_process("db", "upgrade").code == 0
    drift = xumi_process("db", "drift")
    assert (drift.code, "greeting" in drift.out) == (1, True)
    written = xumi_process("db", "revision", "greetings")
    assert written.code == 0, written.err
    file = Path(written.out.splitlines()[-1])
    assert file.parent == with_model / "migrations" / "versions"
    assert "greeting" in file.read_text()
    assert "account_user" not in file.read_text()
    upgraded = xumi_process("db", "upgrade")
    assert [row[0] for row in rows(upgraded.out)] == ["OWNER", "library", "project"]
    assert "greeting" in tables(with_model)
    assert xumi_process("db", "drift").code == 0


def test_an_existing_schema_is_adopted(xumi: Xumi, tmp_path: Path) -> None:
    assert xumi("db", "upgrade").code == 0
    with closing(sqlite3.connect(tmp_path / "data" / "xumi.db")) as connection:
        connection.execute("drop table xumi_version")
    assert "`xumi db stamp library` adopts them" in xumi("db", "status").out
    stamped = xumi("db", "stamp", "library")
    assert stamped.code == 0, stamped.err
    assert rows(stamped.out)[1][3] == "0"
