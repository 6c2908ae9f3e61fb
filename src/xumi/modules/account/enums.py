"""Fixed sets of accounts."""

from enum import StrEnum


class Role(StrEnum):
    """The roles that are always there: `admin` may do everything, `user` is what everybody gets who registers."""

    ADMIN = "admin"
    USER = "user"
