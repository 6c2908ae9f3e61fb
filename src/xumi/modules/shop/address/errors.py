"""Error codes of addresses."""

from xumi.kernel.errors import APICode, define


class AddressCode(APICode):
    """What can go wrong with addresses, beyond the kernel's codes."""

    TOO_MANY_ADDRESSES = define(
        40975,
        en="You have {limit} addresses, which is the most: delete one first.",
        zh="您已有 {limit} 个收货地址，达到上限：请先删除一个。",
    )
