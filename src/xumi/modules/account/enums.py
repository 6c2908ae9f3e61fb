"""Fixed sets of accounts."""

from enum import StrEnum


class Role(StrEnum):
    """The built-in roles: `admin` may do everything, `user` what features grant to everybody who has signed in."""

    ADMIN = "admin"
    USER = "user"
