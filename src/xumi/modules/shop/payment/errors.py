"""Error codes of payments."""

from xumi.kernel.errors import APICode, define


class PaymentCode(APICode):
    """What can go wrong with payments, beyond the kernel's codes."""

    AMOUNT_DIFFERS = define(
        40976,
        en="The amount is not what the order costs.",
        zh="支付金额与订单金额不一致。",
    )
    REFERENCE_TAKEN = define(
        40977,
        en="This reference belongs to another payment.",
        zh="该流水号已用于其他支付。",
    )
