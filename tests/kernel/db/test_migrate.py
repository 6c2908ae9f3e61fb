"""Migrations: up and down on data, two at once, plans, SQL files, adoption, drift."""

import asyncio
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import MetaData, PrimaryKeyConstraint, inspect, text
from sqlalchemy.exc import DBAPIError

import xumi.modules.account.models as account
from tests.kernel.db.filling import fill
from xumi.kernel.db import migrate, migration_scripts
from xumi.kernel.db.engine import Database
from xumi.kernel.db.migration_lint import lint
from xumi.kernel.db.model import ModelBase
from xumi.kernel.db.revisions import heads_reached, library
from xumi.kernel.db.sqlite import virtual_tables
from xumi.kernel.errors import StartError

REVISIONS = [script.revision for script in reversed(list(library().scripts.walk_revisions()))]


async def rows(url: str, sql: str) -> list[tuple[Any, ...]]:
    """What a query finds."""
    database = Database(url)
    try:
        async with database.sessions() as session:
            return [tuple(row) for row in (await session.execute(text(sql))).all()]
    finally:
        await database.close()


async def tables(url: str) -> set[str]:
    """The tables of a database."""
    database = Database(url)
    async with database.engine.connect() as connection:
        names = await connection.run_sync(lambda c: set(inspect(c).get_table_names()))
    await database.close()
    return names


async def counts(url: str) -> dict[str, int]:
    """How many rows each table of the library has."""
    names = sorted(table.name for table in ModelBase.metadata.sorted_tables)
    return {name: (await rows(url, f"SELECT count(*) FROM {name}"))[0][0] for name in names}


async def test_the_library_goes_up_down_and_up_with_data(own_url: str) -> None:
    await migrate.upgrade(own_url)
    assert await migrate.drift(own_url) == []
    await fill(own_url)
    before = await counts(own_url)
    assert set(before.values()) == {1}
    await migrate.upgrade(own_url)
    assert await counts(own_url) == before
    for revision in reversed(["base", *REVISIONS[:-1]]):
        await migrate.downgrade(own_url, revision, owner="library")
    assert await tables(own_url) == {"xumi_version"}
    for revision in REVISIONS:
        await migrate.upgrade(own_url, revision)
    assert await migrate.drift(own_url) == []
    await fill(own_url)
    assert await counts(own_url) == before


async def test_constraints_are_enforced_after_a_migration(own_url: str) -> None:
    await migrate.upgrade(own_url)
    database = Database(own_url)
    async with database.sessions() as session:
        session.add(account.UserRole(user_id="nobody", role="user"))
        with pytest.raises(DBAPIError):
            await session.commit()
    await database.close()


async def test_every_constraint_has_a_name(own_url: str) -> None:
    await migrate.upgrade(own_url)
    database = Database(own_url)

    def collect(connection: Any) -> list[tuple[str, Any]]:
        metadata = MetaData()
        metadata.reflect(connection)
        return [
            (t.name, c.name)
            for t in metadata.sorted_tables
            for c in t.constraints
            if t.name != "xumi_version"
            and t.name not in virtual_tables(connection)
            # MySQL calls every primary key PRIMARY.
            and not (database.dialect == "mysql" and isinstance(c, PrimaryKeyConstraint))
        ]

    async with database.engine.connect() as connection:
        found = await connection.run_sync(collect)
    await database.close()
    assert found
    assert [pair for pair in found if not pair[1]] == []
    assert all(re.match(r"(pk|fk|uq|ck)_", str(name)) for _, name in found)


async def test_readiness_follows_the_revisions(own_url: str) -> None:
    database = Database(own_url)
    assert not await heads_reached(database.read.runner)
    await migrate.upgrade(own_url)
    assert await heads_reached(database.read.runner)
    await migrate.downgrade(own_url, "base", owner="library")
    assert not await heads_reached(database.read.runner)
    await database.close()


