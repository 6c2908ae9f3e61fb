"""What routes take, where an example made from the schema would not do: passwords, codes, tokens that were sent to somebody.

`INPUTS` has a function for each such route. What takes long to make, or can be made once only, is made for the world as a whole by
`make_secrets`.
"""

from base64 import urlsafe_b64encode
from collections.abc import Callable
from dataclasses import dataclass, field
from hashlib import sha256
from typing import Any

import msgspec
from sqlalchemy import select

from tests.conftest import PASSWORD
from tests.security import shop_order
from tests.security.world import World
from xumi.kernel import clock
from xumi.kernel.auth import totp
from xumi.kernel.auth.refresh import digest
from xumi.kernel.db.session import unit_of_work
from xumi.kernel.secrets import SecretManager
from xumi.modules.account.models import Identity, SecondFactor, User
from xumi.modules.account.service import address, invitation, onetime, reset, second_factor
from xumi.modules.account.service.challenge import make_challenge
from xumi.modules.oidc.service import ticket


@dataclass(frozen=True)
class Input:
    """What a route takes.

    Attributes:
        body, query: fields of these; the others are made up.
        headers: sent besides.
        content: a body that is no JSON.
        caller: who gets through, where an administrator does not.
    """

    body: dict[str, Any] = field(default_factory=dict)
    query: dict[str, Any] = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    content: bytes = b""
    caller: str = "admin"


# A secret that everybody's authenticator app has; it is not confirmed but for that of `user`.
FACTOR = totp.make_secret()


async def make_secrets(world: World) -> None:
    """What inputs need: second factors, and tokens that were sent to somebody."""
    ids = [person.id for person in world.people.values()]
    with world.app.resources.context("test"):
        async with unit_of_work() as work:
            session, now = work.session, clock.now()
            users = (await session.scalars(select(User).where(User.id.in_(ids)))).all()
            world.users = {user.username: user for user in users}
            for user in users:
                row = SecondFactor(
                    user_id=user.id, secret=second_factor._encrypt(user.id, FACTOR), last_step=0
                )
                row.created_at, row.confirmed_at = now, now if user.username == "user" else None
                session.add(row)
            codes = await second_factor.replace_recovery_codes(session, world.people["user"].id)
            owner = world.users["owner"]
            issuer, subject = world.provider.issuer, world.provider.person.subject
            key = digest(f"{issuer}\0{subject}")
            session.add(Identity(user_id=owner.id, kind="oidc:acme", key=key, label="owner", created_at=now))
            invited = world.ids["/api/v1/invitations/{invitation_id}"]
            world.secrets = {
                "recovery code": codes[0],
                "password reset": await onetime.issue(
                    session, reset.PURPOSE, owner.id, seconds=600, binding=onetime.bind_to(owner)
                ),
                "e-mail": await onetime.issue(
                    session,
                    address.PURPOSE,
                    owner.id,
                    seconds=600,
                    binding=onetime.bind_to(owner),
                    email="new@example.com",
                ),
                "invitation": await onetime.issue(session, invitation.PURPOSE, invited, seconds=600),
            }
            await session.flush()
            session.expunge_all()


def _login(world: World) -> Input:
    return Input(body={"username": world.people["owner"].username, "password": PASSWORD})


def _refresh(world: World) -> Input:
    return Input(body={"refresh_token": world.people["owner"].refresh_token})


def _refresh_by_header(world: World) -> Input:
    return Input(headers={"Authorization": f"Bearer {world.people['owner'].refresh_token}"})


