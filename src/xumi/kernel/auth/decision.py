"""A decision point outside: a service of the company that has the last word on what the roles here allow.

With AUTHZ_URL set, each permission that a caller holds is asked for there before his request goes on:

    POST <AUTHZ_URL>  {"subject": "<user id>", "permission": "user:list", "route": "/api/v1/users", "method": "GET"}
    200               {"allow": true}

Its answer holds for AUTHZ_CACHE_SECONDS for that user and permission, on whichever route. It never allows what the roles here do
not, and where it does not answer as it should, nobody is let in.
"""

import asyncio
from collections import OrderedDict
from contextlib import AsyncExitStack
from importlib.util import find_spec
from typing import TYPE_CHECKING

import msgspec

from xumi.kernel import clock
from xumi.kernel.config import Settings
from xumi.kernel.errors import APICode, APIException, StartError

if TYPE_CHECKING:
    import httpx

MAX_REMEMBERED = 10_000
MAX_CONNECTIONS = 100

_Key = tuple[str, str]


class _Answer(msgspec.Struct):
    allow: bool


_decode = msgspec.json.Decoder(_Answer).decode


class _WrongAnswer(Exception):
    """It answered something else than a decision."""


class DecisionPoint:
    """Asks the service, and remembers its answers.

    Args:
        settings: `authz_url`, which must be set, `authz_timeout_seconds`, `authz_cache_seconds` and `authz_token`.

    Raises:
        StartError: the package that speaks HTTP is not installed.
    """

    def __init__(self, settings: Settings) -> None:
        if find_spec("httpx") is None:
            raise StartError("AUTHZ_URL is set, which needs httpx: pip install 'xumi[authz]'.")
        self._url = settings.authz_url or ""
        self._timeout_seconds = settings.authz_timeout_seconds
        self._remember_seconds = settings.authz_cache_seconds
        token = settings.authz_token
        self._headers = {"Content-Type": "application/json", "Accept": "application/json"}
        if token is not None:
            self._headers["Authorization"] = f"Bearer {token.get_secret_value()}"
        self._known: OrderedDict[_Key, tuple[bool, float]] = OrderedDict()
        self._asked: dict[_Key, asyncio.Task[bool]] = {}
        self._client: httpx.AsyncClient | None = None
        self._stack = AsyncExitStack()

    async def start(self) -> None:
        """Open the connection pool; nothing is asked yet."""
        import httpx

        # Neither a proxy of the environment nor a redirect sees who may do what. The limit of time is for the whole of an answer.
        client = httpx.AsyncClient(
            headers=self._headers,
            timeout=None,
            limits=httpx.Limits(max_connections=MAX_CONNECTIONS),
            follow_redirects=False,
            trust_env=False,
        )
        self._client = await self._stack.enter_async_context(client)

    async def close(self) -> None:
        """Give up what is being asked, and close the connections. Safe to call twice."""
        asked = list(self._asked.values())
        for task in asked:
            task.cancel()
        await asyncio.gather(*asked, return_exceptions=True)
        await self._stack.aclose()

    async def require(self, user_id: str, permission: str, route: str, method: str) -> None:
        """Let a request go on if the service allows it.

        Raises:
            APIException: FORBIDDEN; AUTHORIZATION_UNAVAILABLE where no decision came in time.
        """
        key = (user_id, permission)
        known = self._known.get(key)
        if known is not None and known[1] > clock.monotonic():
            allowed = known[0]
        else:
            try:
                allowed = await self._ask_once(key, route, method)
            except Exception as error:
                code = APICode.AUTHORIZATION_UNAVAILABLE
                raise APIException(code, headers={"Retry-After": "1"}) from error
        if not allowed:
            raise APIException(APICode.FORBIDDEN)

    async def _ask_once(self, key: _Key, route: str, method: str) -> bool:
        """Ask, or wait for the answer that another request of this user is waiting for."""
        task = self._asked.get(key)
        if task is None:
            task = self._asked[key] = asyncio.create_task(self._ask(key, route, method), name="ask AUTHZ_URL")
            task.add_done_callback(lambda done: self._end(key, done))
        # A request that is given up does not take the answer from the others.
        return await asyncio.shield(task)

    def _end(self, key: _Key, done: "asyncio.Task[bool]") -> None:
        del self._asked[key]
        if not done.cancelled():
            # Nobody may be waiting any more; then the failure is nobody's.
            done.exception()

    async def _ask(self, key: _Key, route: str, method: str) -> bool:
        question = {"subject": key[0], "permission": key[1], "route": route, "method": method}
        async with asyncio.timeout(self._timeout_seconds):
            response = await self._post(msgspec.json.encode(question))
        if response.status_code != 200:
            raise _WrongAnswer(f"it answered with status {response.status_code}")
        allowed = _decode(response.content).allow
        self._remember(key, allowed)
        return allowed

    async def _post(self, question: bytes) -> "httpx.Response":
        import httpx

        assert self._client is not None
        try:
            return await self._client.post(self._url, content=question)
        except httpx.TransportError:
            # The service may have closed a connection that we kept; to ask twice does no harm.
            return await self._client.post(self._url, content=question)

    def _remember(self, key: _Key, allowed: bool) -> None:
        if self._remember_seconds > 0:
            self._known[key] = (allowed, clock.monotonic() + self._remember_seconds)
            self._known.move_to_end(key)
            if len(self._known) > MAX_REMEMBERED:
                self._known.popitem(last=False)
