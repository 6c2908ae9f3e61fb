"""`xumi config`: the settings in force, and where each came from."""

import importlib
import pkgutil
import re
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

if TYPE_CHECKING:
    from xumi.kernel.config import Section

app = typer.Typer(help="Look at the configuration.", no_args_is_help=True)

_URL_PASSWORD = re.compile(r"(?<=://)([^\s/:@]*):[^\s/@]*@")


@app.callback()
def _group() -> None: ...


@app.command()
def show(
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON, one object by name.")] = False,
) -> None:
    """Print every setting, its value and the source that won; secrets are masked."""
    from xumi.cli.terminal import print_table
    from xumi.kernel.config import check_sections, load, register_section

    packages = load(sections={}).settings.modules
    for section, kind in _sections([*packages, "modules"] if Path("modules").is_dir() else packages):
        register_section(section, kind)
    loaded = load()
    check_sections(loaded.settings)
    shown = {
        name.replace(".", "__").upper(): (readable(name, value), source)
        for name, (value, source) in loaded.sources.items()
    }
    if as_json:
        import json

        values = {name: {"value": value, "source": source} for name, (value, source) in shown.items()}
        print(json.dumps(values, indent=2, ensure_ascii=False))
    else:
        rows = [(name, _text(value), source) for name, (value, source) in shown.items()]
        print_table([("NAME", "VALUE", "SOURCE"), *rows])


def readable(name: str, value: Any) -> Any:
    """A setting's value as JSON's types, without secrets."""
    from pydantic import SecretStr

    from xumi.kernel.config import looks_secret

    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, SecretStr) or looks_secret(name):
        return "***"
    if isinstance(value, list | tuple | set | frozenset):
        return [readable(name, item) for item in value]
    return _URL_PASSWORD.sub(r"\1:***@", str(value))


def _sections(packages: list[str]) -> Iterator[tuple[str, type["Section"]]]:
    """The sections that features declare. Only their `__init__` is imported, so that this is quick and stands other faults."""
    from xumi.kernel.errors import StartError

    if str(Path.cwd()) not in sys.path:
        sys.path.insert(0, str(Path.cwd()))
    for name in packages:
        try:
            module = importlib.import_module(name)
        except Exception as error:
            raise StartError(
                f"{name} cannot be imported: {type(error).__name__}: {error}. Mend it, or correct MODULES."
            ) from error
        declaration = getattr(module, "MODULE", None)
        if declaration is None:
            inner = pkgutil.iter_modules(module.__path__, f"{name}.")
            yield from _sections([info.name for info in inner if info.ispkg])
        elif declaration.settings is not None:
            yield declaration.name, declaration.settings


def _text(value: Any) -> str:
    if isinstance(value, list):
        return ",".join(map(str, value))
    if isinstance(value, bool):
        return str(value).lower()
    return "" if value is None else str(value)
