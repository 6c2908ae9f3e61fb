"""`xumi command`: a feature's commands, found without editing anything."""

import signal
import subprocess
import sys
from pathlib import Path

from tests.cli.conftest import Xumi
from xumi.kernel.testing.server import clean_environment


def test_commands_are_found_and_listed(xumi_process: Xumi, project: Path) -> None:
    result = xumi_process("command")
    assert result.code == 0, result.err
    lines = [line.split() for line in result.out.splitlines()]
    assert lines[0] == ["NAME", "WHAT", "IT", "DOES"]
    assert ["greet", "Says", "hello."] in lines
    assert ["count"] in lines


def test_a_command_gets_its_options_settings_and_database(xumi_process: Xumi, project: Path) -> None:
    result = xumi_process("command", "greet", "--username", "Li", GREETER__WORD="Hi")
    assert (result.code, result.out) == (0, "Hi Li 1 True\n"), result.err


def test_an_asynchronous_command_its_exit_code_and_a_projects_command_py(
    xumi_process: Xumi, project: Path
) -> None:
    (project / "command.py").write_text("from xumi.cli import main_command\n\nmain_command()\n")
    result = xumi_process("count", program=("command.py",))
    assert (result.code, result.out) == (3, "42\n"), result.err


def test_help_is_the_commands_own(xumi_process: Xumi, project: Path) -> None:
    result = xumi_process("command", "greet", "--help")
    assert result.code == 0
    assert "usage: xumi command greet" in result.out
    assert "whom to greet" in result.out


def test_a_misspelt_name_gets_a_suggestion(xumi_process: Xumi, project: Path) -> None:
    result = xumi_process("command", "gret")
    assert result.code == 2
    assert "did you mean greet?" in result.err


def test_a_name_like_no_other_is_told(xumi: Xumi) -> None:
    result = xumi("command", "zzzzzz")
    assert result.code == 2
    assert "`xumi command` lists them" in result.err


def test_two_commands_of_one_name_refuse(xumi_process: Xumi, project: Path) -> None:
    commands = project / "modules" / "greeter" / "commands.py"
    commands.write_text(commands.read_text().replace("name = 'count'", "name = 'greet'"))
    result = xumi_process("command")
    assert result.code == 2
    assert "'greet'" in result.err
    assert "rename one" in result.err


def test_a_service_beside_the_api_ends_at_sigterm(project: Path) -> None:
    (project / "modules" / "greeter" / "commands.py").write_text(
        "import asyncio\n"
        "from xumi.kernel import Command\n"
        "class Serve(Command):\n"
        "    name = 'serve'\n"
        "    @staticmethod\n"
        "    async def run(params):\n"
        "        print('serving', flush=True)\n"
        "        try:\n"
        "            await asyncio.sleep(50)\n"
        "        finally:\n"
        "            print('ended', flush=True)\n"
    )
    process = subprocess.Popen(
        [sys.executable, "-m", "xumi.cli", "command", "serve"],
        cwd=project,
        env=clean_environment(),
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert process.stdout is not None
    with process.stdout:
        assert process.stdout.readline() == "serving\n"
        process.send_signal(signal.SIGTERM)
        rest = process.stdout.read()
    assert (process.wait(timeout=30), rest) == (130, "ended\n")
