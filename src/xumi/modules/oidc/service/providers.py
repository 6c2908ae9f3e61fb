"""The configured providers of a process: their documents and keys, kept for an hour, and the exchange of codes.

Needs `xumi[oidc]`; whoever configures no provider need not have it.
"""

import asyncio
from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any, NamedTuple
from urllib.parse import quote_plus
from weakref import WeakKeyDictionary

import msgspec

from xumi.kernel import clock
from xumi.kernel.config import section
from xumi.kernel.context import current
from xumi.kernel.errors import APICode, APIException, StartError
from xumi.kernel.log import logger
from xumi.modules.oidc.errors import OidcCode
from xumi.modules.oidc.settings import OidcSettings, Provider, is_safe_url

if TYPE_CHECKING:
    import httpx
    from joserfc.jwk import KeySet

    from xumi.kernel.resources import Resources

TIMEOUT_SECONDS = 10.0
MAX_ANSWER_BYTES = 1_000_000
KEEP_SECONDS = 3600.0
# A stranger's tokens with invented key ids must not make us ask the provider each time.
KEYS_AGAIN_SECONDS = 60.0

_running: "WeakKeyDictionary[Resources, dict[str, ProviderClient]]" = WeakKeyDictionary()


class Endpoints(NamedTuple):
    """What a provider's document says (OpenID Connect Discovery 1.0 §3)."""

    authorization: str
    token: str
    jwks: str
    takes_basic: bool
    names_itself: bool
    """Whether its answers carry `iss` (RFC 9207)."""


class Tokens(NamedTuple):
    """What a code was exchanged for."""

    id_token: str
    access_token: str | None


