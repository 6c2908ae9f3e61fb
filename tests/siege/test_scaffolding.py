"""A siege's figures are printed always, and kept only when they were measured at full scale."""

import json
from pathlib import Path

import pytest

from tests.siege import record as module
from tests.siege.record import record
from tests.siege.scale import scaled


@pytest.fixture(autouse=True)
def results(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.setattr(module, "RESULTS", tmp_path)
    return tmp_path


def test_a_tenth_is_run_unless_it_is_a_siege(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("SIEGE", raising=False)
    assert [scaled(full) for full in (1000, 25, 9, 1)] == [100, 2, 1, 1]
    monkeypatch.setenv("SIEGE", "1")
    assert [scaled(full) for full in (1000, 25, 9, 1)] == [1000, 25, 9, 1]


def test_figures_of_a_siege_are_kept_with_where_they_come_from(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv("SIEGE", "1")
    record("two-words", {"events": 7, "lost": 0})
    kept = json.loads((results / "siege-two-words.json").read_text(encoding="utf-8"))
    assert kept["figures"] == {"events": 7, "lost": 0}
    assert set(kept) == {"date", "machine", "versions", "figures"}
    assert '"events": 7' in capsys.readouterr().out


def test_figures_of_a_tenth_are_printed_only(
    results: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("SIEGE", raising=False)
    record("two-words", {"events": 7})
    assert list(results.iterdir()) == []
    assert "siege two-words" in capsys.readouterr().out


def test_a_name_that_is_no_file_name_is_refused() -> None:
    with pytest.raises(ValueError, match="lower-case words"):
        record("../elsewhere", {})
