"""What the documents name exists: files, headings, commands, make's targets, settings, error codes, hosts."""

import re
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest
import typer.main
from typer.core import TyperGroup

from tests.docs.markdown import ROOT, anchors, blocks, code_words, documents, headings, links, name_of
from xumi.cli import app
from xumi.kernel.config import CONSTANTS, Settings, registered_sections
from xumi.kernel.config.sources import ALIASES
from xumi.kernel.errors import all_codes
from xumi.kernel.modules import discover

# Hosts that a document may name: this machine, and the names that RFC 2606 sets apart for examples.
_OWN_HOSTS = re.compile(r"127\.0\.0\.1|localhost|(?:[\w-]+\.)*example\.(?:com|org|net)")
# Standards and manuals that are linked for reading.
_READING = frozenset(
    ["www.rfc-editor.org", "keepachangelog.com", "semver.org", "www.postgresql.org", "www.sqlite.org"]
)
_SETTING = re.compile(r"([A-Z][A-Z0-9]*(?:_[A-Z0-9]+)+)(?:=.*)?")
_OTHER_NAMES = frozenset(
    ["PROMETHEUS_MULTIPROC_DIR", "XUMI_RUNTIME_DIRECTORY", "XUMI_TEST_CLOCK_SECONDS", "XUMI_TEST_REQUIRE_ALL"]
)

every_document = pytest.mark.parametrize("path", documents(), ids=name_of)


@every_document
def test_links_lead_somewhere(path: Path) -> None:
    for link in links(path.read_text(encoding="utf-8")):
        target, _, fragment = link.partition("#")
        if urlsplit(link).scheme:
            assert urlsplit(link).hostname in _READING, f"{link}: is this address needed, and does it exist?"
            continue
        file = (path.parent / target).resolve() if target else path
        assert file.exists(), f"{link}: there is no such file"
        if fragment:
            assert fragment in anchors(file.read_text(encoding="utf-8")), f"{link}: there is no such heading"


@every_document
def test_hosts_are_ours_or_examples(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    for host in re.findall(r"https?://([\w.-]+)", text):
        assert _OWN_HOSTS.fullmatch(host) or host in _READING, f"{host} may not exist, or may be somebody's"
    for host in re.findall(r"\w+://[^\s/@`]+@([\w.-]+)", text):
        assert _OWN_HOSTS.fullmatch(host) or "." not in host, f"{host} may not exist, or may be somebody's"


@every_document
def test_commands_exist(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    shell = [line for block in blocks(text) if block.language == "sh" for line in block.text.splitlines()]
    for words in code_words(text) + shell:
        for command in re.findall(r"(?:^|[\s/;&|(])xumi((?: [\w./:=-]+)*)", words):
            check_command(command.split())
        for target in re.findall(r"(?:^|[\s;&|(])make ([a-z]+)\b", words):
            assert target in make_targets(), f"`make {target}`: the Makefile has no such target"


def check_command(words: list[str]) -> None:
    """The words after `xumi` are a command, and its options are its own."""
    command: Any = typer.main.get_command(app)
    for word in words:
        if isinstance(command, TyperGroup) and not word.startswith("-"):
            found = command.commands.get(word)
            assert found is not None, f"`xumi {' '.join(words)}`: there is no command {word!r}"
            command = found
        elif command.name == "command":
            return  # What follows belongs to a command of the reader's own.
        elif re.match(r"--?[a-z]", word) and word != "--help":
            options = {
                name for parameter in command.params for name in (*parameter.opts, *parameter.secondary_opts)
            }
            assert word.partition("=")[0] in options, f"`xumi {' '.join(words)}`: there is no option {word}"


@cache
def make_targets() -> frozenset[str]:
    return frozenset(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(encoding="utf-8"), re.MULTILINE))


@every_document
def test_settings_and_codes_exist(path: Path) -> None:
    known = known_names()
    for word in code_words(path.read_text(encoding="utf-8")):
        if found := _SETTING.fullmatch(word):
            assert found[1] in known, f"{found[1]} is no setting, no error code and no constant"


@cache
def known_names() -> frozenset[str]:
    discover(Settings().modules, ROOT / "docs")
    names = {*Settings.model_fields, *ALIASES}
    names |= {
        f"{name}__{field}" for name, kind in registered_sections().items() for field in kind.model_fields
    }
    return frozenset(
        {name.upper() for name in names}
        | {code.name for code in all_codes()}
        | {*vars(CONSTANTS)}
        | _OTHER_NAMES
    )


@every_document
def test_files_of_this_repository_exist(path: Path) -> None:
    for word in code_words(path.read_text(encoding="utf-8")):
        if re.fullmatch(r"(?:src|scripts|tests|docs|benchmarks)/[\w./-]+", word):
            assert (ROOT / word).exists(), f"{word}: there is no such file"


@every_document
def test_metrics_exist(path: Path) -> None:
    reference = (ROOT / "docs/reference/metrics.md").read_text(encoding="utf-8")
    for name in re.findall(r"\bxumi_http_\w+", path.read_text(encoding="utf-8")):
        assert f"`{re.sub('_(bucket|sum|count)$', '', name)}`" in reference, (
            f"{name}: there is no such metric"
        )


def test_decision_records_are_short() -> None:
    for path in (ROOT / "docs/decisions").glob("*.md"):
        lines = path.read_text(encoding="utf-8").count("\n")
        assert lines <= 40, f"{name_of(path)} has {lines} lines; a record has at most 40"


def test_both_readmes_are_the_same_document() -> None:
    english, chinese = (
        (ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "README.zh-CN.md")
    )
    assert [level for level, _ in headings(english)] == [level for level, _ in headings(chinese)]
    assert list(code(english)) == list(code(chinese))


def code(text: str) -> Iterator[tuple[str, str, bool]]:
    for block in blocks(text):
        yield block.language, block.text, block.tested


def test_every_document_can_be_found_from_the_index() -> None:
    reached, waiting = set[Path](), [ROOT / "docs" / "README.md"]
    while waiting:
        path = waiting.pop()
        if path in reached:
            continue
        reached.add(path)
        targets = (
            link.partition("#")[0] for link in links(path.read_text(encoding="utf-8")) if "://" not in link
        )
        waiting += [
            found
            for target in targets
            if target.endswith(".md") and (found := (path.parent / target).resolve())
        ]
    assert not [name_of(path) for path in documents() if path not in reached]
