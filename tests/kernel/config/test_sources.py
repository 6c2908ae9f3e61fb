"""Where values come from, and what is refused."""

import re
import subprocess
import sys
from ipaddress import ip_network
from pathlib import Path

import pytest
from pydantic import ValidationError

from tests.kernel.config.sources import PRODUCTION, refusal, write
from xumi.kernel.config import (
    Settings,
    load,
)


def test_each_source_wins_over_the_weaker_ones_and_may_hold_a_part(tmp_path: Path) -> None:
    write(
        tmp_path,
        yaml="port: 1\nhost: yaml\nworkers: 2\nlog_level: ERROR\n",
        env="PORT=3\nHOST=env-file\nWORKERS=3\n",
        dev_env="PORT=4\nHOST=dev-env-file\n",
    )
    loaded = load(tmp_path, {"PORT": "5"})
    assert {name: loaded.sources[name] for name in ("port", "host", "workers", "log_level", "debug")} == {
        "port": (5, "environment"),
        "host": ("dev-env-file", "dev.env"),
        "workers": (3, ".env"),
        "log_level": ("ERROR", "config.yaml"),
        "debug": (False, "default"),
    }


def test_overrides_win_over_the_environment(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"PORT": "5"}, {"port": 6})
    assert loaded.sources["port"] == (6, "override")


def test_the_sample_of_an_existing_flask_project_loads(tmp_path: Path) -> None:
    write(
        tmp_path,
        env="FLASK_ENV=development\nDEBUG=True\nSECRET_KEY=your-secret-key-here\nDATABASE_URL=sqlite:///app.db\n"
        "JWT_SECRET_KEY=jwt-secret-key\nREDIS_URL=redis://localhost:6379/0\nLOG_LEVEL=INFO\n"
        "NACOS_SERVER_ADDR=127.0.0.1:8848\nNACOS_SERVICE_NAME=flask-api\n",
    )
    settings = load(tmp_path, {}).settings
    assert settings.debug is True
    assert settings.database_url == "sqlite:///app.db"
    assert settings.secret_key.get_secret_value() == "your-secret-key-here"


@pytest.mark.parametrize(
    "yaml", ["DATABASE_URL: x", "Database_Url: x", "database:\n  url: x", "database__url: x"]
)
def test_yaml_names_are_flat_or_nested_in_any_case(tmp_path: Path, yaml: str) -> None:
    assert load(write(tmp_path, yaml=yaml), {}).settings.database_url == "x"


@pytest.mark.parametrize(
    ("environ", "expected"),
    [
        ({"FLASK_ENV": "test"}, "test"),
        ({"ENV_MODE": "dev:local"}, "development"),
        ({"ENV_MODE": "dev"}, "development"),
        ({"APP_ENV": "DEV"}, "development"),
        ({"ENV_MODE": "dev", "FLASK_ENV": "test"}, "test"),
        ({"ENV_MODE": "dev", "APP_ENV": "test", "FLASK_ENV": "development"}, "test"),
        ({}, "development"),
    ],
)
def test_app_env_has_aliases(tmp_path: Path, environ: dict[str, str], expected: str) -> None:
    assert load(tmp_path, environ).settings.app_env == expected


def test_prod_means_production(tmp_path: Path) -> None:
    assert load(tmp_path, PRODUCTION | {"APP_ENV": "prod"}).settings.app_env == "production"


def test_an_alias_of_a_stronger_source_wins_over_the_name_itself(tmp_path: Path) -> None:
    write(tmp_path, env="APP_ENV=development\n")
    assert load(tmp_path, {"FLASK_ENV": "test"}).settings.app_env == "test"


@pytest.mark.parametrize("text", ["True", "true", "1", "yes", "ON"])
def test_truth_has_many_words(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, {"DEBUG": text}).settings.debug is True


@pytest.mark.parametrize(
    "text",
    [
        "http://a.example,https://b.example/",
        '["http://a.example", "https://b.example"]',
        " [http://a.example,https://b.example] ",
    ],
)
def test_a_list_is_written_with_commas_or_brackets(tmp_path: Path, text: str) -> None:
    assert load(tmp_path, {"CORS_ORIGINS": text}).settings.cors_origins == [
        "http://a.example",
        "https://b.example",
    ]


def test_a_list_in_yaml_is_a_list(tmp_path: Path) -> None:
    write(tmp_path, yaml="trusted_proxies:\n  - 10.1.2.3/8\n  - ::1\n")
    assert load(tmp_path, {}).settings.trusted_proxies == [ip_network("10.0.0.0/8"), ip_network("::1")]


def test_a_list_that_is_not_closed_is_refused(tmp_path: Path) -> None:
    assert "CORS_ORIGINS in environment: must be a list such as" in refusal(
        tmp_path, {"CORS_ORIGINS": "[a, b"}
    )


def test_an_empty_file_is_a_file_without_settings(tmp_path: Path) -> None:
    assert load(write(tmp_path, yaml="# nothing\n", env="", dev_env="\n"), {}).settings.port == 5000


def test_an_empty_value_is_no_value(tmp_path: Path) -> None:
    write(tmp_path, env="PORT=\nINITIAL_ADMIN_PASSWORD=\n", yaml="port: 7\nhost:\n")
    loaded = load(tmp_path, {"PORT": ""})
    assert loaded.sources["port"] == (7, "config.yaml")
    assert loaded.settings.initial_admin_password is None
    assert loaded.settings.host == "127.0.0.1"