def _make_code() -> str:
    return totp.make_code(FACTOR, int(clock.timestamp()) // totp.STEP_SECONDS)


def _second_step(world: World) -> Input:
    with world.app.resources.context("test"):
        challenge = make_challenge("totp", world.users["user"])
    return Input(body={"challenge": challenge, "code": world.secrets["recovery code"]})


def _enrolment(world: World) -> Input:
    with world.app.resources.context("test"):
        return Input(body={"challenge": make_challenge("enrol", world.users["owner"]), "code": _make_code()})


def _confirm_factor(_: World) -> Input:
    return Input(body={"code": _make_code()})


def _prove_factor(world: World) -> Input:
    body = {"password": PASSWORD, "code": world.secrets["recovery code"]}
    return Input(body=body, caller="user")


def _prove_password(_: World) -> Input:
    return Input(body={"password": PASSWORD})


def _show(secret: str) -> Callable[[World], Input]:
    return lambda world: Input(body={"token": world.secrets[secret]})


def _come_back(world: World) -> Input:
    """What a browser brings back from the provider."""
    asked = ticket.make_asked("acme", None)
    challenge = urlsafe_b64encode(sha256(asked.verifier.encode()).digest()).rstrip(b"=").decode()
    code = world.provider.issue_code(
        code_challenge=challenge,
        nonce=asked.nonce,
        redirect_uri="http://test/auth/oidc/acme/callback",
    )
    return Input(query={"code": code, "state": asked.state}, headers=_carry(world, asked))


def _exchange(world: World) -> Input:
    answered, code = ticket.make_answered(world.people["owner"].id)
    return Input(body={"code": code}, headers=_carry(world, answered))


def _carry(world: World, value: ticket.Asked | ticket.Answered) -> dict[str, str]:
    with world.app.resources.context("test"):
        sealed = SecretManager.encrypt(msgspec.json.encode(value).decode())
    return {"Cookie": f"{ticket.COOKIE}={sealed}"}


def _fixed(**body: Any) -> Callable[[World], Input]:
    return lambda _: Input(body=body)


def _departments(world: World) -> Input:
    return Input(body={"main": world.ids["/api/v1/departments/{department_id}"]})


def _scopes(world: World) -> Input:
    rule = {"resource": "deal", "kind": "custom", "departments": [world.ids["sales"]]}
    return Input(body={"scopes": [rule]})


def _products(_: World) -> Input:
    """A file with the headings of a list of products."""
    return Input(content=b"product_code,name\n")


def _order(world: World) -> Input:
    sku_id = world.ids["POST /api/v1/orders sku_id"]
    line = {"sku_id": sku_id, "quantity": 1, "price_fen": shop_order.PRICE_FEN}
    return Input(body={"address_id": world.ids["POST /api/v1/orders address_id"], "lines": [line]})


def _preview(world: World) -> Input:
    line = {"sku_id": world.ids["POST /api/v1/orders/preview sku_id"], "quantity": 1}
    return Input(body={"lines": [line]})


def _ship(world: World) -> Input:
    label = "POST /api/v1/shop/orders/{number}/ship"
    return Input(body={"lines": [{"sku_id": world.ids[f"{label} sku_id"], "quantity": 1}]})


INPUTS: dict[str, Callable[[World], Input]] = {
    "POST /auth/login": _login,
    "POST /auth/refresh": _refresh,
    "GET /auth/refresh": _refresh_by_header,
    "POST /auth/login/second-factor": _second_step,
    "POST /auth/login/enrolment": _enrolment,
    "POST /auth/login/enrolment/confirm": _enrolment,
    "POST /auth/second-factor": _prove_password,
    "POST /auth/second-factor/confirm": _confirm_factor,
    "POST /auth/second-factor/disable": _prove_factor,
    "POST /auth/second-factor/recovery-codes": _prove_factor,
    "POST /auth/password/reset": _show("password reset"),
    "POST /auth/email": _prove_password,
    "POST /auth/email/confirm": _show("e-mail"),
    "POST /auth/invitations/accept": _show("invitation"),
    "POST /auth/identities/mobile": _fixed(mobile="+86 138 0013 8000"),
    "GET /auth/oidc/{provider}/callback": _come_back,
    "POST /auth/oidc/exchange": _exchange,
    "POST /auth/api-keys": _fixed(permissions=["poster:list"]),
    "POST /api/v1/roles": _fixed(code="made"),
    "POST /api/v1/roles/{code}/clone": _fixed(code="made"),
    "POST /api/v1/roles/migrate": _fixed(from_role="clerk", to_role="user"),
    "PUT /api/v1/roles/{role}/scopes": _scopes,
    "PUT /api/v1/menus/{menu_id}": _fixed(code="made", path="/made", component="made/index"),
    "PUT /api/v1/users/{user_id}/departments": _departments,
    "POST /api/v1/shop/products/import": _products,
    "POST /api/v1/orders": _order,
    "POST /api/v1/orders/preview": _preview,
    "POST /api/v1/shop/orders/{number}/ship": _ship,
    "POST /api/v1/shop/orders/{number}/pay-offline": _fixed(amount_fen=shop_order.PRICE_FEN),
}


def find_input(world: World, label: str) -> Input:
    """What a route takes, beyond what its schema says."""
    return INPUTS[label](world) if label in INPUTS else Input()
