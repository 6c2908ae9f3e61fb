"""The newest revision is told from the text of the files, or not at all."""

from pathlib import Path

import pytest

from xumi.kernel.db.revisions import head_in_text, library

PLAIN = """revision: str = "{}"
down_revision: str | Sequence[str] | None = {}
"""


def write_revisions(folder: Path, **before: str) -> None:
    for name, followed in before.items():
        (folder / f"{name}_some.py").write_text(PLAIN.format(name, followed))


def test_the_head_is_read_from_plain_revision_files(tmp_path: Path) -> None:
    assert head_in_text(tmp_path) is None
    write_revisions(tmp_path, c="'b'", a="None", b='"a"')
    assert head_in_text(tmp_path) == "c"
    assert head_in_text(library().versions) == library().head()


@pytest.mark.parametrize(
    "before",
    [
        {"a": "None", "b": "'a'", "c": "'a'"},
        {"a": "None", "b": "('a',)"},
        {"b": "'a'"},
        {"a": "None", "b": "'c'", "c": "'b'"},
        {"a": "'b'", "b": "'a'"},
        {"a": "None\nrevision = 'z'"},
        {"a": "f('x')"},
    ],
)
def test_what_is_not_one_plain_line_of_revisions_is_left_to_alembic(
    tmp_path: Path, before: dict[str, str]
) -> None:
    write_revisions(tmp_path, **before)
    with pytest.raises(ValueError, match="does not"):
        head_in_text(tmp_path)
