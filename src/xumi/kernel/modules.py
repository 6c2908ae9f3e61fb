"""Features, and how they are found: a folder with a `MODULE` is a feature; nothing else has to be edited.

Features are searched in the packages that `MODULES` lists (by default Xumi's own) and in the folder `modules/` of the
directory that `xumi` is started in. Of each, the files `models`, `errors`, `events`, `service`, `consumers`, `commands` (or
`command`) and `api` are imported where present.
"""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import pkgutil
import sys
import traceback
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractAsyncContextManager
from dataclasses import dataclass, field
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, Any

from xumi.kernel.auth import EVERYTHING, is_permission
from xumi.kernel.config import Section, register_section
from xumi.kernel.errors import StartError

if TYPE_CHECKING:
    from xumi.kernel.http.router import Route, Router
    from xumi.kernel.resources import Resources

PROJECT_PACKAGE = "modules"
_PARTS = ("models", "errors", "events", "service", "consumers", "commands", "command")
MAX_TITLE_LENGTH = 200
# The kernel's own tables, which migrations compare with the database too.
_KERNEL_TABLES = (
    "xumi.kernel.counters",
    "xumi.kernel.events",
    "xumi.kernel.idempotency",
    "xumi.kernel.jobs.models",
    "xumi.kernel.locks",
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Module:
    """A feature's declaration, in its `__init__.py` under the name `MODULE`.

    Attributes:
        name: unique, lower case; the folder's name.
        title_en, title_zh: what people call it.
        depends: names of the features whose services it uses.
        settings: its own section of the configuration, read as `<NAME>__<KEY>`.
        permissions: permission → English and Chinese title, for those whose route's summary says too little, and for those that
            no route asks for.
        grants: role → permissions that the role is given when they first appear.
        menus: items of the console's menus, put in at the first start with them (`docs/guide/menus.md`).
        lifespan: `lifespan(resources)` is entered at start and left at stop.
    """

    name: str
    title_en: str
    title_zh: str
    depends: Sequence[str] = ()
    settings: type[Section] | None = None
    permissions: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    grants: Mapping[str, Sequence[str]] = field(default_factory=dict)
    menus: Sequence[Mapping[str, Any]] = ()
    lifespan: Callable[[Resources], AbstractAsyncContextManager[Any]] | None = None


@dataclass(frozen=True, slots=True)
class Permission:
    """What a role can be given: `feature` is the name of the module that declares it."""

    code: str
    feature: str
    title_en: str
    title_zh: str


@dataclass(slots=True)
class Feature:
    """A feature that was found: its declaration, the package it lives in, and its routers."""

    module: Module
    package: str
    routers: list[Router] = field(default_factory=list)

    @property
    def name(self) -> str:
        """The feature's name."""
        return self.module.name

    @property
    def routes(self) -> Iterator[Route]:
        """The routes of all its routers."""
        for router in self.routers:
            for route in router.routes:
                route.feature = self.name
                yield route


def discover(packages: Sequence[str], directory: Path | None = None) -> list[Feature]:
    """Import all features, those that others depend on first.

    Args:
        packages: the packages to search, `settings.modules`.
        directory: where a project's `modules/` folder may be; the working directory by default.

    Raises:
        StartError: a feature cannot be imported, or two have one name, or one depends on a feature that is not there.
    """
    directory = Path.cwd() if directory is None else directory
    features: dict[str, Feature] = {}
    for name in _KERNEL_TABLES:
        _import(name)
    names = list(packages)
    # A project's own code (its modules, its envelope) is imported from its directory.
    if str(directory) not in sys.path:
        sys.path.insert(0, str(directory))
    if (directory / PROJECT_PACKAGE).is_dir():
        names.append(PROJECT_PACKAGE)
    for name in names:
        for feature in _search(_import(name)):
            if other := features.get(feature.name):
                raise StartError(
                    f"Feature {feature.name!r} is in {other.package} and in {feature.package}: rename one."
                )
            features[feature.name] = feature
    _check_permissions(features)
    return _sort(features)


def _search(package: ModuleType) -> Iterator[Feature]:
    """The features below a package; a folder without `MODULE` is a family of features."""
    for info in pkgutil.iter_modules(package.__path__, f"{package.__name__}."):
        if not info.ispkg:
            continue
        found = _import(info.name)
        declaration = getattr(found, "MODULE", None)
        if declaration is None:
            yield from _search(found)
        elif not isinstance(declaration, Module):
            raise StartError(f"{found.__file__}: MODULE must be a xumi.kernel.modules.Module.")
        else:
            if declaration.settings is not None:
                register_section(declaration.name, declaration.settings)
            for part in _PARTS:
                if importlib.util.find_spec(f"{info.name}.{part}"):
                    _import(f"{info.name}.{part}")
            yield Feature(declaration, info.name, list(_routers(info.name)))


def _routers(package: str) -> Iterator[Router]:
    if importlib.util.find_spec(f"{package}.api") is None:
        return
    api = _import(f"{package}.api")
    modules = [api]
    if hasattr(api, "__path__"):
        modules = [_import(info.name) for info in pkgutil.iter_modules(api.__path__, f"{api.__name__}.")]
    for module in modules:
        yield _router(module)


def _router(module: ModuleType) -> Router:
    from xumi.kernel.http.router import Router

    router = getattr(module, "router", None)
    if not isinstance(router, Router):
        raise StartError(
            f"{module.__file__}: define `router = get_router()` and declare the endpoints on it."
        )
    return router


def _import(name: str) -> ModuleType:
    try:
        return importlib.import_module(name)
    except StartError as error:
        raise StartError(f"{_last_file(error, name)}: {error}") from error
    except Exception as error:
        raise StartError(
            f"{_last_file(error, name)}: cannot be imported: {type(error).__name__}: {error}. Mend it, or take its folder away."
        ) from error


def _last_file(error: BaseException, name: str) -> str:
    """The file and line where an import failed: the deepest frame that is not Python's or a library's."""
    if isinstance(error, SyntaxError) and error.filename:
        return f"{error.filename}:{error.lineno}"
    root = name.split(".")[0]
    frames = [
        frame
        for frame in traceback.extract_tb(error.__traceback__)
        if f"/{root}/" in frame.filename.replace("\\", "/") and "/kernel/" not in frame.filename
    ]
    return f"{frames[-1].filename}:{frames[-1].lineno}" if frames else name


def declared_permissions(features: Iterable[Feature]) -> dict[str, Permission]:
    """The permissions that these features declare, by code: with their routes and in `Module.permissions`.

    Raises:
        StartError: a permission belongs to two features, or is not written as permissions are.
    """
    found: dict[str, Permission] = {}
    for feature in features:
        for permission in _permissions_of(feature):
            other = found.setdefault(permission.code, permission)
            if other.feature != feature.name:
                raise StartError(
                    f"Permission {permission.code!r} is declared by {other.feature} and by {feature.name}: rename one."
                )
    return found


def _permissions_of(feature: Feature) -> Iterator[Permission]:
    titled = feature.module.permissions
    for code, (english, chinese) in titled.items():
        if not is_permission(code):
            raise StartError(f"{feature.package}: permission {code!r} must look like article:publish.")
        yield Permission(code, feature.name, english[:MAX_TITLE_LENGTH], chinese[:MAX_TITLE_LENGTH])
    for route in feature.routes:
        code = route.policy.permission or ""
        if code and code not in titled:
            title = _summary(route)[:MAX_TITLE_LENGTH]
            yield Permission(code, feature.name, title, title)


def _summary(route: Route) -> str:
    """What a route does, in one line."""
    lines = (inspect.getdoc(route.declared_endpoint) or "").splitlines()
    return route.summary or (lines[0].rstrip(".") if lines else "") or route.label


def _check_permissions(features: Mapping[str, Feature]) -> None:
    """A permission belongs to one feature; what is granted must exist."""
    known = declared_permissions(features.values()).keys()
    for feature in features.values():
        for role, permissions in feature.module.grants.items():
            if unknown := sorted(set(permissions) - known - {EVERYTHING}):
                raise StartError(
                    f"{feature.package} grants {unknown} to role {role!r}, but no route asks for it."
                )


def _sort(features: Mapping[str, Feature]) -> list[Feature]:
    for feature in features.values():
        if missing := sorted(set(feature.module.depends) - features.keys()):
            raise StartError(
                f"Feature {feature.name!r} depends on {missing}, which is not loaded: add it to MODULES."
            )
    try:
        order = TopologicalSorter({f.name: f.module.depends for f in features.values()}).static_order()
        return [features[name] for name in order]
    except CycleError as error:
        raise StartError(
            f"Features depend on each other in a circle: {' → '.join(error.args[1])}."
        ) from error