class ProviderClient:
    """Speaks to one provider.

    Args:
        name: as the configuration calls it.
        provider: what the configuration says of it.
        http: shared by all providers.
    """

    def __init__(self, name: str, provider: Provider, http: "httpx.AsyncClient") -> None:
        self.name = name
        self.provider = provider
        self._http = http
        self._endpoints: Endpoints | None = None
        self._endpoints_at = self._keys_at = float("-inf")
        self._keys: KeySet | None = None
        self._lock = asyncio.Lock()

    async def endpoints(self) -> Endpoints:
        """Where the provider is asked for what.

        Raises:
            APIException: PROVIDER_UNAVAILABLE.
        """
        if self._endpoints is None or clock.monotonic() - self._endpoints_at > KEEP_SECONDS:
            address = self.provider.issuer.rstrip("/") + "/.well-known/openid-configuration"
            self._endpoints = self._read_endpoints(await self._fetch("GET", address))
            self._endpoints_at = clock.monotonic()
        return self._endpoints

    async def keys(self, *, newer: bool = False) -> "KeySet":
        """The keys that the provider signs with.

        Args:
            newer: those that are kept have not got the one that is wanted; asked again once a minute at most.

        Raises:
            APIException: PROVIDER_UNAVAILABLE.
        """
        from xumi.modules.oidc.service.idtoken import read_keys

        async with self._lock:
            age = clock.monotonic() - self._keys_at
            if self._keys is None or age > (KEYS_AGAIN_SECONDS if newer else KEEP_SECONDS):
                document = await self._fetch("GET", (await self.endpoints()).jwks)
                try:
                    self._keys = read_keys(document)
                except Exception as error:
                    raise self._unavailable(f"its keys cannot be read: {type(error).__name__}") from error
                self._keys_at = clock.monotonic()
            return self._keys

    async def exchange(self, code: str, verifier: str, redirect_uri: str) -> Tokens:
        """The tokens for a code.

        Raises:
            APIException: PROVIDER_UNAVAILABLE; PROVIDER_SIGN_IN_FAILED, it does not take the code.
        """
        endpoints, client_id = await self.endpoints(), self.provider.client_id
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": redirect_uri,
            "code_verifier": verifier,
        }
        secret, credentials = self.provider.client_secret, None
        if secret is None:
            form["client_id"] = client_id
        elif endpoints.takes_basic:
            # RFC 6749 §2.3.1: both are form-encoded first.
            credentials = (quote_plus(client_id), quote_plus(secret.get_secret_value()))
        else:
            form |= {"client_id": client_id, "client_secret": secret.get_secret_value()}
        answer = await self._fetch("POST", endpoints.token, form, credentials)
        id_token, access_token = answer.get("id_token"), answer.get("access_token")
        if not isinstance(id_token, str) or not (access_token is None or isinstance(access_token, str)):
            raise self._unavailable("it gave no ID token")
        return Tokens(id_token, access_token)

    def _read_endpoints(self, document: Mapping[str, Any]) -> Endpoints:
        if document.get("issuer") != self.provider.issuer:
            raise self._unavailable("its document is another issuer's")
        names = ("authorization_endpoint", "token_endpoint", "jwks_uri")
        authorization, token, jwks = (document.get(name) for name in names)
        if not (is_safe_url(authorization) and is_safe_url(token) and is_safe_url(jwks)):
            raise self._unavailable("its document names endpoints that are not https")
        methods = document.get("token_endpoint_auth_methods_supported")
        takes_basic = not isinstance(methods, list) or "client_secret_basic" in methods
        names_itself = document.get("authorization_response_iss_parameter_supported") is True
        return Endpoints(str(authorization), str(token), str(jwks), takes_basic, names_itself)

    async def _fetch(
        self,
        method: str,
        url: str,
        form: dict[str, str] | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> dict[str, Any]:
        """The JSON object that the provider answers with, of a bounded size and in a bounded time; redirects are not followed."""
        import httpx

        body = bytearray()
        try:
            async with asyncio.timeout(TIMEOUT_SECONDS):
                headers = {"Accept": "application/json", "Accept-Encoding": "identity"}
                auth = None if credentials is None else httpx.BasicAuth(*credentials)
                async with self._http.stream(method, url, data=form, auth=auth, headers=headers) as response:
                    async for piece in response.aiter_bytes():
                        body += piece
                        if len(body) > MAX_ANSWER_BYTES:
                            raise self._unavailable("its answer is too large")
            answer = msgspec.json.decode(bytes(body))
        except (httpx.HTTPError, TimeoutError, msgspec.DecodeError, RecursionError) as error:
            raise self._unavailable(f"{url}: {type(error).__name__}") from error
        if form is not None and response.status_code in (400, 401):
            logger.warning("provider refused a code", provider=self.name, reason=_error_of(answer))
            raise APIException(OidcCode.PROVIDER_SIGN_IN_FAILED)
        if response.status_code != 200 or not isinstance(answer, dict):
            raise self._unavailable(f"{url} answers {response.status_code}")
        return answer

    def _unavailable(self, reason: str) -> APIException:
        logger.warning("provider does not answer as it should", provider=self.name, reason=reason)
        return APIException(OidcCode.PROVIDER_UNAVAILABLE, headers={"Retry-After": "10"})


def _error_of(answer: object) -> str:
    return str(answer.get("error"))[:200] if isinstance(answer, dict) else ""


def get_client(name: str) -> ProviderClient:
    """The provider of this name.

    Raises:
        APIException: NOT_FOUND.
    """
    client = _running[current().resources].get(name)
    if client is None:
        raise APIException(APICode.NOT_FOUND)
    return client


def list_clients() -> list[ProviderClient]:
    """All providers, in the order of the configuration."""
    return list(_running[current().resources].values())


@asynccontextmanager
async def live(resources: "Resources") -> AsyncIterator[None]:
    """Have the configured providers at hand while the process runs.

    Raises:
        StartError: there are some, and `xumi[oidc]` is not installed.
    """
    providers = section(OidcSettings, resources.settings).providers
    _running[resources] = {}
    if not providers:
        yield
        return
    if resources.settings.app_env == "production" and resources.settings.public_url is None:
        raise StartError("PUBLIC_URL is not set: OpenID providers send browsers back there.")
    try:
        import httpx
        import joserfc  # noqa: F401
    except ImportError as error:
        raise StartError(
            "OIDC__PROVIDERS needs packages that are not installed: pip install 'xumi[oidc]'"
        ) from error
    async with httpx.AsyncClient(timeout=TIMEOUT_SECONDS, follow_redirects=False) as http:
        _running[resources] = {name: ProviderClient(name, each, http) for name, each in providers.items()}
        yield
