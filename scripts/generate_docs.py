"""Writes `docs/reference` from the code: `python scripts/generate_docs.py`; `--check` shows what is out of date and fails.

Nothing of the machine enters: defaults are read instead of the settings of whoever runs this, and a project's `modules/`
folder is not looked at.
"""

import difflib
import inspect
import sys
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Any, Literal, get_args, get_origin

import prometheus_client
import typer.main
from prometheus_client.metrics import MetricWrapperBase
from pydantic import SecretStr
from pydantic.fields import FieldInfo
from pydantic_core import PydanticUndefined
from typer.core import TyperGroup

from xumi.api.application import Application
from xumi.cli import app as cli
from xumi.kernel.config import CONSTANTS, Section, Settings, registered_sections
from xumi.kernel.errors import all_codes
from xumi.kernel.modules import Feature, discover

FOLDER = Path(__file__).resolve().parent.parent / "docs" / "reference"
NOTE = "<!-- Made from {source} by `make docs`. Edit the source, not this page. -->\n\n"
HELP_WIDTH = 100


def main(arguments: Sequence[str]) -> int:
    """Write, or with `--check` compare, every page; returns the exit code."""
    if unknown := set(arguments) - {"--check"}:
        print(f"unknown: {' '.join(sorted(unknown))}; the only option is --check")
        return 2
    with tempfile.TemporaryDirectory() as empty:
        pages = make_pages(discover(Settings().modules, Path(empty)))
    if "--check" in arguments:
        difference = "".join(compare(FOLDER / name, text) for name, text in pages.items())
        print(difference + "Run `make docs`." if difference else f"{len(pages)} pages are up to date")
        return 1 if difference else 0
    for name, text in pages.items():
        (FOLDER / name).write_text(text, encoding="utf-8")
        print(f"docs/reference/{name}")
    return 0


def make_pages(features: Sequence[Feature]) -> dict[str, str]:
    """The text of every generated page by file name."""
    return {
        "api.md": api_page(features),
        "cli.md": cli_page(),
        "configuration.md": configuration_page(),
        "errors.md": errors_page(),
        "metrics.md": metrics_page(),
    }


def compare(path: Path, text: str) -> str:
    """What has to change in a file, as a unified diff; empty where it is up to date."""
    old = path.read_text(encoding="utf-8") if path.exists() else ""
    name = f"docs/reference/{path.name}"
    lines = difflib.unified_diff(old.splitlines(True), text.splitlines(True), name, f"{name} (from the code)")
    return "".join(lines)


