"""Signing in at OpenID providers, and binding accounts there."""

from typing import Annotated

from fastapi import Cookie, Header, Query, Response
from starlette.responses import RedirectResponse

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.account.service.external import SecondFactorOut, TokensOut
from xumi.modules.oidc.schemas import AuthorizationOut, CodeExchange, ProviderOut
from xumi.modules.oidc.service import flow, ticket

router = get_router(prefix=ticket.PATH, tags=["oidc"])

_NO_STORE = {"Cache-Control": "no-store"}
_LIMIT = "30/minute"

Ticket = Annotated[str | None, Cookie(alias=ticket.COOKIE, include_in_schema=False)]


@router.get("", public=True)
async def list_providers() -> list[ProviderOut]:
    """The providers that people can sign in at."""
    return flow.list_providers()


@router.get("/{provider}/login", public=True, status_code=303, rate_limit=_LIMIT)
async def login(provider: str) -> RedirectResponse:
    """Send a browser to a provider to sign in."""
    return _redirect(await flow.begin(provider))


@router.post("/{provider}/bind", permission="oidc:bind", rate_limit=_LIMIT)
async def bind(provider: str, principal: CurrentPrincipal, response: Response) -> AuthorizationOut:
    """Where the caller's browser goes to bind an account at a provider; unbinding is `DELETE /auth/identities/{id}`."""
    step = await flow.begin(provider, principal)
    response.headers.update(_NO_STORE)
    _carry(response, step)
    return AuthorizationOut(url=step.url)


@router.get("/{provider}/callback", public=True, status_code=303, rate_limit=_LIMIT)
async def come_back(
    provider: str,
    session: Session,
    code: Annotated[str | None, Query(max_length=2048)] = None,
    state: Annotated[str | None, Query(max_length=200)] = None,
    iss: Annotated[str | None, Query(max_length=2048)] = None,
    error: Annotated[str | None, Query(max_length=200)] = None,
    sealed: Ticket = None,
) -> RedirectResponse:
    """Where a provider sends a browser back; it goes on to the landing page, with a one-time code behind the `#`."""
    return _redirect(await flow.come_back(session, provider, flow.Answer(code, state, iss, error), sealed))


@router.post("/exchange", public=True, rate_limit=_LIMIT)
async def exchange(
    session: Session,
    body: CodeExchange,
    response: Response,
    sealed: Ticket = None,
    user_agent: Annotated[str, Header(include_in_schema=False)] = "",
) -> TokensOut | SecondFactorOut:
    """Exchange that code for tokens: once, within a minute, in the same browser."""
    tokens = await flow.exchange(session, body.code, sealed, user_agent)
    response.headers.update(_NO_STORE)
    ticket.take_away(response)
    return tokens


def _redirect(step: flow.Step) -> RedirectResponse:
    response = RedirectResponse(step.url, 303, headers=_NO_STORE)
    _carry(response, step)
    return response


def _carry(response: Response, step: flow.Step) -> None:
    if step.ticket is None:
        ticket.take_away(response)
    else:
        ticket.put(response, step.ticket)
