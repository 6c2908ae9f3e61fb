"""Forged tokens at the door of a running application: 401 for each, by Bearer and by Basic, and nothing else."""

from base64 import b64encode

import httpx
import pytest

from tests.conftest import make_settings
from xumi.kernel import clock
from xumi.kernel.config import Settings
from xumi.kernel.testing.tokens import forgeries

SECRET = "a secret of the tests that is long enough"
GUARDED = "/api/v1/users"


@pytest.fixture
def settings(sqlite_url: str) -> Settings:
    """A key that the forger knows."""
    return make_settings(
        sqlite_url, jwt_secret_key=f"k1:{SECRET}", rate_limit_enabled=False, log_level="CRITICAL"
    )


async def test_every_forged_token_is_refused(admin: httpx.AsyncClient, client: httpx.AsyncClient) -> None:
    genuine = admin.headers["Authorization"].removeprefix("Bearer ")
    assert (await admin.get(GUARDED)).status_code == 200
    refused = 0
    for kind, token in forgeries(genuine, SECRET).items():
        raw = token.encode(errors="surrogatepass")
        headers = [b"Bearer " + raw, b"Basic " + b64encode(raw + b":")]
        for header in headers:
            if b"\n" in header or b"\0" in header:
                continue  # no HTTP server lets these through
            # A space or a header's end around the token is HTTP's, not the token's.
            response = await client.get(GUARDED, headers=[(b"Authorization", header)])
            assert response.status_code == 401, kind
            assert response.json()["code"] in (40100, 40101), kind
            assert response.headers["WWW-Authenticate"].startswith("Bearer")
            refused += 1
    assert refused >= 150


async def test_an_expired_token_says_so(admin: httpx.AsyncClient) -> None:
    with clock.travel(seconds=901):
        response = await admin.get(GUARDED)
    assert (response.status_code, response.json()["code"]) == (401, 40102)


async def test_a_refresh_token_opens_nothing(client: httpx.AsyncClient) -> None:
    body = {"username": "admin", "password": "correct horse battery staple"}
    tokens = (await client.post("/auth/login", json=body)).json()["data"]
    response = await client.get(GUARDED, headers={"Authorization": f"Bearer {tokens['refresh_token']}"})
    assert (response.status_code, response.json()["code"]) == (401, 40101)
