"""Settings from all sources: environment > `dev.env` > `.env` > `config.yaml` > default, each may hold a part."""

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import SecretStr, ValidationError

from xumi.kernel.config.development import SECRETS_FILE, kept_secrets
from xumi.kernel.config.production import SECRET_NAMES, check_production
from xumi.kernel.config.registry import registered_sections
from xumi.kernel.config.settings import Section, Settings
from xumi.kernel.config.sources import ENVIRONMENT, Table, Value, looks_secret, read_sources, unknown_key
from xumi.kernel.errors import StartError

S = TypeVar("S", bound=Section)


@dataclass(frozen=True)
class Loaded:
    """Settings, and where each value came from.

    Attributes:
        settings: the kernel's settings; those of features are read with `section`.
        sources: value and source by dotted name (`database_url`, `account.max_sessions`).
    """

    settings: Settings
    sources: dict[str, tuple[object, str]]


def load(
    directory: Path | None = None,
    environ: Mapping[str, str] | None = None,
    overrides: Mapping[str, object] | None = None,
    sections: Mapping[str, type[Section]] | None = None,
) -> Loaded:
    """Read the settings.

    Args:
        directory: where the files are; the working directory when None.
        environ: the environment; the process's when None.
        overrides: values that win over everything, by attribute name (a section's as `{"account": {...}}`).
        sections: sections by name, read at once; the registered ones when None. Values for other sections are kept
            until `section` or `check_sections` asks for them.

    Raises:
        StartError: a file cannot be read, a key is unknown, a value is not valid, or production would be unsafe.
    """
    directory = directory or Path.cwd()
    table, problems = read_sources(directory, os.environ if environ is None else environ, overrides or {})
    kernel = {name: value for name, value in table.items() if "." not in name}
    settings = build(Settings, kernel, problems)
    refuse(problems)
    assert settings is not None
    if settings.app_env == "production":
        refuse(check_production(settings), "The configuration is not fit for production:")
    else:
        settings = _with_kept_secrets(settings, kernel, directory)
    settings._pending.update({name: value for name, value in table.items() if "." in name})
    sources = _described(settings, kernel)
    for name, kind in (registered_sections() if sections is None else sections).items():
        part = build_section(settings, name, kind, problems)
        if part is not None:
            sources |= _described(part, table, name + ".")
    refuse(problems)
    return Loaded(settings, sources)


def build(kind: type[S], values: Table, problems: list[str], prefix: str = "") -> S | None:
    """Make settings of the values; None and further problems when they are not valid."""
    try:
        return kind.model_validate({name.removeprefix(prefix): value.raw for name, value in values.items()})
    except ValidationError as error:
        for detail in error.errors(include_url=False):
            if detail["type"] != "default_factory_not_called":
                name = prefix + ".".join(map(str, detail["loc"][:1]))
                problems.append(_problem(name, detail["msg"].removeprefix("Value error, "), values.get(name)))
        return None


def _problem(name: str, message: str, value: Value | None) -> str:
    if value is None:
        return f"{name.replace('.', '__').upper()}: {message}."
    got = "" if looks_secret(name) or "://" in str(value.raw) else f", got {value.raw!r}"
    return f"{value.key} in {value.source}: {message}{got}."


def build_section(settings: Settings, name: str, kind: type[S], problems: list[str]) -> S | None:
    """A feature's section, made once for these settings; None and further problems when it is not valid."""
    made = settings._sections.get(kind)
    if isinstance(made, kind):
        return made
    prefix = name + "."
    values: Table = {}
    for dotted, value in settings._pending.items():
        if not dotted.startswith(prefix):
            continue
        if dotted.removeprefix(prefix) in kind.model_fields:
            values[dotted] = value
        elif value.source != ENVIRONMENT:
            problems.append(unknown_key(value, [f"{name}__{field}".upper() for field in kind.model_fields]))
    part = build(kind, values, problems, prefix)
    if part is not None:
        settings._sections[kind] = part
    return part


def _described(part: Section, table: Table, prefix: str = "") -> dict[str, tuple[object, str]]:
    described: dict[str, tuple[object, str]] = {}
    for field in type(part).model_fields:
        value = table.get(prefix + field)
        described[prefix + field] = (
            getattr(part, field),
            value.source if value else _default_source(part, field),
        )
    return described


def _default_source(part: Section, field: str) -> str:
    return SECRETS_FILE.as_posix() if field in SECRET_NAMES and field in part.model_fields_set else "default"


def _with_kept_secrets(settings: Settings, kernel: Mapping[str, Value], directory: Path) -> Settings:
    missing = [name for name in SECRET_NAMES if name not in kernel]
    if not missing:
        return settings
    kept = kept_secrets(directory / SECRETS_FILE)
    return settings.model_copy(update={name: SecretStr(kept[name]) for name in missing})


def refuse(problems: list[str], title: str = "The configuration cannot be used:") -> None:
    """Stop at problems, if there are any.

    Raises:
        StartError: it names all of them.
    """
    if problems:
        raise StartError("\n  - ".join([title, *problems]))
