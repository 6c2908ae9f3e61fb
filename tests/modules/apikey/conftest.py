"""The people of the account tests, and keys of theirs."""

from typing import Any

import httpx
import pytest

from tests.modules.account.conftest import (
    Connect,
    Person,
    cheap_passwords,
    chief,
    connect,
    settings,
    sign_in,
    sign_up,
)
from xumi.api import Application

__all__ = ["cheap_passwords", "chief", "connect", "settings", "sign_in", "sign_up"]


class Keys:
    """Makes keys and uses them."""

    def __init__(self, connect: Connect) -> None:
        self._connect = connect

    async def make(self, owner: Person, *permissions: str, **more: Any) -> dict[str, Any]:
        """A new key as its owner is shown it."""
        body = {"name": "a machine", "permissions": permissions, **more}
        response = await owner.client.post("/auth/api-keys", json=body)
        assert response.status_code == 201, response.text
        made: dict[str, Any] = response.json()["data"]
        return made

    async def machine(self, key: str, **options: Any) -> httpx.AsyncClient:
        """A client that sends the key, of another application with `app=`."""
        target = [options.pop("app")] if "app" in options else []
        return await self._connect(*target, headers={"X-API-Key": key}, **options)

    async def status(self, key: str, app: Application, path: str = "/poster/list") -> int:
        """What a worker answers to a key."""
        return (await (await self.machine(key, app=app)).get(path)).status_code


@pytest.fixture
def keys(connect: Connect) -> Keys:
    """Make keys: `await keys.make(alice, "poster:list")`."""
    return Keys(connect)
