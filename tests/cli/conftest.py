"""`xumi` as people run it, in a directory of its own and without their settings.

`xumi` runs it inside the test's process, which is quick; `xumi_process` starts a process, which is needed where a project's
own modules are loaded.
"""

import io
import logging
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from xumi.kernel import log
from xumi.kernel.config import registry, running
from xumi.kernel.testing.server import clean_environment

SECONDS = 50


@dataclass(frozen=True)
class Result:
    """How a command ended."""

    code: int
    out: str
    err: str


Xumi = Callable[..., Result]


@pytest.fixture
def xumi(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Xumi:
    """Run `xumi ARGUMENTS` in the test's directory: `xumi("config", "show", given="text for stdin", PORT="1")`."""

    def run(*arguments: str, given: str = "", **settings: str) -> Result:
        from xumi.cli import main

        root = logging.getLogger()
        handlers, level = list(root.handlers), root.level
        with pytest.MonkeyPatch.context() as patch, log.capture():
            patch.chdir(tmp_path)
            patch.setattr("os.environ", clean_environment(**settings))
            patch.setattr(sys, "stdin", io.StringIO(given))
            patch.setattr(sys, "path", list(sys.path))
            patch.setattr(running, "_process_settings", None)
            patch.setattr(registry, "_registered", {})
            capfd.readouterr()
            with pytest.raises(SystemExit) as ended:
                main(list(arguments))
        root.handlers[:] = handlers
        root.setLevel(level)
        return Result(int(ended.value.code or 0), *capfd.readouterr())

    return run


@pytest.fixture
def xumi_process(tmp_path: Path) -> Xumi:
    """The same, in a process; `program` is what Python runs instead of `xumi`."""

    def run(
        *arguments: str, given: str = "", program: tuple[str, ...] = ("-m", "xumi.cli"), **settings: str
    ) -> Result:
        done = subprocess.run(
            [sys.executable, *program, *arguments],
            cwd=tmp_path,
            env=clean_environment(**settings),
            input=given,
            capture_output=True,
            text=True,
            timeout=SECONDS,
            check=False,
        )
        return Result(done.returncode, done.stdout, done.stderr)

    return run


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with one feature, `greeter`, that has a section, a route and commands."""
    feature = tmp_path / "modules" / "greeter"
    feature.mkdir(parents=True)
    (feature / "__init__.py").write_text(
        "from xumi.kernel import Module, Section\n"
        "class GreeterSettings(Section):\n"
        "    word: str = 'Hello'\n"
        "    api_token: str = ''\n"
        "MODULE = Module(name='greeter', title_en='Greeter', title_zh='问候', settings=GreeterSettings)\n"
    )
    (feature / "api.py").write_text(
        "from xumi.kernel import get_router\n"
        "router = get_router()\n"
        "@router.get('/greetings', public=True)\n"
        "async def greet() -> str:\n"
        "    return 'hello'\n"
    )
    (feature / "commands.py").write_text(
        "from sqlalchemy import text\n"
        "from xumi.kernel import Command, CommandBase, DatabaseManager, section\n"
        "from modules.greeter import GreeterSettings\n"
        "class Greet(Command):\n"
        "    '''Says hello.'''\n"
        "    name = 'greet'\n"
        "    @staticmethod\n"
        "    def add_parser(parser):\n"
        "        parser.add_argument('--username', default='you', help='whom to greet')\n"
        "    @staticmethod\n"
        "    def run(params):\n"
        "        with DatabaseManager() as db:\n"
        "            one = db.execute(text('select 1')).scalar_one()\n"
        "        print(section(GreeterSettings).word, params.username, one, 'username' in params)\n"
        "class Count(metaclass=CommandBase):\n"
        "    name = 'count'\n"
        "    @staticmethod\n"
        "    async def run(params):\n"
        "        async with DatabaseManager() as db:\n"
        "            print((await db.execute(text('select 41 + 1'))).scalar_one())\n"
        "        return 3\n"
    )
    return tmp_path
