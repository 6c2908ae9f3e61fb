"""Each import contract holds for the tree, and a violation planted in a copy of it is caught under the contract's name."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.architecture.conftest import plant

LAYERS = "Layers: cli > api > modules > kernel"
INSIDE = "Inside a feature: api | commands | consumers > service > events | repository > schemas > models > errors > enums | constants"
DOORS = "Another feature's service and events are its only doors"
CYCLES = "No cycle between features"

FEATURES = "src/xumi/modules"
VIOLATIONS = {
    "the kernel imports a module": (
        LAYERS,
        {"src/xumi/kernel/planted.py": "import xumi.modules.planted", f"{FEATURES}/planted/service.py": ""},
    ),
    "a module imports the application": (LAYERS, {f"{FEATURES}/planted/service.py": "import xumi.api"}),
    "the application imports the command line": (LAYERS, {"src/xumi/api/planted.py": "import xumi.cli"}),
    "a fifth layer": (LAYERS, {"src/xumi/planted.py": ""}),
    "a service imports its api": (
        INSIDE,
        {
            f"{FEATURES}/planted/api.py": "",
            f"{FEATURES}/planted/service.py": "import xumi.modules.planted.api",
        },
    ),
    "models import schemas, in a family": (
        INSIDE,
        {
            f"{FEATURES}/family/planted/schemas.py": "",
            f"{FEATURES}/family/planted/models.py": "from xumi.modules.family.planted import schemas",
        },
    ),
    "commands import the api": (
        INSIDE,
        {
            f"{FEATURES}/planted/api.py": "",
            f"{FEATURES}/planted/commands.py": "import xumi.modules.planted.api",
        },
    ),
    "events import the service": (
        INSIDE,
        {
            f"{FEATURES}/planted/service.py": "",
            f"{FEATURES}/planted/events.py": "import xumi.modules.planted.service",
        },
    ),
    "models import events": (
        INSIDE,
        {
            f"{FEATURES}/planted/events.py": "",
            f"{FEATURES}/planted/models.py": "import xumi.modules.planted.events",
        },
    ),
    "another feature's consumers": (
        DOORS,
        {
            f"{FEATURES}/one/consumers.py": "",
            f"{FEATURES}/two/consumers.py": "import xumi.modules.one.consumers",
        },
    ),
    "another feature's models": (
        DOORS,
        {
            f"{FEATURES}/one/models.py": "",
            f"{FEATURES}/two/service.py": "from xumi.modules.one import models",
        },
    ),
    "another feature's api, from a family": (
        DOORS,
        {f"{FEATURES}/one/api.py": "", f"{FEATURES}/family/two/service.py": "import xumi.modules.one.api"},
    ),
    "another feature's repository, of the same family": (
        DOORS,
        {
            f"{FEATURES}/family/one/repository.py": "",
            f"{FEATURES}/family/two/service.py": "import xumi.modules.family.one.repository",
        },
    ),
    "two features need each other": (
        CYCLES,
        {
            f"{FEATURES}/one/service.py": "import xumi.modules.two.service",
            f"{FEATURES}/two/service.py": "import xumi.modules.one.service",
        },
    ),
    "two features of a family need each other": (
        CYCLES,
        {
            f"{FEATURES}/family/one/service.py": "import xumi.modules.family.two.service",
            f"{FEATURES}/family/two/service.py": "import xumi.modules.family.one.service",
        },
    ),
}


def lint(tree: Path) -> tuple[int, str]:
    """Run import-linter on a tree as `make check` does, without its cache."""
    # The copy wins over the installed package.
    environ = os.environ | {"PYTHONPATH": str(tree / "src"), "NO_COLOR": "1", "COLUMNS": "200"}
    command = [str(Path(sys.executable).parent / "lint-imports"), "--no-cache"]
    done = subprocess.run(command, cwd=tree, env=environ, capture_output=True, text=True, check=False)
    return done.returncode, done.stdout + done.stderr


def test_the_tree_keeps_its_contracts(tree: Path) -> None:
    code, output = lint(tree)
    assert code == 0, output


@pytest.mark.parametrize("violation", VIOLATIONS)
def test_a_planted_violation_is_caught_by_name(tree: Path, violation: str) -> None:
    contract, files = VIOLATIONS[violation]
    plant(tree, files)
    code, output = lint(tree)
    assert code == 1, output
    assert f"{contract} BROKEN" in output


def test_what_a_feature_may_do(tree: Path) -> None:
    plant(
        tree,
        {
            f"{FEATURES}/one/service.py": "",
            f"{FEATURES}/one/service/checkout.py": "",
            f"{FEATURES}/one/events.py": "",
            f"{FEATURES}/two/consumers.py": "import xumi.modules.one.events\nimport xumi.modules.two.service",
            f"{FEATURES}/two/service.py": "import xumi.modules.one.events",
            f"{FEATURES}/family/two/models.py": "import xumi.modules.family.two.enums",
            f"{FEATURES}/family/two/enums.py": "",
            f"{FEATURES}/family/two/service.py": "import xumi.kernel\nimport xumi.modules.one.service\n"
            "import xumi.modules.family.two.models",
            "src/xumi/api/planted.py": "import xumi.modules.one\nimport xumi.modules.family.two.models",
        },
    )
    (tree / FEATURES / "one/service.py").unlink()
    code, output = lint(tree)
    assert code == 0, output
