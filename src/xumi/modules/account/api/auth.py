"""Signing up, signing in and out, one's own profile, password and sessions."""

from typing import Annotated

from fastapi import Cookie, Header, Query, Response

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.context import current
from xumi.kernel.db.query import PaginateRequest, PaginateResponse
from xumi.kernel.db.session import Session
from xumi.kernel.errors import APICode, APIException
from xumi.kernel.http.router import get_router
from xumi.modules.account import service
from xumi.modules.account.constants import DEVICE_COOKIE, DEVICE_COOKIE_SECONDS
from xumi.modules.account.models import User
from xumi.modules.account.schemas import (
    CaptchaOut,
    Login,
    PasswordChange,
    Refresh,
    Register,
    RegisteredOut,
    SecondFactorOut,
    SessionOut,
    TokensOut,
    UserOut,
)
from xumi.modules.account.service import session as sessions
from xumi.modules.account.service import signin
from xumi.modules.account.service.captcha import make_captcha

router = get_router(prefix="/auth")

NO_STORE = {"Cache-Control": "no-store"}


@router.post("/register", public=True, status_code=201, response_model=RegisteredOut)
async def register(session: Session, body: Register) -> User:
    """Make an account for oneself."""
    return await service.register(session, body)


@router.post("/login", public=True)
async def login(
    session: Session,
    body: Login,
    response: Response,
    device: Annotated[str | None, Cookie(alias=DEVICE_COOKIE, include_in_schema=False)] = None,
    user_agent: Annotated[str, Header(include_in_schema=False)] = "",
) -> TokensOut | SecondFactorOut:
    """Sign in. Accounts with a second factor get no tokens yet, but a challenge for `POST /auth/login/second-factor`.

    The cookie lets this device in even while somebody else tries passwords for the account.
    """
    signed_in = await signin.sign_in(session, body, device_token=device, user_agent=user_agent)
    if isinstance(signed_in, SecondFactorOut):
        response.headers.update(NO_STORE)
        return signed_in
    remember_device(response, signed_in.device_token)
    return signed_in.tokens


def remember_device(response: Response, device_token: str) -> None:
    """Answer a sign-in: the cookie by which the device is known from now on, and nothing is cached."""
    response.headers.update(NO_STORE)
    response.set_cookie(
        DEVICE_COOKIE,
        device_token,
        max_age=DEVICE_COOKIE_SECONDS,
        path=router.prefix,
        secure=current().resources.settings.app_env == "production",
        httponly=True,
        samesite="strict",
    )


@router.get("/captcha", public=True, rate_limit="30/minute")
async def get_captcha(response: Response) -> CaptchaOut:
    """A picture of letters to send with a sign-in after several failures. It counts once."""
    response.headers.update(NO_STORE)
    return make_captcha()


@router.post("/refresh", public=True)
async def refresh(body: Refresh, response: Response) -> TokensOut:
    """Exchange a refresh token for new tokens. It can be used once; the answer holds the next one."""
    response.headers.update(NO_STORE)
    return await sessions.refresh(body.refresh_token)


@router.get("/refresh", public=True)
async def refresh_by_header(
    response: Response, authorization: Annotated[str, Header(description="`Bearer <refresh token>`")] = ""
) -> TokensOut:
    """The same with the refresh token in the Authorization header, for clients that know it that way."""
    response.headers.update(NO_STORE)
    scheme, _, token = authorization.partition(" ")
    if scheme.lower() != "bearer":
        raise APIException(APICode.REFRESH_FAILED)
    return await sessions.refresh(token.strip(" \t"))


@router.post("/logout", permission="session:end", status_code=204)
async def logout(session: Session, principal: CurrentPrincipal) -> None:
    """End the session that asks."""
    await sessions.end(session, [principal.session_id])


@router.post("/password", permission="password:change", status_code=204)
async def change_password(session: Session, principal: CurrentPrincipal, body: PasswordChange) -> None:
    """Change one's own password. All other sessions end; this one goes on after a refresh."""
    await signin.change_password(session, principal, body)


@router.get("/profile/{user_id}", permission="profile:read")
async def get_profile(principal: CurrentPrincipal, user_id: str) -> UserOut:
    """One's own account; with the permission `user:read`, anybody's."""
    if user_id != principal.user_id and not current().resources.access.allows(principal, "user:read"):
        raise APIException(APICode.NOT_FOUND)
    return await service.get_user(user_id)


@router.get("/sessions", permission="session:list")
async def list_sessions(
    principal: CurrentPrincipal, query: Annotated[PaginateRequest, Query()]
) -> PaginateResponse[SessionOut]:
    """One's own sessions."""
    return await sessions.list_own(principal, query)


@router.delete("/sessions", permission="session:end", status_code=204)
async def end_other_sessions(session: Session, principal: CurrentPrincipal) -> None:
    """End all of one's sessions except the one that asks."""
    await sessions.end_others(session, principal.user_id, principal.session_id)


@router.delete("/sessions/{session_id}", permission="session:end", status_code=204)
async def end_session(session: Session, principal: CurrentPrincipal, session_id: str) -> None:
    """End one of one's sessions."""
    await sessions.end_own(session, principal.user_id, session_id)
