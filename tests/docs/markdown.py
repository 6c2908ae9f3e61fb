"""What the documents' tests read out of a Markdown file: headings, links, code blocks and code words."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

ROOT = Path(__file__).resolve().parents[2]

_FENCE = re.compile(r"^```(?P<language>\w*)\n(?P<text>.*?)^```$", re.MULTILINE | re.DOTALL)
_UNTESTED = re.compile(r"<!-- no-test: \S.* -->\n\Z")
_FILE_NAME = re.compile(r"(?:#|--|//) (?P<name>[\w./-]*\.\w+)\n")


class Block(NamedTuple):
    """A fenced block of code; `tested` is False after a comment `<!-- no-test: reason -->`."""

    language: str
    text: str
    line: int
    tested: bool

    @property
    def file_name(self) -> str | None:
        """The file that the block belongs into: the comment in its first line, as in `# modules/note/models.py`."""
        found = _FILE_NAME.match(self.text)
        return found["name"] if found else None


def documents() -> list[Path]:
    """Every Markdown file that readers are meant to read, except release notes."""
    return [ROOT / "README.md", ROOT / "README.zh-CN.md", *sorted((ROOT / "docs").rglob("*.md"))]


def name_of(path: Path) -> str:
    """The path as test ids and messages show it."""
    return path.relative_to(ROOT).as_posix()


def blocks(text: str) -> Iterator[Block]:
    """The code blocks in their order."""
    for found in _FENCE.finditer(text):
        before = text[: found.start()]
        yield Block(
            found["language"], found["text"], before.count("\n") + 1, _UNTESTED.search(before) is None
        )


def prose(text: str) -> str:
    """The text without its code blocks and comments."""
    return re.sub(r"<!--.*?-->", "", _FENCE.sub("", text), flags=re.DOTALL)


def headings(text: str) -> list[tuple[int, str]]:
    """Level and title of each heading."""
    return [(len(level), title) for level, title in re.findall(r"^(#+) (.+)$", prose(text), re.MULTILINE)]


def anchors(text: str) -> set[str]:
    """The fragments by which headings can be linked, as forges make them."""
    return {re.sub(r"[^\w\- ]", "", title.lower()).strip().replace(" ", "-") for _, title in headings(text)}


def links(text: str) -> list[str]:
    """The targets of all links and images."""
    return re.findall(r"\]\(([^)\s]+)\)", prose(text))


def code_words(text: str) -> list[str]:
    """What stands between single backquotes."""
    return re.findall(r"(?<!`)`([^`\n]+)`(?!`)", prose(text))
