"""Error codes of favourites."""

from xumi.kernel.errors import APICode, define


class FavouriteCode(APICode):
    """What can go wrong with favourites, beyond the kernel's codes."""

    TOO_MANY_FAVOURITES = define(
        40974,
        en="You have {limit} favourites, which is the most: remove one first.",
        zh="您已收藏 {limit} 件商品，达到上限：请先取消一件。",
    )
