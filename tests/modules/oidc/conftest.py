"""Two providers, and an application that knows them."""

from collections.abc import Iterator

import pytest
from argon2 import PasswordHasher
from pydantic import SecretStr

from tests.conftest import make_settings
from tests.modules.oidc.provider import CLIENT_ID, CLIENT_SECRET, SimulatedProvider, run_provider
from xumi.kernel.auth import password
from xumi.kernel.config import Settings
from xumi.modules.oidc.settings import OidcSettings, Provider


@pytest.fixture(autouse=True)
def cheap_passwords(monkeypatch: pytest.MonkeyPatch) -> None:
    """Hashing costs next to nothing here."""
    monkeypatch.setattr(password, "_hasher", PasswordHasher(time_cost=1, memory_cost=8, parallelism=1))
    monkeypatch.setattr(password, "_NOBODY", password._nobody())


@pytest.fixture
def database_url(sqlite_url: str) -> str:
    """What is written is `account`'s, which is tested on every database."""
    return sqlite_url


@pytest.fixture(scope="module")
def running_providers() -> Iterator[list[SimulatedProvider]]:
    """Keys take long to make."""
    with run_provider() as acme, run_provider() as other:
        yield [acme, other]


@pytest.fixture
def provider(running_providers: list[SimulatedProvider]) -> SimulatedProvider:
    """The provider `acme`, which does right."""
    return begin_again(running_providers[0])


@pytest.fixture
def other(running_providers: list[SimulatedProvider]) -> SimulatedProvider:
    """The provider `other`."""
    return begin_again(running_providers[1])


def begin_again(provider: SimulatedProvider) -> SimulatedProvider:
    provider.forget()
    return provider


def configured(provider: SimulatedProvider, **values: object) -> Provider:
    """What the configuration says of a provider."""
    facts = {"issuer": provider.issuer, "client_id": CLIENT_ID, "client_secret": SecretStr(CLIENT_SECRET)}
    return Provider.model_validate(facts | values)


@pytest.fixture
def provider_values() -> dict[str, object]:
    """What else the configuration says of `acme`."""
    return {}


@pytest.fixture
def settings(
    database_url: str,
    provider: SimulatedProvider,
    other: SimulatedProvider,
    provider_values: dict[str, object],
) -> Settings:
    """Settings that name both."""
    settings = make_settings(
        database_url, rate_limit_enabled=False, public_url="http://test", log_level="CRITICAL"
    )
    providers = {"acme": configured(provider, **provider_values), "other": configured(other)}
    settings._sections[OidcSettings] = OidcSettings(providers=providers)
    return settings
