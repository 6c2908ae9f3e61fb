"""Commands for the terminal and for work beside the API, found in every feature's `commands`.

    class Greet(Command):
        '''Says hello.'''

        name = "greet"

        @staticmethod
        def add_parser(parser):
            parser.add_argument("--username", default="you", help="whom to greet")

        @staticmethod
        async def run(params):
            print("Hello", params.username)

`xumi command greet --username Li` runs it, with the settings and the database of the application; `run` may also be an
ordinary function. What it returns, if an integer, is the exit code. Ctrl-C and SIGTERM end it in order.
"""

import argparse
import asyncio
import contextvars
import inspect
import re
import signal
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from xumi.kernel.errors import StartError

if TYPE_CHECKING:
    from xumi.kernel.resources import Resources

INTERRUPTED = 130

_registry: dict[str, "CommandBase"] = {}


class Params(dict[str, Any]):
    """The parsed options, as items and as attributes: `params["username"]`, `params.username`, `"username" in params`."""

    def __getattr__(self, name: str) -> Any:
        try:
            return self[name]
        except KeyError:
            raise AttributeError(
                f"This command has no option {name!r}; it has {', '.join(self) or 'none'}."
            ) from None


class CommandBase(type):
    """The metaclass that registers a command; `class X(Command)` and `class X(metaclass=CommandBase)` are the same.

    Raises:
        StartError: a command has no usable name, no `run`, or the name of another one.
    """

    name: str
    run: Callable[[Params], Any]

    def __init__(cls, name: str, bases: tuple[type, ...], namespace: dict[str, Any], **kwargs: Any) -> None:
        super().__init__(name, bases, namespace, **kwargs)
        if namespace.get("__module__") != __name__:
            _register(cls)

    @property
    def summary(cls) -> str:
        """The first line of the command's docstring."""
        return (cls.__doc__ or "").strip().partition("\n")[0]

    def parse(cls, arguments: Sequence[str], program: str) -> Params:
        """The options in these arguments; wrong ones, and `--help`, end the program as argparse does."""
        parser = argparse.ArgumentParser(prog=f"{program} {cls.name}", description=inspect.getdoc(cls))
        add_parser = getattr(cls, "add_parser", None)
        if add_parser is not None:
            add_parser(parser)
        return Params(vars(parser.parse_args(arguments)))

    def execute(cls, params: Params, resources: "Resources") -> int:
        """Run with the database and settings of an application that is not serving; returns the exit code."""
        try:
            with _stop_signals(), asyncio.Runner() as runner:
                try:
                    runner.run(resources.start())
                    with resources.context(cls.name):
                        # A plain function runs outside the event loop, so that it may use what blocks.
                        result = cls.run(params)
                        if inspect.isawaitable(result):
                            # The runner has a context of its own, made before this command's.
                            result = runner.run(_finish(result), context=contextvars.copy_context())
                finally:
                    runner.run(resources.close())
        except KeyboardInterrupt:
            return INTERRUPTED
        return result if isinstance(result, int) else 0


class Command(metaclass=CommandBase):
    """Base class of commands. Set `name`; define `run(params)` and, for options, `add_parser(parser)`."""

    name = ""


async def _finish(awaitable: Any) -> Any:
    return await awaitable


def commands() -> list[CommandBase]:
    """All commands of the features that are loaded, by name."""
    return [_registry[name] for name in sorted(_registry)]


def find_command(name: str) -> CommandBase | None:
    """The command of this name."""
    return _registry.get(name)


def _register(command: CommandBase) -> None:
    home = f"{command.__module__}.{command.__qualname__}"
    name = vars(command).get("name", "")
    if not isinstance(name, str) or not re.fullmatch(r"[A-Za-z0-9][\w:.-]*", name):
        raise StartError(f'Command {home} needs a name without spaces, for example name = "send-letters".')
    if not callable(getattr(command, "run", None)):
        raise StartError(f"Command {home} needs a static method run(params).")
    other = _registry.get(name)
    # The same class imported again (a test, a reload) is no duplicate.
    if other is not None and f"{other.__module__}.{other.__qualname__}" != home:
        raise StartError(
            f"Command {name!r} of {home} exists already in {other.__module__}.{other.__qualname__}: rename one of them."
        )
    _registry[name] = command


@contextmanager
def _stop_signals() -> Iterator[None]:
    """SIGTERM ends a command as Ctrl-C does: what is open is closed."""

    def interrupt(*_: object) -> None:
        signal.raise_signal(signal.SIGINT)

    if threading.current_thread() is not threading.main_thread():
        yield  # Python lets only the main thread take signals.
        return
    # A shell lets what it starts in the background ignore SIGINT, and SIGTERM would end nothing.
    previous = {
        signal.SIGINT: signal.signal(signal.SIGINT, signal.default_int_handler),
        signal.SIGTERM: signal.signal(signal.SIGTERM, interrupt),
    }
    try:
        yield
    finally:
        for number, handler in previous.items():
            signal.signal(number, handler)
