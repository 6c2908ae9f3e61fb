"""What every provider must do, the simulated one and, where the environment names one, a real one on this machine.

`XUMI_TEST_OIDC_ISSUER`, `XUMI_TEST_OIDC_CLIENT_ID` and `XUMI_TEST_OIDC_CLIENT_SECRET` name it; it must know the redirect address
`http://test/auth/oidc/real/callback`. People sign in there with their hands, so that this goes as far as its sign-in page.
"""

import os
from collections.abc import AsyncIterator

import httpx
import pytest
from pydantic import SecretStr

from tests.modules.oidc import browser
from tests.modules.oidc.conftest import configured
from tests.modules.oidc.provider import SimulatedProvider
from xumi.api import Application
from xumi.kernel.config import Settings
from xumi.kernel.errors import APIException
from xumi.modules.oidc.service.providers import ProviderClient, get_client
from xumi.modules.oidc.settings import OidcSettings, Provider

REAL = "XUMI_TEST_OIDC_ISSUER"


@pytest.fixture(params=["simulated", *(["real"] if REAL in os.environ else [])])
def kind(request: pytest.FixtureRequest) -> str:
    """Which provider."""
    return str(request.param)


@pytest.fixture
def settings(settings: Settings, provider: SimulatedProvider, kind: str) -> Settings:
    """Settings that name it as `real`."""
    if kind == "simulated":
        known = configured(provider)
    else:
        secret = os.environ.get("XUMI_TEST_OIDC_CLIENT_SECRET")
        known = Provider(
            issuer=os.environ[REAL],
            client_id=os.environ["XUMI_TEST_OIDC_CLIENT_ID"],
            client_secret=SecretStr(secret) if secret else None,
        )
    settings._sections[OidcSettings] = OidcSettings(providers={"real": known})
    return settings


@pytest.fixture
async def known(app: Application) -> AsyncIterator[ProviderClient]:
    with app.resources.context("test"):
        yield get_client("real")


async def test_its_document_and_keys_can_be_read(known: ProviderClient) -> None:
    endpoints = await known.endpoints()
    assert endpoints.authorization.startswith(("https://", "http://127.0.0.1", "http://localhost"))
    keys = await known.keys()
    assert {key.key_type for key in keys.keys} <= {"RSA", "EC"}


async def test_it_lets_people_sign_in_for_us(app: Application, client: httpx.AsyncClient) -> None:
    url = await browser.leave(client, "real")
    async with httpx.AsyncClient(trust_env=False) as outside:
        page = await outside.get(url)
    assert page.status_code < 400
    assert "error=" not in page.headers.get("Location", "")


async def test_it_refuses_a_code_that_it_has_not_given(known: ProviderClient) -> None:
    with pytest.raises(APIException, match="PROVIDER_SIGN_IN_FAILED"):
        await known.exchange("invented", "x" * 43, "http://test/auth/oidc/real/callback")
