"""The settings of features, and the settings in force."""

from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast

import pytest
from pydantic import SecretStr

from tests.kernel.config.sources import refusal, write
from xumi.kernel.config import (
    CONFIG,
    CONSTANTS,
    Section,
    Settings,
    check_sections,
    load,
    register_section,
    section,
    use,
)
from xumi.kernel.context import Context, enter
from xumi.kernel.errors import StartError


class ShopSettings(Section):
    order_expire_seconds: int = 1800
    couriers: tuple[str, ...] = ()
    api_key: SecretStr | None = None


@pytest.mark.parametrize(
    ("files", "environ"),
    [
        ({}, {"SHOP__ORDER_EXPIRE_SECONDS": "60"}),
        ({"env": "SHOP__ORDER_EXPIRE_SECONDS=60"}, {}),
        ({"yaml": "shop:\n  order_expire_seconds: 60"}, {}),
        ({"yaml": "Shop:\n  Order_Expire_Seconds: 60"}, {}),
        ({"yaml": "shop__order_expire_seconds: 60"}, {}),
        ({"yaml": "shop:\n  order_expire_seconds: 1"}, {"SHOP__ORDER_EXPIRE_SECONDS": "60"}),
    ],
)
def test_a_section_is_read_after_the_settings_were_loaded(
    tmp_path: Path, files: dict[str, str], environ: dict[str, str]
) -> None:
    settings = load(write(tmp_path, **files), environ).settings
    register_section("shop", ShopSettings)
    check_sections(settings)
    assert section(ShopSettings, settings).order_expire_seconds == 60
    assert section(ShopSettings, settings) is section(ShopSettings, settings)


def test_a_known_section_is_read_at_once_and_has_sources(tmp_path: Path) -> None:
    loaded = load(tmp_path, {"SHOP__COURIERS": "SF, JD"}, sections={"shop": ShopSettings})
    assert loaded.sources["shop.couriers"] == (("SF", "JD"), "environment")
    assert loaded.sources["shop.order_expire_seconds"] == (1800, "default")
    assert section(ShopSettings, loaded.settings).couriers == ("SF", "JD")


def test_an_override_may_hold_a_section(tmp_path: Path) -> None:
    register_section("shop", ShopSettings)
    assert (
        section(
            ShopSettings, load(tmp_path, {}, {"shop": {"order_expire_seconds": 5}}).settings
        ).order_expire_seconds
        == 5
    )


def test_a_section_nobody_registered_is_unknown_once_all_features_are(tmp_path: Path) -> None:
    settings = load(write(tmp_path, yaml="shpo:\n  order_expire_seconds: 60"), {}).settings
    register_section("shop", ShopSettings)
    with pytest.raises(
        StartError,
        match=r"shpo__order_expire_seconds in config.yaml.*did you mean SHOP__ORDER_EXPIRE_SECONDS\?",
    ):
        check_sections(settings)


def test_an_unknown_field_of_a_section_is_an_error_in_a_file_and_nothing_in_the_environment(
    tmp_path: Path,
) -> None:
    register_section("shop", ShopSettings)
    load(tmp_path, {"SHOP__ORDER_EXPIRE": "1"})
    message = refusal(write(tmp_path, env="SHOP__ORDER_EXPIRE=1"))
    assert "SHOP__ORDER_EXPIRE in .env is not a setting: did you mean SHOP__ORDER_EXPIRE_SECONDS?" in message


def test_a_value_of_a_section_that_is_not_valid_names_its_source(tmp_path: Path) -> None:
    settings = load(tmp_path, {"SHOP__ORDER_EXPIRE_SECONDS": "soon"}).settings
    register_section("shop", ShopSettings)
    with pytest.raises(StartError, match=r"SHOP__ORDER_EXPIRE_SECONDS in environment: .*'soon'"):
        section(ShopSettings, settings)


def test_a_missing_value_of_a_section_names_the_setting(tmp_path: Path) -> None:
    class Needy(Section):
        url: str

    register_section("needy", Needy)
    with pytest.raises(StartError, match="NEEDY__URL: Field required"):
        load(tmp_path, {})


@pytest.mark.parametrize("name", ["Shop", "shop__x", "_shop", "1shop", "shop-x", ""])
def test_a_section_needs_a_name_that_can_be_written(name: str) -> None:
    with pytest.raises(StartError, match="needs a name of small letters"):
        register_section(name, ShopSettings)


def test_two_sections_cannot_have_one_name() -> None:
    class Other(Section):
        pass

    register_section("shop", ShopSettings)
    register_section("shop", ShopSettings)
    with pytest.raises(StartError, match="exists already"):
        register_section("shop", Other)


def test_a_section_cannot_hide_a_setting_of_the_kernel() -> None:
    class Clash(Section):
        url: str = ""

    with pytest.raises(StartError, match="database_url: rename the field"):
        register_section("database", Clash)


def test_a_section_that_was_not_registered_says_where_to_name_it() -> None:
    with pytest.raises(LookupError, match="MODULE"):
        section(ShopSettings, Settings())


# The settings in force


def test_config_reads_the_settings_in_force() -> None:
    use(Settings(port=1234))
    assert CONFIG.port == 1234
    use(Settings(port=1235))
    assert CONFIG.port == 1235


def test_the_settings_of_the_running_request_win() -> None:
    use(Settings(port=1234))
    with enter(Context(cast(Any, SimpleNamespace(settings=Settings(port=99))), "id")):
        assert CONFIG.port == 99
    assert CONFIG.port == 1234


def test_config_is_loaded_from_the_working_directory_at_first_use(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(write(tmp_path, env="PORT=4321"))
    monkeypatch.delenv("PORT", raising=False)
    assert CONFIG.port == 4321


def test_config_cannot_be_changed() -> None:
    with pytest.raises(AttributeError, match="set PORT and start again"):
        CONFIG.port = 1  # type: ignore[misc]
    with pytest.raises(AttributeError):
        CONSTANTS.MAX_PAGE_SIZE = 5  # type: ignore[misc]
    assert "port" in dir(CONFIG)
