"""From any exception to the error that the caller sees."""

import http
from collections.abc import Iterable
from typing import Any

from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException

from xumi.kernel.db.errors import translate as translate_database_error
from xumi.kernel.errors import APICode, APIException, ErrorCode, FieldError, Locale, all_codes

_PLACES = ("body", "query", "path", "header", "cookie")
_MAX_FIELD_ERRORS = 50


def translate(error: BaseException) -> APIException | None:
    """The error for the caller, or None where the exception is a bug."""
    if isinstance(error, APIException):
        return error
    if isinstance(error, RequestValidationError):
        return _validation(error.errors())
    if isinstance(error, HTTPException):
        return _http(error)
    return translate_database_error(error)


def _validation(problems: Iterable[dict[str, Any]]) -> APIException:
    fields = []
    for problem in list(problems)[:_MAX_FIELD_ERRORS]:
        if problem["type"] == "json_invalid":
            return APIException(
                APICode.INVALID_JSON, reason=f"{problem['ctx']['error']} at {problem['loc'][-1]}"
            )
        location = [str(part) for part in problem["loc"]]
        if len(location) > 1 and location[0] in _PLACES:
            location = location[1:]
        # pydantic's own prefix says nothing to the caller.
        fields.append(FieldError(".".join(location), problem["msg"].removeprefix("Value error, ")))
    return APIException(APICode.VALIDATION_FAILED, errors=fields)


def _http(error: HTTPException) -> APIException:
    """Starlette's and FastAPI's own errors, and those of handlers that raise `HTTPException`."""
    # FastAPI makes a 400 of whatever happens while it reads the body.
    if isinstance(error.__cause__, APIException):
        return error.__cause__
    if error.status_code == 400 and isinstance(error.__cause__, UnicodeDecodeError):
        return APIException(APICode.INVALID_ENCODING)
    if error.status_code == 400 and isinstance(error.__cause__, RecursionError):
        return APIException(APICode.INVALID_JSON, reason="it is nested too deeply")
    number = error.status_code * 100
    code = next((code for code in all_codes() if code.number == number), None)
    if code is None:
        phrase = http.HTTPStatus(error.status_code).phrase
        code = ErrorCode(number, phrase, phrase, phrase.upper().replace(" ", "_"))
    standard = error.detail == http.HTTPStatus(error.status_code).phrase
    return APIException(code, None if standard else str(error.detail), headers=error.headers)


def choose_locale(accept_language: str) -> Locale:
    """`zh` or `en` by an `Accept-Language` value (RFC 9110 §12.5.4); English where it names neither."""
    best: tuple[float, Locale] = (0.0, "en")
    for part in accept_language[:200].split(","):
        tag, _, parameters = part.strip().partition(";")
        language = tag.strip().lower().split("-")[0]
        name, _, value = parameters.strip().partition("=")
        try:
            weight = float(value) if name.strip() == "q" else 1.0
        except ValueError:
            weight = 0.0
        if language in ("zh", "en") and weight > best[0]:
            best = weight, "zh" if language == "zh" else "en"
    return best[1]