async def test_the_status_of_an_empty_and_of_a_full_database(own_url: str) -> None:
    [before] = await migrate.status(own_url)
    assert (before.owner, before.current, before.head, before.adoptable) == (
        "library",
        None,
        REVISIONS[-1],
        False,
    )
    assert [revision for revision, _ in before.pending] == REVISIONS
    await migrate.upgrade(own_url)
    [after] = await migrate.status(own_url)
    assert (after.current, after.pending) == (REVISIONS[-1], ())


async def test_two_processes_at_once_do_it_once(own_url: str) -> None:
    code = f"import asyncio; from xumi.kernel.db import migrate; asyncio.run(migrate.upgrade({own_url!r}))"
    processes = [
        await asyncio.create_subprocess_exec(sys.executable, "-c", code, stderr=subprocess.PIPE)
        for _ in range(2)
    ]
    outcomes = await asyncio.gather(*[process.communicate() for process in processes])
    assert [process.returncode for process in processes] == [0, 0], outcomes
    assert await rows(own_url, "SELECT version_num FROM xumi_version") == [(REVISIONS[-1],)]


async def test_several_tasks_of_one_process_may_migrate(own_url: str) -> None:
    await asyncio.gather(*[migrate.upgrade(own_url) for _ in range(3)])
    assert (await migrate.status(own_url))[0].pending == ()


async def test_the_plan_is_the_sql_and_runs_nothing(own_url: str) -> None:
    plan = await migrate.plan(own_url)
    assert "CREATE TABLE account_user" in plan.sql
    assert plan.findings == ()
    assert ("SET lock_timeout" in plan.sql) is own_url.startswith("postgresql")
    assert await tables(own_url) == set()
    await migrate.upgrade(own_url)
    assert await migrate.plan(own_url) == migrate.Plan("", ())


async def test_drift_tells_what_differs(own_url: str) -> None:
    await migrate.upgrade(own_url)
    database = Database(own_url)
    async with database.engine.begin() as connection:
        for statement in (
            "DROP TABLE poster_poster",
            "CREATE TABLE stranger (id INT)",
            "ALTER TABLE account_user ADD COLUMN nickname VARCHAR(5)",
            "DROP INDEX ix_account_guess_window"
            + (" ON account_guess" if database.dialect == "mysql" else ""),
        ):
            await connection.execute(text(statement))
    await database.close()
    found = await migrate.drift(own_url)
    assert "table poster_poster: missing in the database" in found
    assert "table stranger: not in the models" in found
    assert "column account_user.nickname: not in the models" in found
    assert "index account_guess.ix_account_guess_window: missing in the database" in found


async def test_a_schema_that_exists_is_adopted(own_url: str) -> None:
    database = Database(own_url)
    async with database.engine.begin() as connection:
        await connection.run_sync(ModelBase.metadata.create_all)
    await database.close()
    [before] = await migrate.status(own_url)
    assert before.adoptable
    await migrate.stamp(own_url, "library")
    [after] = await migrate.status(own_url)
    assert (after.current, after.adoptable) == (REVISIONS[-1], False)
    await migrate.upgrade(own_url)
    assert await migrate.drift(own_url) == []


async def test_unknown_revisions_are_named(own_url: str) -> None:
    with pytest.raises(StartError, match="no revision 'nonsense'"):
        await migrate.upgrade(own_url, "nonsense")
    await migrate.upgrade(own_url)
    database = Database(own_url)
    async with database.engine.begin() as connection:
        await connection.execute(text("UPDATE xumi_version SET version_num = 'future'"))
    assert not await heads_reached(database.read.runner)
    await database.close()
    with pytest.raises(StartError, match="notes revision 'future'"):
        await migrate.status(own_url)
    with pytest.raises(StartError, match="future"):
        await migrate.upgrade(own_url)


