"""Commands: how they register, how they are parsed, what they run in and how they end."""

import argparse
import asyncio
import os
import signal
import subprocess
import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from typing import Any, cast

import pytest

from xumi.kernel import command as module
from xumi.kernel.command import INTERRUPTED, Command, CommandBase, Params, commands, find_command
from xumi.kernel.errors import StartError


class FakeResources:
    """Notes in which order a command uses it."""

    def __init__(self) -> None:
        self.events: list[str] = []

    async def start(self) -> None:
        self.events.append("start")

    async def close(self) -> None:
        self.events.append("close")

    @contextmanager
    def context(self, name: str) -> Iterator[None]:
        self.events.append(f"enter {name}")
        yield
        self.events.append(f"leave {name}")


@pytest.fixture(autouse=True)
def _own_registry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_registry", {})


@pytest.fixture
def resources() -> FakeResources:
    return FakeResources()


def execute(command: type, resources: FakeResources, *arguments: str) -> int:
    kind = cast(CommandBase, command)
    return kind.execute(kind.parse(arguments, "xumi command"), cast(Any, resources))


def test_both_forms_register() -> None:
    class One(Command):
        """Does one thing.

        And more.
        """

        name = "one"

        @staticmethod
        def run(params: Params) -> None: ...

    class Two(metaclass=CommandBase):
        name = "two"

        @staticmethod
        def run(params: Params) -> None: ...

    assert commands() == [One, Two]
    assert find_command("two") is Two
    assert find_command("three") is None
    assert (One.summary, Two.summary) == ("Does one thing.", "")


def test_options_are_parsed_and_read_as_items_or_attributes(resources: FakeResources) -> None:
    seen: list[Params] = []

    class Demo(metaclass=CommandBase):
        name = "demo"

        @staticmethod
        def add_parser(parser: argparse.ArgumentParser) -> None:
            parser.add_argument("--username", default="you", help="whom to greet")
            parser.add_argument("--dry-run", action="store_true")

        @staticmethod
        def run(params: Params) -> None:
            seen.append(params)

    assert execute(Demo, resources, "--username", "li") == 0
    assert execute(Demo, resources, "--dry-run") == 0
    assert "username" in seen[0]
    assert "password" not in seen[0]
    assert (seen[0]["username"], seen[0].username, seen[0].dry_run) == ("li", "li", False)
    assert (seen[1].username, seen[1].dry_run) == ("you", True)
    with pytest.raises(AttributeError, match="no option 'password'; it has username, dry_run"):
        _ = seen[0].password


def test_wrong_options_and_help_name_the_command(capsys: pytest.CaptureFixture[str]) -> None:
    class Demo(Command):
        """Greets."""

        name = "demo"

        @staticmethod
        def run(params: Params) -> None: ...

    with pytest.raises(SystemExit) as wrong:
        Demo.parse(["--nope"], "xumi command")
    assert wrong.value.code == 2
    assert "usage: xumi command demo" in capsys.readouterr().err
    with pytest.raises(SystemExit) as helped:
        Demo.parse(["--help"], "xumi command")
    assert helped.value.code == 0
    assert "Greets." in capsys.readouterr().out


def test_a_plain_function_runs_outside_the_event_loop(resources: FakeResources) -> None:
    class Plain(Command):
        name = "plain"

        @staticmethod
        def run(params: Params) -> None:
            with pytest.raises(RuntimeError):
                asyncio.get_running_loop()
            assert threading.current_thread() is threading.main_thread()
            resources.events.append("run")

    assert execute(Plain, resources) == 0
    assert resources.events == ["start", "enter plain", "run", "leave plain", "close"]


def test_a_coroutine_runs_on_the_loop_that_the_resources_live_on(resources: FakeResources) -> None:
    class Async(Command):
        name = "async"

        @classmethod
        async def run(cls, params: Params) -> int:
            await asyncio.sleep(0)
            resources.events.append("run")
            return 3

    assert execute(Async, resources) == 3
    assert resources.events == ["start", "enter async", "run", "leave async", "close"]


def test_a_failure_closes_everything_and_comes_out(resources: FakeResources) -> None:
    class Failing(Command):
        name = "failing"

        @staticmethod
        async def run(params: Params) -> None:
            raise LookupError("gone")

    with pytest.raises(LookupError, match="gone"):
        execute(Failing, resources)
    assert resources.events[-1] == "close"


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
@pytest.mark.parametrize("asynchronous", [True, False])
def test_a_stop_signal_ends_a_command_in_order(
    resources: FakeResources, number: signal.Signals, asynchronous: bool
) -> None:
    class Waiting(Command):
        name = "waiting"

        @staticmethod
        def run(params: Params) -> Any:
            async def wait() -> None:
                os.kill(os.getpid(), number)
                await asyncio.sleep(50)

            if asynchronous:
                return wait()
            os.kill(os.getpid(), number)
            threading.Event().wait(50)
            return None

    before = signal.getsignal(signal.SIGTERM)
    assert execute(Waiting, resources) == INTERRUPTED
    assert resources.events[-1] == "close"
    assert signal.getsignal(signal.SIGTERM) is before


def test_a_command_may_run_in_another_thread(resources: FakeResources) -> None:
    class Threaded(Command):
        name = "threaded"

        @staticmethod
        async def run(params: Params) -> int:
            return 4

    with ThreadPoolExecutor(1) as threads:
        assert threads.submit(execute, Threaded, resources).result(timeout=30) == 4
    assert resources.events[-1] == "close"


def test_two_commands_cannot_have_one_name() -> None:
    class First(Command):
        name = "same"

        @staticmethod
        def run(params: Params) -> None: ...

    with pytest.raises(StartError, match=r"'same' of .*Second exists already in .*First: rename one"):

        class Second(Command):
            name = "same"

            @staticmethod
            def run(params: Params) -> None: ...

    assert find_command("same") is First


def test_a_class_that_is_imported_again_is_no_duplicate() -> None:
    def make() -> type:
        class Again(Command):
            name = "again"

            @staticmethod
            def run(params: Params) -> None: ...

        return Again

    make()
    assert make() is find_command("again")


@pytest.mark.parametrize("body", [{}, {"name": ""}, {"name": "two words"}, {"name": "-x"}, {"name": 3}])
def test_a_command_needs_a_name(body: dict[str, object]) -> None:
    with pytest.raises(StartError, match="Nameless needs a name"):
        CommandBase(
            "Nameless", (Command,), {"__module__": "m", "__qualname__": "Nameless", "run": print, **body}
        )


def test_a_command_needs_something_to_run() -> None:
    with pytest.raises(StartError, match="needs a static method run"):

        class Idle(Command):
            name = "idle"


def test_importing_commands_loads_neither_fastapi_nor_sqlalchemy() -> None:
    code = "import sys, xumi.kernel.command; sys.exit(bool({'fastapi', 'sqlalchemy'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=50).returncode == 0
