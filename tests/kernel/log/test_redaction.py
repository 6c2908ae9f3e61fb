"""No secret stands in a log line."""

import json

import pytest
from pydantic import BaseModel

from tests.kernel.log.reader import only
from xumi.kernel.log import logger
from xumi.kernel.log.clean import clean_text

SECRET = "hunter2-hunter2-hunter2"


@pytest.mark.parametrize(
    "key",
    ["password", "new_password", "PASSWORD", "passwd", "pwd", "token", "access_token", "refreshToken", "secret", "client_secret",
     "Authorization", "cookie", "Set-Cookie", "api_key", "apikey", "X-Api-Key", "private_key", "credentials"],
)  # fmt: skip
def test_fields_with_secret_names_are_masked_at_any_depth(lines: list[bytes], key: str) -> None:
    logger.info("x", **{key: SECRET, "deep": [{"a": ({key: [SECRET]},)}]})
    assert SECRET not in only(lines)
    record = json.loads(lines[0])
    assert record[key] == "***"
    assert record["deep"] == [{"a": [{key: "***"}]}]


def test_models_are_masked_by_their_fields(lines: list[bytes]) -> None:
    class Login(BaseModel):
        username: str
        password: str

    logger.info("x", body=Login(username="li", password=SECRET))
    assert json.loads(only(lines))["body"] == {"username": "li", "password": "***"}


def test_no_value_is_no_secret(lines: list[bytes]) -> None:
    logger.info("x", token=None, username="li", keyboard="qwerty")
    record = json.loads(only(lines))
    assert (record["token"], record["username"], record["keyboard"]) == (None, "li", "qwerty")


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("at postgresql://xumi:hunter2@db:5432/x", "at postgresql://xumi:***@db:5432/x"),
        ("redis://:hunter2@cache", "redis://:***@cache"),
        ("Authorization: Bearer abcdefghijklmnop.qrs", "Authorization: Bearer ***"),
        ("sent bearer abcdefghijklmnop.qrs on", "sent bearer *** on"),
        ("/reset?token=hunter2&user=li", "/reset?token=***&user=li"),
        ("{'db_password': 'hunter2', 'a': 1}", "{'db_password': '***', 'a': 1}"),
        ('{"api_key":"hunter2"}', '{"api_key":"***"}'),
        ("got eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxIn0.c2ln now", "got *** now"),
        ("the password is wrong", "the password is wrong"),
        ("see https://example.com:8080/a@b", "see https://example.com:8080/a@b"),
    ],
)
def test_secrets_are_recognised_in_texts(text: str, expected: str) -> None:
    assert clean_text(text) == expected


def test_a_traceback_shows_no_secret(lines: list[bytes]) -> None:
    try:
        raise OSError("cannot reach postgresql://xumi:hunter2@db/x")
    except OSError:
        logger.exception("database away")
    assert "hunter2" not in only(lines)
