"""The sections that features have declared."""

import re
from collections.abc import Mapping

from xumi.kernel.config.settings import Section, Settings
from xumi.kernel.errors import StartError

_registered: dict[str, type[Section]] = {}


def register_section(name: str, kind: type[Section]) -> None:
    """Declare a feature's settings; `SHOP__X` sets field `x` of the section `shop`.

    Raises:
        StartError: the name is not a word in small letters, another section has it, or one of its fields would be
            written like a setting of the kernel.
    """
    if not re.fullmatch(r"[a-z][a-z0-9]*(_[a-z0-9]+)*", name):
        raise StartError(
            f"Settings section {name!r} needs a name of small letters, digits and single underscores."
        )
    other = _registered.get(name)
    if other is not None and (other.__module__, other.__qualname__) != (kind.__module__, kind.__qualname__):
        raise StartError(
            f"Settings section {name!r} of {kind.__module__} exists already in {other.__module__}: rename one of them."
        )
    for field in kind.model_fields:
        if f"{name}_{field}" in Settings.model_fields:
            raise StartError(
                f"Setting {field!r} of section {name!r} ({kind.__module__}) would be written like the kernel's "
                f"{name}_{field}: rename the field."
            )
    _registered[name] = kind


def registered_sections() -> Mapping[str, type[Section]]:
    """The sections declared so far, by name."""
    return dict(_registered)
