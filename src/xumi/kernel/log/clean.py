"""What may stand in a log line: secrets out, sizes bounded, everything encodable."""

import re
from collections.abc import Collection, Iterable, Mapping
from functools import lru_cache
from itertools import islice
from typing import TypeVar

T = TypeVar("T")

MASK = "***"
MAX_TEXT = 8_000
MAX_ITEMS = 100
MAX_DEPTH = 6

_SECRET_KEY = re.compile(
    r"passw|secret|token|authori[sz]ation|cookie|credential|(api|access|private|signing)[-_]?key|^pwd$",
    re.IGNORECASE,
)
# Repetitions are bounded: the text may be an attacker's, and must not cost more than its length.
_SECRET_IN_TEXT = re.compile(
    r"(://[^\s/:@]{0,64}:)[^\s/@]{1,256}(?=@)"
    r"|\b((?:bearer|basic)\s)[\w.~+/=-]{16,}"
    r"|(?<![\w-])xumi_[0-9A-Za-z]{32,}"
    r"|(?<![\w-])eyJ[\w-]{8,}\.[\w-]+\.[\w-]*"
    r"|(?<![a-z])((?:passw|secret|token|api_?key|authorization)\w{0,20}[\"']?\s{0,4}[=:]\s{0,4}[\"']?(?:(?:bearer|basic)\s)?)[^\s&\"',;]+",
    re.IGNORECASE,
)
# Names are remembered; long ones, which nobody writes by hand, must not fill the memory.
_MAX_KEY = 200
_INTEGERS = range(-(2**63), 2**64)


@lru_cache(maxsize=4096)
def is_secret_key(key: str) -> bool:
    """Whether a field of this name holds what no log may show."""
    return _SECRET_KEY.search(key) is not None


def clean_text(text: str, limit: int = MAX_TEXT) -> str:
    """A text without the secrets that are recognised by their form, cut to `limit` characters, encodable as UTF-8."""
    if len(text) > limit:
        text = f"{text[:limit]}… ({len(text) - limit} more)"
    if not text.isascii():
        text = text.encode("utf-8", "backslashreplace").decode()
    return _SECRET_IN_TEXT.sub(_mask, text)


def _mask(match: re.Match[str]) -> str:
    return next(filter(None, match.groups()), "") + MASK


def clean(value: object, depth: int = MAX_DEPTH) -> object:
    """A value of JSON's types for any object; fields with secret names are masked at any depth."""
    if value is None or type(value) in (bool, float):
        return value
    if type(value) is int:
        return value if value in _INTEGERS else hex(value)
    if isinstance(value, str):
        return clean_text(str(value))
    if depth == 0:
        return "…"
    names = _field_names(value)
    if names is not None:
        return clean({name: getattr(value, name, None) for name in names}, depth)
    if isinstance(value, Mapping):
        return {
            clean_text(str(key)): clean_field(str(key), item, depth - 1) for key, item in _some(value.items())
        }
    if isinstance(value, (list, tuple, set, frozenset)):
        return [clean(item, depth - 1) for item in _some(value)]
    return clean_text(_print(value))


def clean_field(key: str, value: object, depth: int = MAX_DEPTH) -> object:
    """The value of a named field: masked when the name says that it is secret."""
    return MASK if value is not None and is_secret_key(key[:_MAX_KEY]) else clean(value, depth)


def _some(items: Iterable[T]) -> list[T]:
    return list(islice(items, MAX_ITEMS))


def _field_names(value: object) -> Collection[str] | None:
    """Names of the fields of a pydantic model, a dataclass or a msgspec struct."""
    for attribute in ("model_fields", "__dataclass_fields__", "__struct_fields__"):
        names: Collection[str] | None = getattr(type(value), attribute, None)
        if names is not None:
            return names
    return None


def _print(value: object) -> str:
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"
    if isinstance(value, (bytes, bytearray)):
        return value.decode("utf-8", "backslashreplace")
    return str(value)
