"""The registry of error codes."""

import pytest

from xumi.kernel.errors import APICode, APIException, StartError, all_codes, define


def test_every_code_has_a_number_that_begins_with_its_status_and_both_texts() -> None:
    for code in all_codes():
        assert code.status == code.number // 100
        assert 400 <= code.status <= 599
        assert code.en.strip()
        assert code.zh.strip()
        assert code.name.isupper()


def test_a_number_can_be_declared_once() -> None:
    with pytest.raises(StartError, match="40400"):
        type("OtherCode", (APICode,), {"SOMETHING_ELSE": define(40400, en="x", zh="x")})


def test_a_name_can_be_declared_once() -> None:
    with pytest.raises(StartError, match="NOT_FOUND"):
        type("OtherCode", (APICode,), {"NOT_FOUND": define(40477, en="x", zh="x")})


@pytest.mark.parametrize("number", [404, 20000, 39999, 60000, 4040000])
def test_a_number_is_an_error_status_with_two_digits(number: int) -> None:
    with pytest.raises(StartError, match="40901"):
        define(number, en="x", zh="x")


def test_a_text_speaks_the_callers_language_and_takes_its_values() -> None:
    error = APIException(APICode.BODY_TOO_LARGE, limit=10)
    assert "10" in error.text("en")
    assert "10" in error.text("zh")
    assert error.text("en") != error.text("zh")
    assert str(error).startswith("41300 BODY_TOO_LARGE")


def test_a_message_with_braces_is_left_as_it_is() -> None:
    assert APIException(APICode.CONFLICT, "{not a placeholder}").text("zh") == "{not a placeholder}"