FIRST = '''"""first"""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "p1", None, None, None
def upgrade():
    op.create_table("p_item", sa.Column("id", sa.Integer, primary_key=True), sa.Column("name", sa.String(20)))
def downgrade():
    op.drop_table("p_item")
'''
SECOND = '''"""second"""
import sqlalchemy as sa
from alembic import op
revision, down_revision, branch_labels, depends_on = "p2", "p1", None, None
def upgrade():
    with op.batch_alter_table("p_item") as table:
        table.alter_column("name", existing_type=sa.String(20), type_=sa.String(40))
        table.add_column(sa.Column("price_fen", sa.BigInteger, nullable=True))
def downgrade():
    with op.batch_alter_table("p_item") as table:
        table.drop_column("price_fen")
        table.alter_column("name", existing_type=sa.String(40), type_=sa.String(20))
'''
UP_SQL = """-- a comment; with a semicolon
INSERT INTO p_item (id, name) VALUES (1, 'a;b'), (2, 'it''s');
UPDATE p_item SET price_fen = 100
"""
DOWN_SQL = "DELETE FROM p_item WHERE id = 2;\n"


@pytest.fixture
def directory(tmp_path: Path) -> Path:
    """A project with two revisions and SQL files beside the second."""
    versions = tmp_path / "project" / "migrations" / "versions"
    versions.mkdir(parents=True)
    (versions / "p1_first.py").write_text(FIRST)
    (versions / "p2_second.py").write_text(SECOND)
    (versions / "p2_upgrade.sql").write_text(UP_SQL)
    (versions / "p2_downgrade.sql").write_text(DOWN_SQL)
    return tmp_path / "project"


async def test_a_project_has_its_own_revisions_and_sql_files(own_url: str, directory: Path) -> None:
    await migrate.upgrade(own_url, directory=directory)
    assert await rows(own_url, "SELECT id, name, price_fen FROM p_item ORDER BY id") == [
        (1, "a;b", 100),
        (2, "it's", 100),
    ]
    assert [status.owner for status in await migrate.status(own_url, directory=directory)] == [
        "library",
        "project",
    ]
    await migrate.downgrade(own_url, "-1", directory=directory)
    assert await rows(own_url, "SELECT * FROM p_item") == [(1, "a;b")]
    assert (await migrate.status(own_url, directory=directory))[0].pending == ()
    await migrate.downgrade(own_url, "base", directory=directory)
    assert "p_item" not in await tables(own_url)
    await migrate.upgrade(own_url, directory=directory)
    assert len(await rows(own_url, "SELECT * FROM p_item")) == 2
    await migrate.downgrade(own_url, "p1", directory=directory)
    assert len(await rows(own_url, "SELECT * FROM p_item")) == 1


async def test_readiness_wants_the_projects_revisions_too(own_url: str, directory: Path) -> None:
    await migrate.upgrade(own_url)
    database = Database(own_url)
    assert await heads_reached(database.read.runner)
    assert not await heads_reached(database.read.runner, directory)
    await migrate.upgrade(own_url, directory=directory)
    assert await heads_reached(database.read.runner, directory)
    await database.close()


async def test_a_plan_prints_sql_files_and_says_what_is_dangerous(own_url: str, directory: Path) -> None:
    await migrate.upgrade(own_url)
    if own_url.startswith("sqlite"):
        with pytest.raises(StartError, match="cannot be told without running"):
            await migrate.plan(own_url, directory=directory)
        return
    await migrate.upgrade(own_url, "p1", directory=directory)
    plan = await migrate.plan(own_url, directory=directory)
    assert "it''s" in plan.sql
    # The rule is about PostgreSQL.
    expected = ["change-type"] if own_url.startswith("postgresql") else []
    assert [finding.rule for finding in plan.findings] == expected


async def test_a_revision_that_fails_leaves_the_database_as_it_was(own_url: str, directory: Path) -> None:
    (directory / "migrations" / "versions" / "p2_upgrade.sql").write_text(
        "INSERT INTO p_item (id) VALUES (7); SELECT nonsense FROM nowhere;"
    )
    with pytest.raises(Exception, match="nowhere"):
        await migrate.upgrade(own_url, directory=directory)
    if own_url.startswith("sqlite"):
        assert await tables(own_url) == set()
    else:
        assert await rows(own_url, "SELECT version_num FROM project_version") == [("p1",)]
        assert await rows(own_url, "SELECT * FROM p_item") == []