def table(head: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [head, ["---"] * len(head), *rows]
    return "".join(f"| {' | '.join(map(cell_text, line))} |\n" for line in lines)


def cell_text(text: str) -> str:
    """A text on one line, in which `|` does not end the cell."""
    return " ".join(text.split()).replace("|", r"\|")


def configuration_page() -> str:
    """Every setting of the kernel and of the features, and the constants."""
    parts = [
        NOTE.format(source="`Settings`, the features' sections and `CONSTANTS`"),
        "# Configuration\n\n",
        "Each setting has one name in the environment, in `dev.env`, `.env` and `config.yaml`; "
        "[the guide](../guide/configuration.md) says which source wins.\n\n",
        "## The kernel\n\n",
        settings_table(Settings, ""),
    ]
    for name, kind in sorted(registered_sections().items()):
        parts += [f"\n## Module `{name}`\n\n", settings_table(kind, f"{name}__")]
    constants = [(f"`{name}`", f"`{value}`") for name, value in vars(CONSTANTS).items()]
    parts += ["\n## Constants\n\n", "`CONSTANTS` holds what no environment changes.\n\n"]
    return "".join([*parts, table(("Name", "Value"), constants)])


def settings_table(kind: type[Section], prefix: str) -> str:
    """The fields of one section."""
    rows = [
        (f"`{(prefix + name).upper()}`", type_text(field), default_text(field), field.description or "")
        for name, field in kind.model_fields.items()
    ]
    return table(("Name", "Type", "Default", "What it does"), rows)


def type_text(field: FieldInfo) -> str:
    """A field's type as people write its values."""
    words = {bool: "true or false", int: "whole number", float: "number", str: "text", SecretStr: "secret"}
    kinds = [kind for kind in get_args(field.annotation) if kind is not type(None)] or [field.annotation]
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{value}`" for value in get_args(field.annotation))
    if get_origin(field.annotation) in (list, tuple, set, frozenset):
        return "list: `a,b`"
    return " or ".join(words.get(kind, getattr(kind, "__name__", str(kind))) for kind in kinds if kind)


def default_text(field: FieldInfo) -> str:
    """A field's default; those that are computed are explained in its description."""
    if field.default is PydanticUndefined:
        return "see right" if field.default_factory else "required"
    if field.default is None:
        return "none"
    if isinstance(field.default, bool):
        return f"`{str(field.default).lower()}`"
    if isinstance(field.default, list | tuple):
        return ", ".join(f"`{item}`" for item in field.default) or "empty"
    return f"`{field.default}`"


def errors_page() -> str:
    """Every error that a caller can see."""
    head = ("Code", "Name", "English", "中文", "Declared in")
    rows = [
        (str(code.number), f"`{code.name}`", code.en, code.zh, f"`{code.owner.rpartition('.')[0]}`")
        for code in all_codes()
    ]
    intro = (
        "# Errors\n\nThe first three digits of a code are its HTTP status. Code and name never change their meaning; the text "
        "follows `Accept-Language` and may be improved. [The guide](../guide/errors.md) shows the body around them.\n\n"
    )
    return NOTE.format(source="the classes that extend `APICode`") + intro + table(head, rows)


def metrics_page() -> str:
    """Xumi's own metrics; those of the Prometheus client about the Python process are not ours to document."""
    # The client offers no public way from a registry to its collectors.
    found = prometheus_client.REGISTRY._collector_to_names
    metrics = [m for m in found if isinstance(m, MetricWrapperBase) and m._name.startswith("xumi_")]
    rows = []
    for metric in sorted(metrics, key=lambda metric: metric._name):
        name = f"`{metric._name}_total`" if metric._type == "counter" else f"`{metric._name}`"
        labels = ", ".join(f"`{label}`" for label in metric._labelnames) or "none"
        rows.append((name, str(metric._type), labels, metric._documentation))
    head = ("Name", "Type", "Labels", "What it counts")
    intro = (
        "# Metrics\n\n`GET /metrics` answers in the text format of Prometheus, for all workers of a server together; "
        "[the guide](../operations/monitoring.md) says who may read it. Histograms have `_bucket`, `_sum` and `_count`; "
        "`route` is the template (`/api/v1/users/{user_id}`), never the path that was asked.\n\n"
    )
    return NOTE.format(source="the Prometheus registry") + intro + table(head, rows)


def api_page(features: Sequence[Feature]) -> str:
    """Every route, with its permission."""
    settings = Settings(database_url="sqlite://")
    routes = Application(settings, features).table.routes
    rows = []
    for route in sorted(routes, key=lambda route: (route.feature, route.path)):
        if route.include_in_schema:
            access = f"`{route.policy.permission}`" if route.policy.permission else "public"
            summary = (inspect.getdoc(route.endpoint) or "").partition("\n")[0]
            methods = " ".join(sorted(route.methods or ()))
            rows.append((methods, f"`{route.path}`", access, f"`{route.feature}`", summary))
    intro = (
        "# Routes\n\n`xumi routes` prints this list for your own project; `/docs` shows parameters and bodies, and sends "
        "requests.\n\n"
    )
    head = ("Method", "Path", "Permission", "Module", "What it does")
    return NOTE.format(source="the routers of all modules") + intro + table(head, rows)


def cli_page() -> str:
    """The commands of `xumi`, from its own help."""
    root = typer.main.get_command(cli)
    pages = [f"## `{path}`\n\n```text\n{text}\n```\n" for path, text in help_pages("xumi", root)]
    return "\n".join([NOTE.format(source="`xumi --help`") + "# The command `xumi`\n", *pages])


def help_pages(path: str, command: Any) -> Iterator[tuple[str, str]]:
    """What `--help` says of `xumi` and of each command, whatever the width of this terminal.

    Typer names the type of its commands in a private module only.
    """
    if not isinstance(command, TyperGroup) or path == "xumi":
        context = command.make_context(path, [], resilient_parsing=True, terminal_width=HELP_WIDTH)
        yield path, command.get_help(context)
    if isinstance(command, TyperGroup):
        for name, inner in sorted(command.commands.items()):
            yield from help_pages(f"{path} {name}", inner)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
