"""A copy of the checkout that a test may spoil."""

import shutil
from pathlib import Path

import pytest

CHECKOUT = Path(__file__).resolve().parents[2]


@pytest.fixture(scope="session")
def checkout() -> Path:
    """The top of the checkout that is being tested; read only."""
    return CHECKOUT


@pytest.fixture
def tree(tmp_path: Path) -> Path:
    """`src`, `scripts` and `pyproject.toml`, copied."""
    copy = tmp_path / "tree"
    for folder in ("src", "scripts"):
        shutil.copytree(CHECKOUT / folder, copy / folder, ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(CHECKOUT / "pyproject.toml", copy)
    return copy


def plant(tree: Path, files: dict[str, str]) -> None:
    """Append text to files, made where there are none, folders with their `__init__.py`."""
    for name, text in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        for folder in path.relative_to(tree).parents:
            if "xumi" in folder.parts:
                (tree / folder / "__init__.py").touch()
        with path.open("a", encoding="utf-8") as file:
            file.write(f"\n{text}\n")
