"""Import contracts that import-linter does not bring; pyproject.toml lists them under `contract_types`."""

from collections.abc import Iterator

from grimp import ImportGraph
from importlinter import Contract, ContractCheck, fields, output

FEATURE_FILES = frozenset(
    [
        "api",
        "commands",
        "constants",
        "consumers",
        "enums",
        "errors",
        "events",
        "models",
        "repository",
        "schemas",
        "service",
    ]
)


DOORS = ("service", "events")


class FeatureDoors(Contract):
    """A feature imports of another one only its package, its `service` and its `events`.

    A feature is a package under `features` (at any depth, so that families of features work) that holds
    at least one file of a feature; new folders need no entry anywhere.
    """

    type_name = "feature_doors"

    features = fields.StringField()

    def check(self, graph: ImportGraph, verbose: bool) -> ContractCheck:
        package = str(self.features)
        broken = sorted(
            (importer, imported, feature)
            for feature in _find_features(graph, package)
            for imported in graph.find_descendants(feature)
            if not any(_is_within(imported, f"{feature}.{door}") for door in DOORS)
            for importer in graph.find_modules_that_directly_import(imported)
            if _is_within(importer, package) and not _is_within(importer, feature)
        )
        return ContractCheck(kept=not broken, metadata={"broken": broken})

    def render_broken_contract(self, check: ContractCheck) -> None:
        for importer, imported, feature in check.metadata["broken"]:
            output.print_error(
                f"- {importer} imports {imported}; import {feature}.service or .events instead"
            )


def _find_features(graph: ImportGraph, package: str) -> Iterator[str]:
    for child in graph.find_children(package):
        names = {name.rsplit(".", 1)[-1] for name in graph.find_children(child)}
        if names & FEATURE_FILES:
            yield child
        elif names:
            yield from _find_features(graph, child)


def _is_within(module: str, package: str) -> bool:
    return module == package or module.startswith(package + ".")
