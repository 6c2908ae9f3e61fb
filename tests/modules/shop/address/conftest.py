"""The people of the tests of addresses."""

from tests.modules.account.conftest import cheap_passwords, chief, connect, settings, sign_in, sign_up

__all__ = ["cheap_passwords", "chief", "connect", "settings", "sign_in", "sign_up"]
