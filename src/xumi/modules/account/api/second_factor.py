"""The second step of a sign-in, and one's own second factor."""

from typing import Annotated

from fastapi import Cookie, Header, Response

from xumi.kernel.auth.principal import CurrentPrincipal
from xumi.kernel.db.session import Session
from xumi.kernel.http.router import get_router
from xumi.modules.account.api.auth import NO_STORE, remember_device
from xumi.modules.account.constants import DEVICE_COOKIE
from xumi.modules.account.schemas import (
    Challenged,
    CodeProof,
    EnrolledOut,
    EnrolmentOut,
    FactorProof,
    PasswordProof,
    RecoveryCodesOut,
    SecondFactorState,
    SecondStep,
    TokensOut,
)
from xumi.modules.account.service import enrolment, second_step

router = get_router(prefix="/auth")

UserAgent = Annotated[str, Header(include_in_schema=False)]


@router.post("/login/second-factor", public=True)
async def give_second_factor(
    session: Session,
    body: SecondStep,
    response: Response,
    device: Annotated[str | None, Cookie(alias=DEVICE_COOKIE, include_in_schema=False)] = None,
    user_agent: UserAgent = "",
) -> TokensOut:
    """Finish a sign-in by a code of the authenticator app, or a recovery code."""
    signed_in = await second_step.finish(session, body, device_token=device, user_agent=user_agent)
    remember_device(response, signed_in.device_token)
    return signed_in.tokens


@router.post("/login/enrolment", public=True)
async def enrol_at_login(session: Session, body: Challenged, response: Response) -> EnrolmentOut:
    """Begin to set up an authenticator app during a sign-in, where a role requires one."""
    response.headers.update(NO_STORE)
    return await second_step.propose(session, body.challenge)


@router.post("/login/enrolment/confirm", public=True)
async def confirm_at_login(
    session: Session, body: SecondStep, response: Response, user_agent: UserAgent = ""
) -> EnrolledOut:
    """Finish such a sign-in by the first code of the app. Other sessions of the account end."""
    signed_in, codes = await second_step.confirm(session, body, user_agent=user_agent)
    remember_device(response, signed_in.device_token)
    return EnrolledOut(**signed_in.tokens.model_dump(), recovery_codes=codes)


@router.get("/second-factor", permission="second-factor:read")
async def get_second_factor(principal: CurrentPrincipal) -> SecondFactorState:
    """Whether one has a second factor, and must have one."""
    return await enrolment.get_state(principal)


@router.post("/second-factor", permission="second-factor:change", status_code=201)
async def begin_second_factor(
    session: Session, principal: CurrentPrincipal, body: PasswordProof, response: Response
) -> EnrolmentOut:
    """Begin to set up an authenticator app. It counts after its first code was sent to `/auth/second-factor/confirm`."""
    response.headers.update(NO_STORE)
    return await enrolment.begin(session, principal, body.password)


@router.post("/second-factor/confirm", permission="second-factor:change")
async def confirm_second_factor(
    session: Session, principal: CurrentPrincipal, body: CodeProof, response: Response
) -> RecoveryCodesOut:
    """Let the app count from now on. All other sessions end."""
    response.headers.update(NO_STORE)
    return RecoveryCodesOut(recovery_codes=await enrolment.confirm(session, principal, body.code))


@router.post("/second-factor/disable", permission="second-factor:change", status_code=204)
async def disable_second_factor(session: Session, principal: CurrentPrincipal, body: FactorProof) -> None:
    """Take one's second factor and recovery codes away."""
    await enrolment.disable(session, principal, body)


@router.post("/second-factor/recovery-codes", permission="second-factor:change")
async def renew_recovery_codes(
    session: Session, principal: CurrentPrincipal, body: FactorProof, response: Response
) -> RecoveryCodesOut:
    """Ten new recovery codes; the old ones no longer count."""
    response.headers.update(NO_STORE)
    return RecoveryCodesOut(recovery_codes=await enrolment.renew_recovery_codes(session, principal, body))
