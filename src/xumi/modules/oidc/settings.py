"""Which OpenID providers there are: `OIDC__PROVIDERS`, or `oidc: {providers: …}` in `config.yaml`."""

import json
import re
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, SecretStr

from xumi.kernel.config import Section

_NAME = re.compile(r"[a-z][a-z0-9-]{0,31}")
_LOOPBACK = frozenset(("127.0.0.1", "::1", "localhost"))


def is_safe_url(text: object) -> bool:
    """Whether what is sent there cannot be read or changed on its way: https, or this machine."""
    if not isinstance(text, str):
        return False
    parts = urlsplit(text)
    safe = parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in _LOOPBACK)
    return safe and bool(parts.hostname) and not parts.username and not parts.fragment


def _check_issuer(text: str) -> str:
    if not is_safe_url(text) or "?" in text:
        raise ValueError("must be an address such as https://accounts.example.com")
    return text


def _read_json(value: object) -> object:
    if not isinstance(value, str):
        return value
    try:
        return json.loads(value)
    except ValueError as error:
        raise ValueError(
            'must be JSON such as {"acme": {"issuer": "https://…", "client_id": "…"}}'
        ) from error


class Provider(BaseModel):
    """One provider, as it knows this application.

    Attributes:
        issuer: its address, exactly as its tokens name it.
        client_id, client_secret: what it has given this application; no secret for a public client.
        scopes: what is asked of it, `openid` among them.
        title: what people read on the button; its name by default.
        provision: whoever signs in there and is unknown here gets an account with the role `user`.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    issuer: Annotated[str, AfterValidator(_check_issuer)]
    client_id: str = Field(min_length=1)
    client_secret: SecretStr | None = None
    scopes: str = "openid profile email"
    title: str = ""
    provision: bool = False


def _check_names(providers: dict[str, Provider]) -> dict[str, Provider]:
    for name, provider in providers.items():
        if not _NAME.fullmatch(name):
            raise ValueError(f"{name!r} must be a name of small letters, digits and hyphens")
        if "openid" not in provider.scopes.split():
            raise ValueError(f"{name}: scopes must hold openid")
    return providers


Providers = Annotated[dict[str, Provider], BeforeValidator(_read_json), AfterValidator(_check_names)]


class OidcSettings(Section):
    """The section `oidc`."""

    providers: Providers = Field(
        {},
        description="OpenID providers by name, as JSON: `issuer`, `client_id`, `client_secret`, `scopes`, `title`, `provision`.",
    )
    landing_path: str = Field(
        "/signed-in",
        pattern=r"^/[\w/.-]*$",
        description="The page of PUBLIC_URL that browsers come to from a provider, with a code behind the `#`.",
    )
