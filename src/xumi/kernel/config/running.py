"""The settings in force: those of the running request, command or job, else the process's own."""

from typing import Any, TypeVar, cast

from xumi.kernel.config.load import build_section, load, refuse
from xumi.kernel.config.registry import registered_sections
from xumi.kernel.config.settings import Section, Settings
from xumi.kernel.config.sources import ENVIRONMENT, Value, unknown_key
from xumi.kernel.context import find_current

S = TypeVar("S", bound=Section)

_process_settings: Settings | None = None


def use(settings: Settings | None) -> None:
    """Make these the process's settings; None: load them when they are next asked for."""
    global _process_settings
    _process_settings = settings


def running_settings() -> Settings:
    """The settings of the running context, else the process's, which are loaded at the first call.

    Raises:
        StartError: they cannot be loaded.
    """
    context = find_current()
    if context is not None:
        return context.resources.settings
    if _process_settings is None:
        use(load().settings)
    return cast(Settings, _process_settings)


class _Running:
    """Reads every attribute from the settings in force."""

    __slots__ = ()

    def __getattr__(self, name: str) -> Any:
        return getattr(running_settings(), name)

    def __setattr__(self, name: str, value: object) -> None:
        raise AttributeError(
            f"Settings do not change while the process runs: set {name.upper()} and start again."
        )

    def __dir__(self) -> list[str]:
        return list(Settings.model_fields)


CONFIG = cast(Settings, _Running())
"""The settings in force, for example `CONFIG.database_url`."""


def section(kind: type[S], settings: Settings | None = None) -> S:
    """A feature's settings, for example `section(AccountSettings).max_sessions`.

    Args:
        kind: the section's class, registered before.
        settings: those to read it from; the ones in force when None.

    Raises:
        StartError: a value is not valid.
        LookupError: the section was not registered.
    """
    settings = settings or running_settings()
    made = settings._sections.get(kind)
    if isinstance(made, kind):
        return made
    name = next((name for name, registered in registered_sections().items() if registered is kind), None)
    if name is None:
        raise LookupError(
            f"{kind.__qualname__} is not a registered section: name it in the feature's MODULE(settings=…)."
        )
    problems: list[str] = []
    part = build_section(settings, name, kind, problems)
    refuse(problems)
    assert part is not None
    return part


def check_sections(settings: Settings) -> None:
    """Read every registered section, and refuse values for sections that nobody has registered.

    Called when all features are known.

    Raises:
        StartError: a value is not valid, or a key in a file is unknown.
    """
    problems: list[str] = []
    known = [field.upper() for field in Settings.model_fields]
    sections = registered_sections()
    for name, kind in sections.items():
        build_section(settings, name, kind, problems)
        known += [f"{name}__{field}".upper() for field in kind.model_fields]
    for dotted, pending in settings._pending.items():
        value: Value = pending
        if value.source != ENVIRONMENT and dotted.partition(".")[0] not in sections:
            problems.append(unknown_key(value, known))
    refuse(problems)
