"""`xumi demo` and `xumi shop recount`: what they refuse, ask and say."""

import pytest

from tests.cli.conftest import Xumi
from xumi.modules.shop.demo.service import history

PRODUCTION = {
    "APP_ENV": "production",
    "SECRET_KEY": "Xk3vR9tQz7mB2wLp5nYc8sHf4jGd6aEu1oTi",
    "JWT_SECRET_KEY": "Wq8nZ4cV6xT2bM9kL3jH7gF5dS1aPoIuYtRe",
    "DATABASE_ALLOW_SQLITE_IN_PRODUCTION": "true",
}


@pytest.mark.parametrize("arguments", [("load",), ("clear", "--yes")])
def test_production_is_left_alone(xumi: Xumi, sqlite_url: str, arguments: tuple[str, ...]) -> None:
    result = xumi("demo", *arguments, DATABASE_URL=sqlite_url, **PRODUCTION)
    assert (result.code, f"`xumi demo {arguments[0]} --force`" in result.err) == (2, True)


@pytest.mark.parametrize("arguments", [("demo", "load"), ("demo", "clear", "--yes"), ("shop", "recount")])
def test_a_database_that_is_not_up_to_date_is_refused(xumi: Xumi, arguments: tuple[str, ...]) -> None:
    result = xumi(*arguments)
    assert (result.code, "xumi db upgrade" in result.err) == (2, True)


def test_it_comes_once_and_goes_when_asked(
    xumi: Xumi, sqlite_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(history, "DAYS", 2)

    def run(*arguments: str, given: str = "") -> tuple[int, str]:
        result = xumi(*arguments, given=given, DATABASE_URL=sqlite_url)
        return result.code, result.out

    assert run("demo", "clear", "--yes") == (0, "There is no demo data.\n")
    assert run("demo", "load", "--language", "en") == (0, "Demo data is loaded.\n")
    assert run("demo", "load") == (0, "Demo data is there already.\n")
    agrees = (0, "The figures of sales are what the orders say.\n")
    assert run("shop", "recount", "--check") == agrees
    code, out = run("demo", "clear", given="n\n")
    assert (code, "Delete the demo data" in out) == (1, True)
    code, out = run("demo", "clear", given="y\n")
    assert (code, "Demo data is cleared." in out) == (0, True)
    assert run("shop", "recount") == agrees
