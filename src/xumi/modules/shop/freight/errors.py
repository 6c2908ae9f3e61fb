"""Error codes of freight."""

from xumi.kernel.errors import APICode, define


class FreightCode(APICode):
    """What can go wrong with freight, beyond the kernel's codes."""

    NOT_DELIVERED = define(
        40990,
        en="Some of these goods cannot be sent to {province}.",
        zh="部分商品无法配送至{province}。",
    )