def test_env_files_take_comments_quotes_export_and_a_byte_order_mark(tmp_path: Path) -> None:
    text = '\ufeff# ours\nexport HOST=\'0.0.0.0\' # all\nSECRET_KEY="a # ${b} \\"c\\""\n\nPORT=8000\n'
    settings = load(write(tmp_path, env=text), {}).settings
    assert (settings.host, settings.port) == ("0.0.0.0", 8000)
    assert settings.secret_key.get_secret_value() == 'a # ${b} "c"'


def test_unknown_names_in_the_environment_are_others_business(tmp_path: Path) -> None:
    load(tmp_path, {"DATABSE_URL": "x", "PATH": "/bin", "SHOP__X": "1", "port": "not ours", "__CF": "1"})


def test_without_files_there_are_defaults(tmp_path: Path) -> None:
    loaded = load(tmp_path, {})
    assert loaded.settings.database_url == "sqlite:///data/xumi.db"
    assert loaded.settings.port == 5000
    assert set(loaded.sources) == set(Settings.model_fields)


@pytest.mark.parametrize(
    ("app_env", "tty", "expected"),
    [("development", True, "text"), ("development", False, "json"), ("test", True, "json")],
)
def test_logs_are_text_on_a_developers_terminal_only(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, app_env: str, tty: bool, expected: str
) -> None:
    monkeypatch.setattr(sys.stdout, "isatty", lambda: tty, raising=False)
    assert load(tmp_path, {"APP_ENV": app_env}).settings.log_format == expected


def test_docs_are_off_in_production_unless_asked_for(tmp_path: Path) -> None:
    assert load(tmp_path, {}).settings.docs_enabled is True
    assert load(tmp_path, PRODUCTION).settings.docs_enabled is False
    assert load(tmp_path, PRODUCTION | {"DOCS_ENABLED": "true"}).settings.docs_enabled is True


# Refusals


@pytest.mark.parametrize(
    "files", [{"env": "DATABSE_URL=x"}, {"dev_env": "DATABSE_URL=x"}, {"yaml": "DATABSE_URL: x"}]
)
def test_an_unknown_key_names_its_file_and_the_nearest_setting(tmp_path: Path, files: dict[str, str]) -> None:
    message = refusal(write(tmp_path, **files))
    assert "DATABSE_URL" in message
    assert "did you mean DATABASE_URL?" in message
    assert (
        next({"env": ".env", "dev_env": "dev.env", "yaml": "config.yaml"}[name] for name in files) in message
    )


def test_all_problems_are_told_at_once_with_name_source_and_value(tmp_path: Path) -> None:
    write(tmp_path, env="PORT=many\nPROT=1\n", yaml="app_env: staging\n")
    message = refusal(tmp_path, {"TRUSTED_PROXIES": "10.0.0.1,nowhere", "CORS_ORIGINS": "example.com/x"})
    assert "PROT in .env is not a setting: did you mean PORT?" in message
    assert "PORT in .env: " in message
    assert "'many'" in message
    assert (
        "app_env in config.yaml: Input should be 'development', 'test' or 'production', got 'staging'"
        in message
    )
    assert "TRUSTED_PROXIES in environment: 'nowhere' does not appear to be" in message
    assert "CORS_ORIGINS in environment: must be an origin such as" in message
    assert "default factory" not in message


def test_a_refused_secret_is_not_shown(tmp_path: Path) -> None:
    write(tmp_path, yaml="secret_key: 12345678901\n")
    message = refusal(tmp_path)
    assert "secret_key in config.yaml" in message
    assert "12345678901" not in message


@pytest.mark.parametrize(
    ("files", "expected"),
    [
        ({"env": "PORT\n"}, ".env line 1"),
        ({"env": "PORT=1\nHOST='open\n"}, ".env line 2"),
        ({"yaml": "a: [1"}, "config.yaml is not valid YAML"),
        ({"yaml": "- a"}, "config.yaml must hold `name: value` lines, not a list"),
    ],
)
def test_a_file_that_cannot_be_understood_is_named(
    tmp_path: Path, files: dict[str, str], expected: str
) -> None:
    assert expected in refusal(write(tmp_path, **files))


def test_a_file_that_is_not_utf8_is_named(tmp_path: Path) -> None:
    (tmp_path / ".env").write_bytes(b"HOST=\xff\n")
    assert ".env cannot be read" in refusal(tmp_path)


def test_a_folder_called_env_is_no_configuration(tmp_path: Path) -> None:
    (tmp_path / ".env").mkdir()
    assert load(tmp_path, {}).settings.port == 5000


def test_settings_are_frozen() -> None:
    with pytest.raises(ValidationError):
        Settings().port = 1  # type: ignore[misc]


# The examples in the repository

ROOT = Path(__file__).parents[3]


@pytest.mark.parametrize(
    ("example", "name"), [(".env.example", ".env"), ("config.example.yaml", "config.yaml")]
)
@pytest.mark.parametrize("complete", [False, True], ids=["as it is", "with every line uncommented"])
def test_the_examples_load(tmp_path: Path, example: str, name: str, complete: bool) -> None:
    lines = (ROOT / example).read_text(encoding="utf-8").splitlines()
    if complete:
        lines = [line[1:] if re.match(r"#( {2}[-\w]|\w)", line) else line for line in lines]
    (tmp_path / name).write_text("\n".join(lines), encoding="utf-8")
    loaded = load(tmp_path, {})
    defaults = {
        field for field, (_, source) in loaded.sources.items() if source in ("default", "data/secrets.json")
    }
    assert (not defaults) == complete


def test_importing_the_configuration_loads_neither_fastapi_nor_sqlalchemy() -> None:
    code = "import sys, xumi.kernel.config; sys.exit(bool({'fastapi', 'sqlalchemy', 'cryptography'} & set(sys.modules)))"
    assert subprocess.run([sys.executable, "-c", code], check=False, timeout=50).returncode == 0
