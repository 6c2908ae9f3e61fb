"""Where settings come from: the environment, `dev.env`, `.env` and `config.yaml`, each value with its origin."""

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import NamedTuple

from xumi.kernel.config.settings import Settings
from xumi.kernel.errors import StartError

ENVIRONMENT = "environment"
ENV_FILES = ("dev.env", ".env")
YAML_FILE = "config.yaml"

# Other names of settings; where one source has several, the last of these wins, and the setting's own name over them.
ALIASES = {"env_mode": "app_env", "flask_env": "app_env"}

# Settings of parts that this version does not have yet: an existing project's file with them still loads.
UNUSED = re.compile(r"redis_url|nacos_[a-z_]+")

_SECRET_NAME = re.compile(r"secret|passw|token$|api_?key|credential", re.IGNORECASE)


class Value(NamedTuple):
    """A configured value, the source that won, and the name that it has there."""

    raw: object
    source: str
    key: str


Table = dict[str, Value]
"""Values by attribute name (`database_url`), a section's by `section.field`."""


def looks_secret(name: str) -> bool:
    """Whether a setting of this name must not be shown."""
    return _SECRET_NAME.search(name) is not None


def read_sources(
    directory: Path, environ: Mapping[str, str], overrides: Mapping[str, object]
) -> tuple[Table, list[str]]:
    """All values, the strongest source's each, and what is wrong in the sources."""
    problems: list[str] = []
    table = _table(YAML_FILE, _read_yaml(directory / YAML_FILE), problems)
    for name in reversed(ENV_FILES):
        table |= _table(name, _read_env_file(directory / name, name), problems)
    table |= _table(ENVIRONMENT, environ.items(), problems)
    table |= _table("override", overrides.items(), problems)
    return table, problems


def unknown_key(value: Value, known: Iterable[str]) -> str:
    """The message for a key that no setting has."""
    near = difflib.get_close_matches(value.key.upper(), list(known), n=1, cutoff=0.6)
    hint = f"did you mean {near[0]}?" if near else "`xumi config show` lists the known ones."
    return f"{value.key} in {value.source} is not a setting: {hint}"


def _table(source: str, pairs: Iterable[tuple[str, object]], problems: list[str]) -> Table:
    order = {alias: rank for rank, alias in enumerate(ALIASES)}
    table: Table = {}
    for key, raw in sorted(_flatten(pairs), key=lambda pair: order.get(pair[0].lower(), len(order))):
        # An empty value is no value; in the environment, where others live too, only capitals are ours.
        if raw is None or raw == "" or (source == ENVIRONMENT and key != key.upper()):
            continue
        name = _name(key)
        value = Value(raw, source, key)
        if "." not in name and name not in Settings.model_fields:
            if source != ENVIRONMENT and not UNUSED.fullmatch(name):
                problems.append(unknown_key(value, map(str.upper, Settings.model_fields)))
        else:
            table[name] = value
    return table


def _flatten(pairs: Iterable[tuple[str, object]]) -> Iterator[tuple[str, object]]:
    for key, value in pairs:
        if isinstance(value, Mapping):
            yield from ((f"{key}__{inner}", item) for inner, item in value.items())
        else:
            yield str(key), value


def _name(key: str) -> str:
    """`DATABASE_URL`, `database: {url: …}` and `DATABASE__URL` are `database_url`; `SHOP__X` is `shop.x`."""
    name = key.lower()
    head, separator, tail = name.partition("__")
    if separator and head and tail:
        flat = f"{head}_{tail}"
        return flat if flat in Settings.model_fields else f"{head}.{tail}"
    return ALIASES.get(name, name)


def _read_text(path: Path, name: str) -> str | None:
    if not path.is_file():
        return None
    try:
        return path.read_text(encoding="utf-8-sig")
    except (OSError, UnicodeDecodeError) as error:
        raise StartError(f"{name} cannot be read: {error}. It must be a readable UTF-8 file.") from error


def _read_env_file(path: Path, name: str) -> list[tuple[str, object]]:
    text = _read_text(path, name)
    if text is None:
        return []
    import io

    from dotenv.parser import parse_stream

    pairs: list[tuple[str, object]] = []
    for binding in parse_stream(io.StringIO(text)):
        if binding.error or (binding.key is not None and binding.value is None):
            raise StartError(f"{name} line {binding.original.line}: expected NAME=value, quotes closed.")
        if binding.key is not None:
            pairs.append((binding.key, binding.value))
    return pairs


def _read_yaml(path: Path) -> list[tuple[str, object]]:
    text = _read_text(path, path.name)
    if text is None:
        return []
    import yaml

    try:
        content = yaml.safe_load(text)
    except yaml.YAMLError as error:
        raise StartError(f"{path.name} is not valid YAML: {error}") from error
    if content is None:
        return []
    if not isinstance(content, dict):
        raise StartError(f"{path.name} must hold `name: value` lines, not a {type(content).__name__}.")
    return [(str(key), value) for key, value in content.items()]
