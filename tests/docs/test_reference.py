"""The generated pages are those that the code makes now, and a page that is not is shown and refused."""

from pathlib import Path

import pytest

from scripts import generate_docs
from xumi.kernel.config import Section


def test_the_pages_are_up_to_date(capsys: pytest.CaptureFixture[str]) -> None:
    assert generate_docs.main(["--check"]) == 0, capsys.readouterr().out


def test_a_page_that_is_out_of_date_fails_with_the_difference(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(generate_docs, "FOLDER", tmp_path)
    assert generate_docs.main([]) == 0
    assert generate_docs.main(["--check"]) == 0
    page = tmp_path / "errors.md"
    page.write_text(page.read_text(encoding="utf-8").replace("40401", "40499"), encoding="utf-8")
    (tmp_path / "metrics.md").unlink()
    capsys.readouterr()
    assert generate_docs.main(["--check"]) == 1
    shown = capsys.readouterr().out
    assert "-| 40499 | `ROUTE_NOT_FOUND`" in shown
    assert "+| 40401 | `ROUTE_NOT_FOUND`" in shown
    assert "+# Metrics" in shown
    assert "configuration.md" not in shown


def test_an_unknown_option_is_refused() -> None:
    assert generate_docs.main(["--chekc"]) == 2


def test_settings_read_like_the_settings_of_people() -> None:
    class Shop(Section):
        """Every kind of field."""

        name: str = "a|b"
        open: bool = True
        floors: tuple[int, ...] = (1, 2)
        note: str | None = None
        height: float

    rows = generate_docs.settings_table(Shop, "shop__").splitlines()[2:]
    assert rows == [
        r"| `SHOP__NAME` | text | `a\|b` |  |",
        "| `SHOP__OPEN` | true or false | `true` |  |",
        "| `SHOP__FLOORS` | list: `a,b` | `1`, `2` |  |",
        "| `SHOP__NOTE` | text | none |  |",
        "| `SHOP__HEIGHT` | number | required |  |",
    ]
