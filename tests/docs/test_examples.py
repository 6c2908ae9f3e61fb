"""What the documents show works: their blocks are run, in their order, in an empty directory against a real server.

`sh` blocks are run; a `json` or `text` block after one is what it prints. Blocks whose first line is a comment with a file
name (`# modules/note/models.py`) are written into the project; with one of ours (`# src/…`) they are an excerpt of it.
"""

import ast
import importlib.util
import json
import shutil
from collections.abc import Iterator
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.docs.markdown import ROOT, Block, blocks, documents, name_of
from tests.docs.project import Project, assert_same_shape, assert_same_text, last_json

FOLLOWED = [
    "README.md",
    "README.zh-CN.md",
    "docs/tutorial/quick-start.md",
    "docs/guide/add-module.md",
    "docs/guide/cache.md",
    "docs/guide/permissions.md",
    "docs/guide/data-scope.md",
    "docs/guide/idempotency.md",
    "docs/guide/testing.md",
    "docs/guide/jobs.md",
    "docs/guide/mail.md",
    "docs/guide/events.md",
    "docs/guide/menus.md",
    "docs/guide/sign-in.md",
    "docs/guide/shop.md",
    "docs/guide/mini-program.md",
    "docs/guide/shop-orders.md",
    "docs/guide/products-by-file.md",
]


@pytest.fixture
def project(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Project]:
    # The two READMEs have the same examples: one of them shows that the stand-in for curl is as good as curl.
    stand_in = "README.zh-CN.md" in request.node.name or shutil.which("curl") is None
    project = Project(tmp_path, has_curl=not stand_in)
    try:
        yield project
    finally:
        project.close()


@pytest.mark.timeout(180)
@pytest.mark.parametrize("name", FOLLOWED)
def test_a_reader_can_follow(name: str, project: Project) -> None:
    found = [block for block in blocks((ROOT / name).read_text(encoding="utf-8")) if block.tested]
    assert any(block.language == "sh" for block in found)
    printed = ""
    for block in found:
        try:
            printed = follow(project, block, printed)
        except AssertionError as error:
            raise AssertionError(f"{name}:{block.line}: {error}") from error


def follow(project: Project, block: Block, printed: str) -> str:
    """Do what one block says; returns what the last shell block printed."""
    if block.file_name is not None and block.file_name.startswith("src/"):
        assert_excerpt(block.text, (ROOT / block.file_name).read_text(encoding="utf-8"))
    elif block.file_name is not None:
        project.write(block.file_name, block.text)
    elif block.language == "sh":
        return project.run(block.text)
    elif block.language == "json":
        assert_same_shape(json.loads(block.text), last_json(printed))
    elif block.language == "text":
        assert_same_text(project.localise(block.text), printed)
    else:
        assert block.language == "mermaid", (
            f"a {block.language or 'nameless'} block needs the name of its file"
        )
    return printed


def assert_excerpt(shown: str, file: str) -> None:
    """Every line that is shown stands in the file, in this order; `…` is for what is left out."""
    rest = iter([line.strip() for line in file.splitlines()])
    for line in filter(None, (line.strip() for line in shown.splitlines()[1:])):
        assert line == "…" or line in rest, f"{line!r} is not there, or not in this order"


def test_the_files_in_the_guides_load(project: Project) -> None:
    for name in ("add-module", "bodies", "commands", "database", "errors"):
        for block in blocks((ROOT / f"docs/guide/{name}.md").read_text(encoding="utf-8")):
            if block.language == "python" and block.file_name is not None:
                project.write(block.file_name, block.text)
    project.run("xumi db upgrade && xumi db revision tables")
    # Outside production this applies the revision.
    project.run("API_ENVELOPE=project.envelope:PlainEnvelope xumi run")
    refused = {"error_code": 40100, "msg": "Sign in first.", "request": "GET /api/v1/shelf"}
    assert last_json(project.run("curl -s http://127.0.0.1:5000/api/v1/shelf")) == refused
    assert '"message":"notes counted"' in project.run("xumi command count-notes --owner somebody")
    assert '"written":2,"total":15' in project.run("xumi command import-stock")


@pytest.mark.parametrize("path", documents(), ids=name_of)
def test_python_is_python_and_what_it_imports_from_us_exists(path: Path) -> None:
    for block in blocks(path.read_text(encoding="utf-8")):
        if block.language == "python" and "…" not in block.text:
            tree = ast.parse(block.text, f"{name_of(path)}:{block.line}")
            for node in ast.walk(tree):
                if isinstance(node, ast.ImportFrom) and node.module and node.module.startswith("xumi"):
                    names = {name.name for name in node.names}
                    assert [name for name in names if not exists(node.module, name)] == []


def exists(module: str, name: str) -> bool:
    """Whether a module of ours has something of this name, be it a module."""
    return hasattr(importlib.import_module(module), name) or find_spec(f"{module}.{name}") is not None


def test_few_blocks_are_left_out() -> None:
    for name in FOLLOWED:
        left_out = [block for block in blocks((ROOT / name).read_text(encoding="utf-8")) if not block.tested]
        assert len(left_out) <= 1, (
            f"{name} leaves out the blocks of lines {[block.line for block in left_out]}"
        )