async def test_a_revision_of_sql_alone_is_one_transaction(own_url: str, directory: Path) -> None:
    versions = directory / "migrations" / "versions"
    nothing = SECOND.split("def upgrade")[0] + "def upgrade(): pass\ndef downgrade(): pass\n"
    await asyncio.to_thread((versions / "p2_second.py").write_text, nothing)
    script = versions / "p2_upgrade.sql"
    await asyncio.to_thread(
        script.write_text, "INSERT INTO p_item (id) VALUES (7); SELECT nonsense FROM nowhere;"
    )
    await migrate.upgrade(own_url, "p1", directory=directory)
    with pytest.raises(Exception, match="nowhere"):
        await migrate.upgrade(own_url, directory=directory)
    assert await rows(own_url, "SELECT * FROM p_item") == []
    await asyncio.to_thread(script.write_text, "INSERT INTO p_item (id) VALUES (7)")
    await migrate.upgrade(own_url, directory=directory)
    assert await rows(own_url, "SELECT id FROM p_item") == [(7,)]


async def test_sql_before_a_failing_downgrade_is_undone(own_url: str, directory: Path) -> None:
    """The second step of a run begins its transaction with the file, not with a statement of SQLAlchemy."""
    await migrate.upgrade(own_url, directory=directory)
    versions = directory / "migrations" / "versions"
    broken = FIRST.replace('    op.drop_table("p_item")', "    raise KeyError('broken')")
    await asyncio.to_thread((versions / "p1_first.py").write_text, broken)
    await asyncio.to_thread((versions / "p1_downgrade.sql").write_text, "DELETE FROM p_item")
    with pytest.raises(KeyError, match="broken"):
        await migrate.downgrade(own_url, "base", directory=directory)
    # On SQLite all steps are one transaction, elsewhere each is its own and the first one holds.
    kept = [(1,), (2,)] if own_url.startswith("sqlite") else [(1,)]
    assert await rows(own_url, "SELECT id FROM p_item ORDER BY id") == kept


async def test_two_heads_are_refused(own_url: str, directory: Path) -> None:
    other = SECOND.replace('"p2", "p1"', '"p3", "p1"')
    (directory / "migrations" / "versions" / "p3_other.py").write_text(other)
    with pytest.raises(StartError, match="2 newest revisions"):
        await migrate.upgrade(own_url, directory=directory)


async def test_references_survive_a_changed_table_on_sqlite(own_url: str, directory: Path) -> None:
    """SQLite changes a table by copying it; rows that refer to it must neither vanish nor break."""
    versions = directory / "migrations" / "versions"
    third = (
        SECOND.replace('"p2", "p1"', '"p3", "p2"').split("def upgrade")[0]
        + """
def upgrade():
    op.create_table("p_part", sa.Column("id", sa.Integer, primary_key=True), sa.Column("item_id", sa.Integer, sa.ForeignKey("p_item.id", ondelete="CASCADE")))
    op.execute("INSERT INTO p_part VALUES (1, 1)")
    with op.batch_alter_table("p_item", recreate="auto") as table:
        table.alter_column("name", existing_type=sa.String(40), nullable=False)
def downgrade():
    op.drop_table("p_part")
"""
    )
    (versions / "p3_third.py").write_text(third)
    await migrate.upgrade(own_url, directory=directory)
    assert await rows(own_url, "SELECT count(*) FROM p_part") == [(1,)]
    broken = third.replace('"p3", "p2"', '"p4", "p3"').replace(
        "def upgrade():", "def upgrade():\n    op.execute('DELETE FROM p_item')\n    return"
    )
    (versions / "p4_broken.py").write_text(broken)
    if own_url.startswith("sqlite"):
        with pytest.raises(StartError, match="refer to nothing"):
            await migrate.upgrade(own_url, directory=directory)
    assert await rows(own_url, "SELECT count(*) FROM p_part") == [(1,)]


