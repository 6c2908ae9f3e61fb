"""The list of common passwords: it is there, it fits the rules of length, and spelling one otherwise does not help."""

import pytest

from xumi.modules.account.constants import PASSWORD_MIN_LENGTH
from xumi.modules.account.service.policy import common_passwords, find_password_problem


def test_the_list_is_of_passwords_that_would_pass_otherwise() -> None:
    listed = common_passwords()
    assert len(listed) > 8000
    assert min(map(len, listed)) == PASSWORD_MIN_LENGTH
    assert all(find_password_problem(password) for password in listed)


@pytest.mark.parametrize(
    "password", ["1q2w3e4r5t", "PASSWORD1", "Sunshine", "5201314520", "ｐａｓｓｗｏｒｄ", "abcd1234"]
)
def test_common_ones_are_refused_in_any_spelling(password: str) -> None:
    assert "attackers try first" in (find_password_problem(password) or "")
