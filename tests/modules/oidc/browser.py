"""What a browser does between this application and a provider."""

from urllib.parse import parse_qs, urlsplit

import httpx

from tests.modules.oidc.provider import SimulatedProvider


async def leave(client: httpx.AsyncClient, name: str = "acme") -> str:
    """Go to sign in; the address at the provider."""
    response = await client.get(f"/auth/oidc/{name}/login")
    assert response.status_code == 303, response.text
    return response.headers["Location"]


def agree(provider: SimulatedProvider, url: str) -> str:
    """Sign in at the provider; the address that it sends the browser back to."""
    parts = urlsplit(url)
    assert f"{parts.scheme}://{parts.netloc}" == provider.issuer
    return provider.authorize({name: values[0] for name, values in parse_qs(parts.query).items()})


async def come_back(
    client: httpx.AsyncClient, provider: SimulatedProvider, name: str = "acme"
) -> httpx.Response:
    """The whole way to the provider and back; the answer of the callback."""
    return await client.get(agree(provider, await leave(client, name)))


def find_word(response: httpx.Response) -> tuple[str, str]:
    """What stands behind the `#` of the page that the browser comes to: `code` or `bound`, and its value."""
    assert response.status_code == 303, response.text
    page, _, word = response.headers["Location"].partition("#")
    assert page == "http://test/signed-in"
    name, _, value = word.partition("=")
    return name, value


async def exchange(client: httpx.AsyncClient, code: str) -> httpx.Response:
    """What the page does."""
    return await client.post("/auth/oidc/exchange", json={"code": code})


async def sign_in(
    client: httpx.AsyncClient, provider: SimulatedProvider, name: str = "acme"
) -> dict[str, str]:
    """Sign in at the provider; our tokens."""
    kind, code = find_word(await come_back(client, provider, name))
    assert kind == "code"
    response = await exchange(client, code)
    assert response.status_code == 200, response.text
    tokens: dict[str, str] = response.json()["data"]
    return tokens


async def bind(client: httpx.AsyncClient, provider: SimulatedProvider, name: str = "acme") -> httpx.Response:
    """Bind an account at the provider to the account that has signed in; the answer of the callback."""
    response = await client.post(f"/auth/oidc/{name}/bind")
    assert response.status_code == 200, response.text
    return await client.get(agree(provider, response.json()["data"]["url"]))
