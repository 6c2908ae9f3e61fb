"""What production refuses, the secrets of development, and rings of keys."""

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest
from pydantic import SecretStr

from tests.kernel.config.sources import OTHER, PRODUCTION, STRONG, refusal
from xumi.kernel.config import (
    Settings,
    check_production,
    key_ring,
    load,
    secret_weakness,
)
from xumi.kernel.config.development import write_once


def test_sound_production_settings_pass(tmp_path: Path) -> None:
    assert check_production(load(tmp_path, PRODUCTION).settings) == []
    assert not (tmp_path / "data").exists()


def test_production_tells_all_problems_and_what_to_set(tmp_path: Path) -> None:
    message = refusal(
        tmp_path,
        {
            "APP_ENV": "production",
            "DEBUG": "1",
            "CORS_ORIGINS": "*",
            "SECRET_KEY": "your-secret-key-here",
            "INITIAL_ADMIN_PASSWORD": "admin123",
        },
    )
    for expected in (
        "SECRET_KEY is a publicly known default: set it to random text",
        "JWT_SECRET_KEY is not set: set it to random text",
        "DEBUG is on, which shows internals to clients: set DEBUG=false",
        "CORS_ORIGINS allows every origin: set it to the origins of your own pages",
        "DATABASE_URL is SQLite: set it to postgresql://",
        "INITIAL_ADMIN_PASSWORD is a publicly known default: set it",
    ):
        assert expected in message
    assert "your-secret-key-here" not in message


@pytest.mark.parametrize(
    "change",
    [
        {"SECRET_KEY": "short"},
        {"JWT_SECRET_KEY": "jwt-secret-key"},
        {"JWT_SECRET_KEY": f"new:{OTHER},old:short"},
        {"JWT_SECRET_KEY": ","},
        {"SECRET_KEY": "ab" * 30},
        {"DEBUG": "true"},
        {"CORS_ORIGINS": "https://a.example,*"},
        {"DATABASE_URL": "sqlite:///app.db"},
    ],
)
def test_each_weakness_alone_refuses_production(tmp_path: Path, change: dict[str, str]) -> None:
    name = next(iter(change))
    assert name in refusal(tmp_path, PRODUCTION | change)
    if name.endswith("KEY") and change[name] != ",":
        assert load(tmp_path, change).settings.app_env == "development"


def test_sqlite_in_production_needs_a_word(tmp_path: Path) -> None:
    environ = PRODUCTION | {"DATABASE_URL": "sqlite:///app.db", "DATABASE_ALLOW_SQLITE_IN_PRODUCTION": "true"}
    assert load(tmp_path, environ).settings.database_url == "sqlite:///app.db"


@pytest.mark.parametrize(
    ("text", "weakness"),
    [
        ("x" * 64, "repeats"),
        ("abcdefgh12" * 5, "repeats"),
        ("short-but-random-8f3k", "shorter than 32"),
        ("changeme", "publicly known"),
        ("your-jwt-secret-key-here", "publicly known"),
        ("Change_Me_In_Production", "publicly known"),
        ("super" + STRONG, None),
        (STRONG, None),
        ("9f86d081884c7d659a2feaa0c55ad015", None),
    ],
)
def test_what_makes_a_secret_weak(text: str, weakness: str | None) -> None:
    found = secret_weakness(text)
    assert found is None if weakness is None else weakness in (found or "")


# Secrets of development


def test_development_makes_secrets_once_and_keeps_them(tmp_path: Path) -> None:
    first, second = load(tmp_path, {}), load(tmp_path, {})
    assert first.settings.secret_key == second.settings.secret_key
    assert first.settings.jwt_secret_key == second.settings.jwt_secret_key
    assert first.settings.secret_key != first.settings.jwt_secret_key
    assert secret_weakness(first.settings.secret_key.get_secret_value()) is None
    assert first.sources["secret_key"][1] == "data/secrets.json"
    assert stat.S_IMODE((tmp_path / "data/secrets.json").stat().st_mode) == 0o600
    assert os.listdir(tmp_path / "data") == ["secrets.json"]


def test_only_what_is_missing_comes_from_the_kept_secrets(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"SECRET_KEY": "mine"})
    assert loaded.sources["secret_key"][1] == "environment"
    assert loaded.settings.secret_key.get_secret_value() == "mine"
    assert loaded.sources["jwt_secret_key"][1] == "data/secrets.json"


def test_processes_that_start_together_agree_on_the_secrets(tmp_path: Path) -> None:
    code = (
        "from xumi.kernel.config import load; print(load(environ={}).settings.secret_key.get_secret_value())"
    )
    running_processes = [
        subprocess.Popen([sys.executable, "-c", code], cwd=tmp_path, stdout=subprocess.PIPE) for _ in range(4)
    ]
    assert len({process.communicate(timeout=50)[0] for process in running_processes}) == 1
    assert [process.returncode for process in running_processes] == [0] * 4


@pytest.mark.parametrize("content", ["", "{}", "[]", "null"])
def test_damaged_kept_secrets_say_what_to_do(tmp_path: Path, content: str) -> None:
    (tmp_path / "data").mkdir()
    (tmp_path / "data/secrets.json").write_text(content)
    assert "set SECRET_KEY and JWT_SECRET_KEY" in refusal(tmp_path)


def test_a_place_that_cannot_be_written_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "data").write_text("a file where the folder should be")
    assert "set SECRET_KEY and JWT_SECRET_KEY" in refusal(tmp_path)


def test_the_first_writer_of_the_kept_secrets_wins_and_no_draft_is_left(tmp_path: Path) -> None:
    for text in ("first", "second"):
        write_once(tmp_path / "secrets.json", text)
    assert (tmp_path / "secrets.json").read_text() == "first"
    assert os.listdir(tmp_path) == ["secrets.json"]


def test_settings_made_by_hand_have_secrets_of_their_own() -> None:
    assert Settings().secret_key != Settings().secret_key


# Key rings


def test_a_key_ring_keeps_order_and_names() -> None:
    assert [tuple(key) for key in key_ring("new:abc, old:d:e,")] == [("new", "abc"), ("old", "d:e")]


def test_a_key_without_a_name_keeps_its_name_when_another_is_put_before_it() -> None:
    (alone,) = key_ring(SecretStr(STRONG))
    assert key_ring(f"{OTHER},{STRONG}")[1] == alone
    assert alone.secret == STRONG
    assert alone.kid not in STRONG
