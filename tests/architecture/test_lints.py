"""Each small lint holds for the tree and sees a planted violation."""

import subprocess
import sys
from pathlib import Path

import pytest

from scripts.lints import FILE_LINES, FUNCTION_LINES, check_tree
from tests.architecture.conftest import plant

SERVICE = "src/xumi/modules/planted/service.py"
MODELS = "src/xumi/modules/planted/models.py"

VIOLATIONS = {
    "file-size": {"tests/long.py": "x = 1\n" * (FILE_LINES + 1)},
    "function-size": {"scripts/long.py": "def f():\n" + "    x = 1\n" * FUNCTION_LINES},
    "empty-name, a file": {"src/xumi/kernel/utils.py": ""},
    "empty-name, a folder": {"src/xumi/kernel/common/text.py": ""},
    "commit-in-feature": {SERVICE: "async def f(session):\n    await session.commit()"},
    "commit-in-feature, rollback": {SERVICE: "async def f(session):\n    await session.rollback()"},
    "float-money, a column": {MODELS: "price: Mapped[float] = mapped_column(Float)"},
    "float-money, a type given only as a value": {MODELS: "total_fen = Column(Float)"},
    "float-money, a field": {
        "src/xumi/modules/planted/schemas.py": "class A:\n    refund_amount: float | None"
    },
    "float-money, a parameter": {SERVICE: "def pay(price_fen: float) -> None: ..."},
    "float-money, a literal": {SERVICE: "price = 1.5"},
    "naive-datetime": {MODELS: "from sqlalchemy import DateTime"},
    "sql-from-strings, f-string": {SERVICE: 'text(f"select {name}")'},
    "sql-from-strings, joined": {SERVICE: 'session.execute("select " + name)'},
    "sql-from-strings, formatted": {SERVICE: 'connection.exec_driver_sql("select %s" % name)'},
    "sql-from-strings, format": {SERVICE: 'connection.fetch("select {}".format(name))'},
}

INNOCENT = {
    SERVICE: """
async def f(session, price_fen: int, prices: list[int]) -> None:
    await session.flush()
    session.execute(text("select :name"), {"name": f"x{price_fen}"})
    connection.execute(f"pragma foreign_keys")
    rate: float = 1.5
""",
    "src/xumi/modules/planted/commands.py": "async def f(session):\n    await session.commit()",
    "src/xumi/kernel/db/planted.py": 'text(f"create database {name}")  # lint: sql-from-strings the name is ours',
    "tests/test_planted.py": "price = 1.5\ndef f():\n" + "    x = 1\n" * (FUNCTION_LINES - 1),
}


def test_the_tree_is_clean(checkout: Path) -> None:
    assert [str(finding) for finding in check_tree(checkout)] == []


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_is_found(tmp_path: Path, violation: str) -> None:
    plant(tmp_path, VIOLATIONS[violation])
    assert {finding.rule for finding in check_tree(tmp_path)} == {violation.partition(",")[0]}


@pytest.mark.parametrize("name", INNOCENT)
def test_what_is_right_is_left_alone(tmp_path: Path, name: str) -> None:
    plant(tmp_path, {name: INNOCENT[name]})
    assert check_tree(tmp_path) == []


def test_an_excuse_counts_for_its_rule_and_needs_a_reason(tmp_path: Path) -> None:
    line = 'text(f"select {name}")'
    plant(tmp_path, {SERVICE: f"{line}  # lint: float-money because\n{line}  # lint: sql-from-strings"})
    assert len(check_tree(tmp_path)) == 2


RUFF_VIOLATIONS = {
    "DTZ005": "import datetime\n\nNOW = datetime.datetime.now()\n",
    "DTZ003": "import datetime\n\nNOW = datetime.datetime.utcnow()\n",
    "ASYNC251": "import time\n\n\nasync def f() -> None:\n    time.sleep(1)\n",
    "ASYNC230": 'async def f() -> None:\n    open("x")\n',
    "ASYNC210": 'import httpx\n\n\nasync def f() -> None:\n    httpx.get("http://127.0.0.1")\n',
    "ASYNC221": 'import subprocess\n\n\nasync def f() -> None:\n    subprocess.run(["x"])\n',
    "S608": 'def f(name: str) -> str:\n    return f"select * from users where name = {name}"\n',
    "S110": "def f() -> None:\n    try:\n        f()\n    except Exception:\n        pass\n",
    "PGH003": "x: int = ''  # type: ignore\n",
    "FIX002": "# TO" + "DO: later\n",
}


@pytest.mark.parametrize("rule", RUFF_VIOLATIONS)
def test_ruff_as_configured_finds(checkout: Path, rule: str) -> None:
    ruff = str(Path(sys.executable).parent / "ruff")
    command = [ruff, "check", "--no-cache", "--output-format=concise", f"--stdin-filename={SERVICE}", "-"]
    done = subprocess.run(
        command, cwd=checkout, input=RUFF_VIOLATIONS[rule], capture_output=True, text=True, check=False
    )
    assert done.returncode == 1, done.stdout + done.stderr
    assert f" {rule} " in done.stdout
