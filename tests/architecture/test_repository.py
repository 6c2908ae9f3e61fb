"""What the files at the top of the repository promise each other."""

import re
import subprocess
import tomllib
from pathlib import Path

import yaml

TARGETS = {"help", "run", "dev", "test", "siege", "check", "bench", "docs"}

# Written in halves, so that this file does not name them either.
REGISTRIES = re.compile(
    "|".join(
        re.escape(first + second)
        for first, second in (
            ("pypi", ".org"),
            ("pythonhosted", ".org"),
            ("npmjs", ".org"),
            ("npmjs", ".com"),
            ("npmmirror", ".com"),
            ("yarnpkg", ".com"),
            ("crates", ".io"),
            ("tuna.tsinghua", ".edu"),
            ("mirrors.", "aliyun"),
        )
    )
)


def committed_files(checkout: Path) -> list[Path]:
    """Files that are in the repository or would be added to it."""
    command = ["git", "ls-files", "--cached", "--others", "--exclude-standard", "-z"]
    names = subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout.split(
        "\0"
    )
    return [checkout / name for name in names if name and (checkout / name).is_file()]


def test_no_file_names_a_package_registry(checkout: Path) -> None:
    found = []
    for path in committed_files(checkout):
        text = path.read_bytes().decode("utf-8", "replace")
        found += [f"{path.relative_to(checkout)}: {match[0]}" for match in REGISTRIES.finditer(text)]
    assert found == []


def test_no_file_is_both_ignored_and_committed(checkout: Path) -> None:
    command = ["git", "ls-files", "--cached", "--ignored", "--exclude-standard"]
    assert subprocess.run(command, cwd=checkout, capture_output=True, text=True, check=True).stdout == ""


def test_make_help_lists_the_targets(checkout: Path) -> None:
    done = subprocess.run(["make"], cwd=checkout, capture_output=True, text=True, check=True)
    assert set(re.findall(r"^  make (\w+) ", done.stdout, re.MULTILINE)) >= TARGETS


def test_ci_does_what_everyone_can_do(checkout: Path) -> None:
    workflow = yaml.safe_load((checkout / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    steps = [step for job in workflow["jobs"].values() for step in job["steps"]]
    assert [step["run"] for step in steps if "run" in step] == ["bash .ci/run"]
    script = (checkout / ".ci/run").read_text(encoding="utf-8")
    assert "make check" in script
    assert "make test" in script
    assert "XUMI_TEST_REQUIRE_ALL=1" in script


def test_pre_commit_runs_our_own_tools(checkout: Path) -> None:
    config = yaml.safe_load((checkout / ".pre-commit-config.yaml").read_text(encoding="utf-8"))
    assert {repository["repo"] for repository in config["repos"]} == {"local"}
    programs = {hook["entry"].split()[0] for repository in config["repos"] for hook in repository["hooks"]}
    assert all(program.startswith(".venv/bin/") for program in programs)


def test_the_oldest_python_is_the_same_everywhere(checkout: Path) -> None:
    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    workflow = yaml.safe_load((checkout / ".github/workflows/ci.yml").read_text(encoding="utf-8"))
    oldest = project["project"]["requires-python"].removeprefix(">=")
    assert project["tool"]["mypy"]["python_version"] == oldest
    assert project["tool"]["ruff"]["target-version"] == "py" + oldest.replace(".", "")
    assert workflow["jobs"]["everything"]["strategy"]["matrix"]["python"][0] == oldest
    assert f"sys.version_info < ({oldest.replace('.', ', ')})" in (checkout / "scripts/setup.sh").read_text()


def test_the_version_is_the_same_everywhere(checkout: Path) -> None:
    from xumi import __version__

    project = tomllib.loads((checkout / "pyproject.toml").read_text(encoding="utf-8"))
    assert project["project"]["version"] == __version__
