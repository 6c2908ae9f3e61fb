"""Error codes of the catalogue."""

from xumi.kernel.errors import APICode, define


class CatalogCode(APICode):
    """What can go wrong with the catalogue, beyond the kernel's codes."""

    CATEGORY_NOT_EMPTY = define(
        40985,
        en="The category has categories below it or products: move them first.",
        zh="该分类下存在子分类或商品，请先将其移走。",
    )
    NOTHING_TO_SELL = define(
        40986,
        en="A product on sale needs at least one enabled SKU.",
        zh="在售商品至少需要一个启用的 SKU。",
    )
    IN_USE = define(
        40987,
        en="This was sold, or banners lead to it: put it off sale instead of deleting it.",
        zh="该数据已产生销售或被轮播图引用：请改为下架，不能删除。",
    )
    PICTURES_CHANGED = define(
        40988,
        en="These are not the product's pictures: read it again and send each of them once.",
        zh="提交的图片与商品现有图片不一致：请重新读取，并将每张图片恰好提交一次。",
    )
    OPTIONS_TAKEN = define(
        40989,
        en="The product has a SKU with these options already.",
        zh="该商品已存在相同规格的 SKU。",
    )
