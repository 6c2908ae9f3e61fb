"""`xumi config show`: every value, its source, and no secret."""

import json
from pathlib import Path

from tests.cli.conftest import Xumi
from xumi.kernel.config import Settings
from xumi.modules.oidc.settings import OidcSettings
from xumi.modules.shop.order.settings import OrderSettings


def test_every_setting_stands_with_value_and_source(xumi: Xumi, tmp_path: Path) -> None:
    (tmp_path / "config.yaml").write_text(
        "port: 7000\ncors_origins: [https://a.example, https://b.example]\n"
    )
    result = xumi("config", "show", LOG_LEVEL="error", DEBUG="1")
    assert result.code == 0
    lines = {line.split()[0]: line.split()[1:] for line in result.out.splitlines() if len(line.split()) > 1}
    sections = {f"OIDC__{name}".upper() for name in OidcSettings.model_fields}
    sections |= {f"ORDER__{name}".upper() for name in OrderSettings.model_fields}
    assert set(lines) == {"NAME"} | {name.upper() for name in Settings.model_fields} | sections
    assert lines["PORT"] == ["7000", "config.yaml"]
    assert lines["CORS_ORIGINS"] == ["https://a.example,https://b.example", "config.yaml"]
    assert lines["LOG_LEVEL"] == ["ERROR", "environment"]
    assert lines["DEBUG"] == ["true", "environment"]
    assert lines["HOST"] == ["127.0.0.1", "default"]
    assert lines["INITIAL_ADMIN_PASSWORD"] == ["default"]
    assert lines["SECRET_KEY"] == ["***", "data/secrets.json"]


def test_json_for_programs(xumi: Xumi) -> None:
    values = json.loads(xumi("config", "show", "--json", PORT="1", TRUSTED_PROXIES="10.0.0.0/8").out)
    assert values["PORT"] == {"value": 1, "source": "environment"}
    assert values["TRUSTED_PROXIES"] == {"value": ["10.0.0.0/8"], "source": "environment"}
    assert values["INITIAL_ADMIN_PASSWORD"] == {"value": None, "source": "default"}


def test_secrets_are_masked_in_both_forms(xumi: Xumi) -> None:
    secrets = {
        "SECRET_KEY": "hunter2-a",
        "JWT_SECRET_KEY": "k:hunter2-b",
        "INITIAL_ADMIN_PASSWORD": "hunter2-c",
        "DATABASE_URL": "postgresql://xumi:hunter2-d@db:5432/xumi",
    }
    for form in ((), ("--json",)):
        result = xumi("config", "show", *form, **secrets)
        assert result.code == 0
        assert "hunter2" not in result.out + result.err
        assert "postgresql://xumi:***@db:5432/xumi" in result.out


def test_a_replicas_password_is_masked(xumi: Xumi) -> None:
    shown = xumi("config", "show", DATABASE_READ_URL="postgresql://u:hunter2@replica/d")
    assert "postgresql://u:***@replica/d" in shown.out
    assert "hunter2" not in shown.out


def test_features_settings_are_shown_though_the_rest_of_the_feature_is_broken(
    xumi_process: Xumi, project: Path
) -> None:
    (project / "modules" / "greeter" / "api.py").write_text("this is no Python")
    (project / "config.yaml").write_text("greeter:\n  word: Hi\n")
    values = json.loads(xumi_process("config", "show", "--json", GREETER__API_TOKEN="hunter2").out)
    assert values["GREETER__WORD"] == {"value": "Hi", "source": "config.yaml"}
    assert values["GREETER__API_TOKEN"] == {"value": "***", "source": "environment"}


def test_a_section_that_no_feature_has_is_refused(xumi_process: Xumi, project: Path) -> None:
    (project / ".env").write_text("GRETER__WORD=Hi\n")
    result = xumi_process("config", "show")
    assert result.code == 2
    assert "GRETER__WORD in .env is not a setting: did you mean GREETER__WORD?" in result.err


def test_a_package_that_is_not_there_is_named(xumi: Xumi) -> None:
    result = xumi("config", "show", MODULES="xumi.modules,nowhere")
    assert result.code == 2
    assert "nowhere cannot be imported" in result.err
