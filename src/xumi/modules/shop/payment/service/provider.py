"""Providers of payments: who takes the money.

    register_provider(WeChatProvider(settings))

A provider talks to its own service; none of its methods is called while a transaction is open.
"""

from collections.abc import Mapping
from typing import Any, Protocol

import msgspec

from xumi.kernel.errors import APICode, APIException, FieldError
from xumi.modules.shop.payment.models import Payment


class Notification(msgspec.Struct, frozen=True):
    """What a provider says of a payment whose money has come: what `settle` takes.

    Attributes:
        payment_id: our id, which the provider was told.
        reference: the provider's own number of the transaction.
        amount_fen: how much came.
    """

    payment_id: str
    reference: str
    amount_fen: int


class PaymentProvider(Protocol):
    """Somebody who takes money for orders."""

    @property
    def name(self) -> str:
        """What clients and the table call it; at most 32 characters, never changed."""

    async def prepare(self, payment: Payment) -> dict[str, Any]:
        """Tell the provider of a payment; returns what its client needs so that the customer can pay. May be asked again."""

    async def parse(self, headers: Mapping[str, str], body: bytes) -> Notification | None:
        """Read a notification; None where it does not say that money has come.

        Raises:
            APIException: UNAUTHENTICATED, it is not the provider's: its signature is wrong.
        """

    async def query(self, payment: Payment) -> Notification | None:
        """Ask whether the money of a payment has come: for notifications that were lost."""

    async def close(self, payment: Payment) -> None:
        """Say that a payment shall not be paid any more. Its money may be on its way all the same."""


class OfflineProvider:
    """Cash or a bank transfer: the staff say when the money is there."""

    name = "offline"

    async def prepare(self, payment: Payment) -> dict[str, Any]:
        """The customer needs nothing."""
        return {}

    async def parse(self, headers: Mapping[str, str], body: bytes) -> Notification | None:
        """Nobody notifies of cash."""
        raise APIException(APICode.UNAUTHENTICATED)

    async def query(self, payment: Payment) -> Notification | None:
        """Nobody can be asked."""
        return None

    async def close(self, payment: Payment) -> None:
        """Nobody has to know."""


_providers: dict[str, PaymentProvider] = {OfflineProvider.name: OfflineProvider()}


def register_provider(provider: PaymentProvider) -> None:
    """Let orders be paid by this provider from now on, in the place of one of the same name."""
    _providers[provider.name] = provider


def get_provider(name: str) -> PaymentProvider:
    """The provider of this name.

    Raises:
        APIException: VALIDATION_FAILED (`provider`).
    """
    if name not in _providers:
        reason = f"must be one of {', '.join(sorted(_providers))}"
        raise APIException(APICode.VALIDATION_FAILED, errors=[FieldError("provider", reason)])
    return _providers[name]
