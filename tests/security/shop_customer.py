"""What routes of customers name, beyond orders."""

from tests.security.world import World


async def find_picture(_: World) -> str:
    """A picture of the demo; each name is one."""
    return "tea-1-a.svg"
