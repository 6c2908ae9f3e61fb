"""Commands of the catalogue."""

from xumi.kernel import Command, DatabaseManager, logger
from xumi.kernel.command import Params
from xumi.modules.shop.catalog.service import search


class ReindexProducts(Command):
    """Writes anew by which words each product is found; the shop may be open meanwhile."""

    name = "reindex-products"

    @staticmethod
    async def run(params: Params) -> None:
        """Go through all products, a few hundred in a transaction."""
        after: str | None = ""
        while after is not None:
            async with DatabaseManager() as session:
                after = await search.index_next(session, after)
        async with DatabaseManager() as session:
            await search.forget_strangers(session)
        logger.info("products reindexed")