async def test_a_new_revision_holds_the_difference(
    own_url: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(migration_scripts, "owner_of_table", lambda table: "project")
    monkeypatch.setattr(migrate, "owner_of_table", lambda table: "project")
    file = await migrate.revision(own_url, "Add everything: users, posters", directory=tmp_path / "new")
    source = await asyncio.to_thread(file.read_text)
    assert file.parent == tmp_path / "new" / "migrations" / "versions"
    assert re.fullmatch(r"\d{14}_add_everything_users_posters\.py", file.name)
    assert "create_table('poster_poster'" in source.replace('"', "'")
    assert "UtcDateTime()" in source
    assert "from xumi.kernel.db.model import UtcDateTime" in source
    compile(source, str(file), "exec")
    empty = await migrate.revision(own_url, "by hand", autogenerate=False, directory=tmp_path / "new2")
    assert "pass" in await asyncio.to_thread(empty.read_text)


async def test_a_project_revision_leaves_the_librarys_tables_alone(own_url: str, tmp_path: Path) -> None:
    await migrate.upgrade(own_url)
    file = await migrate.revision(own_url, "nothing", directory=tmp_path / "new")
    source = await asyncio.to_thread(file.read_text)
    assert "account" not in source
    assert "drop_table" not in source


def test_statements_are_split_where_sqlite_ends_them() -> None:
    script = """
    CREATE TABLE a (x TEXT DEFAULT ';'); -- ; comment
    /* ; */ INSERT INTO a VALUES ('it''s; "fine"');
    CREATE TRIGGER t AFTER INSERT ON a BEGIN DELETE FROM a; SELECT 1; END;
    ;
    DELETE FROM a
    """
    statements = migration_scripts.split_statements(script)
    assert len(statements) == 4
    assert statements[2].endswith("END;")
    assert migration_scripts.split_statements("") == []
    assert migration_scripts.split_statements(";;\n;") == []


@pytest.mark.parametrize(
    ("sql", "rules"),
    [
        ("ALTER TABLE a ADD COLUMN b INT NOT NULL;", ["add-required-column"]),
        ("ALTER TABLE a ADD COLUMN b INT DEFAULT 0 NOT NULL;", []),
        ("ALTER TABLE a ADD COLUMN b INT NOT NULL DEFAULT 0;", []),
        ("ALTER TABLE a ADD COLUMN b INT;", []),
        ("ALTER TABLE a DROP COLUMN b;", ["drop-column"]),
        ("DROP TABLE a;", ["drop-table"]),
        ("ALTER TABLE a RENAME COLUMN b TO c;", ["rename"]),
        ("ALTER TABLE a ALTER COLUMN b TYPE BIGINT;", ["change-type"]),
        ("ALTER TABLE a ALTER COLUMN b SET NOT NULL;", ["set-not-null"]),
        ("CREATE INDEX i ON a (b);", ["create-index"]),
        ("CREATE INDEX CONCURRENTLY i ON a (b);", []),
        ("CREATE UNIQUE INDEX i ON a (b);", ["create-index"]),
        ("ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY(b) REFERENCES c (id);", ["add-constraint"]),
        ("ALTER TABLE a ADD CONSTRAINT f FOREIGN KEY(b) REFERENCES c (id) NOT VALID;", []),
        (
            "CREATE TABLE a (\n id INT\n);\nCREATE INDEX i ON a (b);\nALTER TABLE a ALTER COLUMN b SET NOT NULL;",
            [],
        ),
    ],
)
def test_dangerous_sql_is_found(sql: str, rules: list[str]) -> None:
    assert [finding.rule for finding in lint(f"SET lock_timeout = '5s';\n{sql}", "postgresql")] == rules
    assert "no-lock-timeout" in [finding.rule for finding in lint(sql, "postgresql")]


def test_findings_name_the_line_and_what_to_do() -> None:
    [finding] = lint("-- Running\n\nALTER TABLE a DROP COLUMN b;", "sqlite")
    assert str(finding).startswith("line 3: drop-column: a: the data is gone")
