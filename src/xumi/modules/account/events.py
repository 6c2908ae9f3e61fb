"""What happens to accounts."""

from xumi.kernel.events import Event


class UserRegistered(Event):
    """Somebody made an account for himself."""

    name = "account.user_registered"
    aggregate = "user_id"

    user_id: str
    username: str
    email: str
